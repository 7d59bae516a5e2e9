import gzip
import struct

import numpy as np
import pytest

from siamese_tf.data.sources.idx import idx_sha256
from siamese_tf.data.sources.idx_folder import PARTS, find_idx_files, read_idx_folder, stack_parts
from siamese_tf.errors import DatasetError


def small_parts(train=5, test=3, size=(4, 6)):
    rng = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte": rng.integers(0, 256, (train, *size), np.uint8),
        "train-labels-idx1-ubyte": rng.integers(0, 3, train, np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (test, *size), np.uint8),
        "t10k-labels-idx1-ubyte": rng.integers(0, 3, test, np.uint8),
    }


def idx_bytes(values):
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


@pytest.fixture
def parts(tmp_path):
    """Writes the four files to tmp_path, plain or gzip, with a hyphen or a dot in the name."""
    parts = small_parts()
    ways = ["hyphen", "hyphen.gz", "dot", "dot.gz"]
    for (part, values), way in zip(parts.items(), ways, strict=True):
        name = way.replace("hyphen", part).replace("dot", part.replace("-idx", ".idx"))
        content = idx_bytes(values)
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return parts


def test_all_spellings_are_found(tmp_path, parts):
    names = {part: path.name for part, path in find_idx_files(tmp_path).items()}
    assert names == {
        "train-images-idx3-ubyte": "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte": "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte": "t10k-images.idx3-ubyte",
        "t10k-labels-idx1-ubyte": "t10k-labels.idx1-ubyte.gz",
    }


def test_nothing_is_found_in_other_places(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").mkdir()
    assert find_idx_files(tmp_path) == {}
    assert find_idx_files(tmp_path / "absent") == {}


def test_the_plain_file_takes_precedence_over_the_gzip(tmp_path, parts):
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(5, np.uint8)))
    assert read_idx_folder(tmp_path)["train-labels-idx1-ubyte"].tolist() == [0] * 5


def test_the_four_files_are_read(tmp_path, parts):
    read = read_idx_folder(str(tmp_path))
    assert tuple(read) == PARTS
    for part in PARTS:
        np.testing.assert_array_equal(read[part], parts[part])


def test_hashes_are_checked(tmp_path, parts):
    sha256 = {part: idx_sha256(values) for part, values in parts.items()}
    assert tuple(read_idx_folder(tmp_path, sha256)) == PARTS
    sha256["t10k-labels-idx1-ubyte"] = "0" * 64
    with pytest.raises(DatasetError, match=r"t10k-labels.idx1-ubyte.gz: must be the published file.* got the SHA-256"):
        read_idx_folder(tmp_path, sha256)


def test_missing_files_are_named(tmp_path, parts):
    (tmp_path / "train-images-idx3-ubyte").unlink()
    (tmp_path / "t10k-labels.idx1-ubyte.gz").unlink()
    with pytest.raises(
        DatasetError, match=r"each plain or \.gz; got no train-images-idx3-ubyte, no t10k-labels-idx1-ubyte\."
    ) as caught:
        read_idx_folder(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_stack_worked_example():
    parts = {
        "train-images-idx3-ubyte": np.array([[[1, 2]], [[3, 4]]], np.uint8),
        "train-labels-idx1-ubyte": np.array([7, 0], np.uint8),
        "t10k-images-idx3-ubyte": np.array([[[5, 6]]], np.uint8),
        "t10k-labels-idx1-ubyte": np.array([255], np.uint8),
    }
    images, labels, is_test = stack_parts(parts, "here")
    assert images.dtype == np.uint8
    assert images.tolist() == [[[[1], [2]]], [[[3], [4]]], [[[5], [6]]]]
    assert labels.dtype == np.int64
    assert labels.tolist() == [7, 0, 255]
    assert is_test.dtype == bool
    assert is_test.tolist() == [False, False, True]


@pytest.mark.parametrize("channels", [1, 3])
def test_stack_with_a_channel_axis(channels):
    images, _, is_test = stack_parts(small_parts(size=(4, 6, channels)), "here")
    assert images.shape == (8, 4, 6, channels)
    assert is_test.sum() == 3


def test_stack_without_test_images():
    images, labels, is_test = stack_parts(small_parts(test=0), "here")
    assert len(images) == len(labels) == 5
    assert not is_test.any()


@pytest.mark.parametrize("size", [(), (4,), (4, 6, 2), (4, 6, 4), (0, 6), (4, 0)])
def test_stack_refuses_invalid_image_shapes(size):
    with pytest.raises(DatasetError, match=r"here, train files: images must have shape \(n, height, width\), .*; got "):
        stack_parts(small_parts(size=size), "here")


@pytest.mark.parametrize("prefix", ["train", "t10k"])
def test_stack_refuses_another_number_of_labels(prefix):
    parts = small_parts()
    parts[f"{prefix}-labels-idx1-ubyte"] = np.zeros(4, np.uint8)
    with pytest.raises(DatasetError, match=rf"{prefix} files: labels must have shape \([53],\), .*; got \(4,\)"):
        stack_parts(parts, "here")


def test_stack_refuses_labels_with_two_dimensions():
    parts = small_parts()
    parts["train-labels-idx1-ubyte"] = np.zeros((5, 1), np.uint8)
    with pytest.raises(DatasetError, match=r"labels must have shape \(5,\), .*; got \(5, 1\)"):
        stack_parts(parts, "here")


def test_stack_refuses_two_sizes():
    parts = small_parts() | {"t10k-images-idx3-ubyte": np.zeros((3, 6, 4), np.uint8)}
    with pytest.raises(DatasetError, match=r"must have the same .*; got \(4, 6, 1\) and \(6, 4, 1\)"):
        stack_parts(parts, "here")


def test_stack_refuses_no_training_images():
    with pytest.raises(DatasetError, match="number of training images must be 1 or more"):
        stack_parts(small_parts(train=0), "here")
