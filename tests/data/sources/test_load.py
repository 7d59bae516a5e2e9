import gzip
import hashlib
import struct
import subprocess
import sys
from urllib.error import URLError

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from siamese_tf.data.images.format import NATIVE_FORMAT, ImageFormat
from siamese_tf.data.sources import published as known
from siamese_tf.data.sources.idx import idx_sha256
from siamese_tf.data.sources.load import IMAGE_DATASETS, NAMES, format_for, load_source
from siamese_tf.data.sources.published import PUBLISHED, PublishedDataset
from siamese_tf.errors import ConfigError, DatasetError

PARTS = {
    "train-images-idx3-ubyte": np.arange(24, dtype=np.uint8).reshape(4, 2, 3),
    "train-labels-idx1-ubyte": np.array([1, 0, 4, 0], np.uint8),
    "t10k-images-idx3-ubyte": np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
    "t10k-labels-idx1-ubyte": np.array([0, 1], np.uint8),
}


def fill(folder):
    folder.mkdir(parents=True)
    for part, values in PARTS.items():
        header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
        (folder / f"{part}.gz").write_bytes(gzip.compress(header + values.tobytes()))
    return folder


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Simulates a machine without data sets and network; both published data sets are the small one."""

    def no_network(url, timeout):
        raise URLError("no network in this test")

    sha256 = {part: idx_sha256(values) for part, values in PARTS.items()}
    for name in PUBLISHED:
        monkeypatch.setitem(
            PUBLISHED, name, PublishedDataset(("nought", "one", "two", "three", "four"), sha256, "0" * 64)
        )
    monkeypatch.delenv("SIAMESE_TF_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(known, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setattr("siamese_tf.data.sources.download.urlopen", no_network)
    return tmp_path


def assert_consistent(source):
    n = len(source.images)
    assert source.images.ndim == 4
    assert source.images.dtype == np.uint8
    assert (source.labels.shape, source.labels.dtype) == ((n,), np.int64)
    assert (source.is_test.shape, source.is_test.dtype) == ((n,), bool)
    assert 0 <= source.labels.min() <= source.labels.max() < len(source.class_names)
    assert all(len(digest) == 64 for digest in source.files.values())
    assert "\n" not in source.note


def test_digits():
    source = load_source("digits")
    assert_consistent(source)
    assert source.name == "digits"
    assert source.images.shape == (1797, 8, 8, 1)
    assert not source.is_test.any()
    assert source.class_names == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    np.testing.assert_array_equal(source.labels, load_digits().target)
    assert source.note == "using digits from scikit-learn, 1,797 gray images of 8x8"
    assert source.files["digits-images"] == hashlib.sha256(source.images.tobytes()).hexdigest()


def test_digits_levels():
    """0..16 becomes 0..255: 16 steps of 255/16 = 15.9375, so 1 -> 16, 3 -> 47.8 -> 48, 16 -> 255."""
    images = load_source("digits").images[..., 0]
    levels = load_digits().images
    for level, grey in {0: 0, 1: 16, 3: 48, 15: 239, 16: 255}.items():
        assert (images[levels == level] == grey).all()
    assert len(np.unique(images)) == 17


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_known_set_by_name(place, name):
    folder = fill(place / "given" / name)
    source = load_source(name, place / "given")
    assert_consistent(source)
    assert source.name == name
    assert source.images.shape == (6, 2, 3, 1)
    assert source.labels.tolist() == [1, 0, 4, 0, 0, 1]
    assert source.is_test.tolist() == [False] * 4 + [True] * 2
    assert source.class_names == ("nought", "one", "two", "three", "four")
    assert source.files == PUBLISHED[name].sha256
    assert source.origin == str(folder)
    assert source.note == f"using {name} from {folder}, 6 gray images of 2x3"


def test_a_name_never_falls_back_to_another(place):
    for name in ("mnist", "fashion-mnist"):
        with pytest.raises(DatasetError, match=f"{name} was not found in .*--dataset digits"):
            load_source(name)


def test_auto_is_mnist_if_available(place, monkeypatch):
    folder = fill(place / "environment" / "mnist")
    monkeypatch.setenv("SIAMESE_TF_DATA", str(place / "environment"))
    source = load_source("auto")
    assert source.name == "mnist"
    assert source.note == f"auto: using mnist from {folder}, 6 gray images of 2x3"


def test_auto_is_digits_without_mnist(place):
    source = load_source("auto")
    assert_consistent(source)
    assert source.name == "digits"
    assert source.note.startswith(
        "auto: using digits from scikit-learn, 1,797 gray images of 8x8, because mnist was not"
    )
    assert "no network in this test" in source.note


def test_auto_with_a_folder_that_lacks_mnist(place):
    (place / "given").mkdir()
    source = load_source("auto", place / "given")
    assert source.name == "digits"
    assert "mnist must be a folder with train-images" in source.note


def test_auto_does_not_skip_a_corrupt_copy(place):
    folder = fill(place / "given" / "mnist")
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"\x1f\x8bbroken")
    with pytest.raises(
        DatasetError, match=r"train-labels-idx1-ubyte.gz: must be a complete gzip file; got damaged gzip data"
    ):
        load_source("auto", place / "given")


def test_folder_of_idx_files(place):
    folder = fill(place / "my-symbols")
    source = load_source(str(folder))
    assert_consistent(source)
    assert source.name == "my-symbols"
    assert source.origin == str(folder)
    assert source.class_names == ("0", "1", "2", "3", "4")
    assert source.is_test.sum() == 2
    assert source.files == {part: idx_sha256(values) for part, values in PARTS.items()}


def test_current_folder(place, monkeypatch):
    monkeypatch.chdir(fill(place / "mnist"))
    assert load_source(".").name == "mnist"
    monkeypatch.chdir(place)
    assert load_source("./mnist").class_names == ("0", "1", "2", "3", "4")
    with pytest.raises(DatasetError, match="mnist was not found"):
        load_source("mnist")


def test_empty_folder(place):
    (place / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"empty: must have the four IDX files train-images-idx3-ubyte.*got neither"):
        load_source(str(place / "empty"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mnits", "Did you mean mnist?"),
        ("MNIST", "Did you mean mnist?"),
        ("fashion_mnist", "Did you mean fashion-mnist?"),
        ("digit", "Did you mean digits?"),
        ("cats", "Check the name"),
        ("", "Check the name"),
        ("no/such/folder", "which does not exist. Check the path"),
        ("nul\0", "Check the name"),
        ("x" * 5000, "Check the name"),
    ],
)
def test_unknown_name(name, words):
    with pytest.raises(DatasetError) as caught:
        load_source(name)
    assert words in str(caught.value)
    for known_name in NAMES:
        assert known_name in str(caught.value)


def test_a_file_is_not_a_folder(place):
    (place / "mnist.npz").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"; got the file .*mnist.npz\'\. Name its folder"):
        load_source(str(place / "mnist.npz"))


def test_a_folder_is_read_without_scikit_learn_and_tensorflow(place):
    folder = fill(place / "folder")
    code = (
        "import sys; from siamese_tf.data.sources.load import load_source; load_source(sys.argv[1]); "
        "print([name for name in ('sklearn', 'tensorflow', 'keras') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def draw_people(folder, suffix="png"):
    for person in range(2):
        (folder / f"p{person}").mkdir(parents=True)
        for k in range(3):
            grey = np.full((5, 4), 10 * person + k, np.uint8)
            Image.fromarray(grey).save(folder / f"p{person}" / f"{k}.{suffix}")
    return folder


def test_folder_of_image_files(place, monkeypatch):
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(place / "cache"))
    folder = draw_people(place / "people")
    source = load_source(str(folder))
    assert_consistent(source)
    assert (source.name, source.origin) == ("people", str(folder))
    assert source.images[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 11, 12]
    assert source.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert source.class_names == ("p0", "p1")
    assert source.paths == ("p0/0.png", "p0/1.png", "p0/2.png", "p1/0.png", "p1/1.png", "p1/2.png")
    assert not source.is_test.any()
    assert source.image_format == ImageFormat((5, 4), "grey", "pad")
    assert [*source.files] == ["images, 5x4 grey, pad"]
    assert source.note == f"using people from {folder}, 6 gray images of 5x4 in 2 classes"
    assert source.unreadable == ()


def test_a_folder_of_groups(place, monkeypatch):
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(place / "cache"))
    for number, name in enumerate(("g/a/1.png", "h/a/1.png", "h/b/1.png")):
        (place / "people" / name).parent.mkdir(parents=True)
        Image.new("L", (4, 5), number).save(place / "people" / name)
    source = load_source(str(place / "people"))
    assert source.class_names == ("g/a", "h/a", "h/b")
    assert (source.group_names, source.groups.tolist()) == (("g", "h"), [0, 1, 1])
    assert source.note.endswith(", 3 gray images of 5x4 in 3 classes of 2 groups")


def test_the_note_counts_skipped_and_resized_images(place, monkeypatch):
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(place / "cache"))
    folder = draw_people(place / "people")
    (folder / "p1" / "3.png").write_text("text")
    source = load_source(str(folder), image_format=ImageFormat((8, 8), "rgb", "crop"))
    assert source.images.shape == (6, 8, 8, 3)
    assert source.note.endswith("6 color images of 8x8 in 2 classes; 6 had another size (crop); 1 could not be read")
    assert [line.split(":")[0] for line in source.unreadable] == ["p1/3.png"]
    assert source.files != load_source(str(folder), image_format=ImageFormat((8, 8), "rgb", "pad")).files


def test_idx_files_take_precedence_over_subfolders(place):
    assert load_source(str(draw_people(fill(place / "both")))).paths is None


def test_image_files_beside_idx_files_are_ignored_with_a_warning(place):
    assert load_source(str(fill(place / "idx"))).warnings == ()
    (warning,) = load_source(str(draw_people(fill(place / "both")))).warnings
    assert warning.startswith("the folder contains IDX files, and image files that are not directly in a class folder")
    assert warning.endswith(": 6 (p0/0.png, p0/1.png, p0/2.png, ...)")


def test_a_folder_with_train_and_test(place, monkeypatch):
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(place / "cache"))
    folder = draw_people(place / "people" / "train").parent
    (folder / "test").mkdir()
    (folder / "train" / "p1").rename(folder / "test" / "p1")
    Image.new("L", (4, 5), 9).save(folder / "top.png")
    source = load_source(str(folder))
    assert_consistent(source)
    assert source.has_split
    assert source.is_test.tolist() == [False] * 3 + [True] * 3
    assert not source.is_validation.any()
    assert source.class_names == ("p0", "p1")
    assert source.paths[0] == "train/p0/0.png"
    assert source.note.endswith("6 gray images of 5x4 in 2 classes (train 3, validation 0, test 3)")
    assert source.warnings == ("image files that are not directly in a class folder are ignored: 1 (top.png)",)
    assert source.lines() == [source.note]
    (folder / "test" / "p1" / "odd.png").write_text("text")
    assert load_source(str(folder)).lines()[1].startswith("could not be read: test/p1/odd.png: ")


def test_a_source_has_the_real_path_of_its_folder(place, monkeypatch):
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(place / "cache"))
    (place / "link").symlink_to(draw_people(place / "people"))
    for folder in (place / "link", place / "people"):
        assert load_source(str(folder)).folder == str((place / "people").resolve())
    assert load_source(str(fill(place / "idx"))).folder == str((place / "idx").resolve())
    assert load_source("digits").folder is None
    assert not load_source("digits").has_split


def test_image_options_are_refused_for_other_data_sets(place):
    folder = fill(place / "folder")
    for name in ("digits", "auto", "mnist", str(folder), str(place / "absent")):
        with pytest.raises(ConfigError, match=r"must be a folder or a list of image files .* Omit these settings"):
            load_source(name, image_format=ImageFormat(color="rgb"))


def test_format_for_applies_only_to_folders_of_image_files(place, monkeypatch):
    """The image format of a model applies only to data sets with image files."""
    monkeypatch.chdir(place)
    image_format = ImageFormat((8, 8), "rgb", "crop")
    people, idx = draw_people(place / "people"), fill(place / "idx")
    draw_people(place / "digits")  # a name takes precedence over a folder
    draw_people(place / "both")
    for part in PARTS:
        (place / "both" / f"{part}.gz").write_bytes((idx / f"{part}.gz").read_bytes())
    (place / "file").write_text("text")
    for name in (str(people), "people", "./digits"):
        assert format_for(name, image_format) == image_format
        assert load_source(name, image_format=format_for(name, image_format)).images.shape[1:] == (8, 8, 3)
    for name in IMAGE_DATASETS:
        assert format_for(name, image_format) == image_format
    for name in ("", *{*NAMES} - {*IMAGE_DATASETS}, str(idx), "idx", "both", "file", "absent", "nul\0"):
        assert format_for(name, image_format) == NATIVE_FORMAT
    assert load_source("both", image_format=format_for("both", image_format)).images.shape[1:] == (2, 3, 1)


@pytest.mark.parametrize(("name", "shown"), [("non\udcffutf", r"non\xffutf"), ("two\nlines", r"two\nlines")])
def test_a_folder_whose_name_cannot_be_printed_is_refused(place, name, shown):
    try:
        (place / name / "below").mkdir(parents=True)
    except OSError:
        pytest.skip("this file system has only names in UTF-8")
    for folder in (place / name, place / name / "below"):
        with pytest.raises(
            DatasetError, match="name must be UTF-8 without control characters. Rename the folder"
        ) as caught:
            load_source(str(folder))
        assert shown in str(caught.value)
