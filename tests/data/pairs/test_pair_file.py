import hashlib
import json
import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.pairs.pair_file import (
    TEST,
    TRAIN,
    VALIDATION,
    PairDataset,
    check_labels_agree,
    load_pair_file,
    save_pair_file,
)
from siamese_tf.errors import PairFileError


def example() -> PairDataset:
    """Four images 2 x 3 of classes 0 0 1 1, and four pairs."""
    return PairDataset(
        images=np.arange(24, dtype=np.uint8).reshape(4, 2, 3, 1),
        labels=np.array([0, 0, 1, 1]),
        img1=np.array([0, 0, 3, 1], np.int32),
        img2=np.array([1, 2, 2, 3], np.int32),
        similarity=np.array([1, 0, 1, 0], np.uint8),
        split=np.array([TRAIN, VALIDATION, TRAIN, TEST], np.uint8),
        manifest={"source": "drawn", "seed": 3, "names": ["ä", "b"]},
    )


def arrays(**changes) -> dict[str, np.ndarray]:
    """The example as plain arrays; a change to None leaves that array out."""
    pairs = example()
    names = ("images", "labels", "img1", "img2", "similarity", "split")
    every = {name: getattr(pairs, name) for name in names} | {"manifest": np.array("{}")} | changes
    return {name: array for name, array in every.items() if array is not None}


def test_a_file_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "pairs.npz"
    save_pair_file(path, example())
    loaded = load_pair_file(path)
    for name in ("images", "labels", "img1", "img2", "similarity", "split"):
        assert np.array_equal(getattr(loaded, name), getattr(example(), name))
        assert getattr(loaded, name).dtype == getattr(example(), name).dtype
    assert loaded.manifest == example().manifest
    assert loaded.path == path
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_would_be_too_large_to_be_read_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr("siamese_tf.data.pairs.npz.MAX_BYTES", 500)
    with pytest.raises(PairFileError, match=r"pairs.npz must be at most 500 bytes .*; got .*Use fewer"):
        save_pair_file(tmp_path / "pairs.npz", example())
    assert not [*tmp_path.iterdir()]


def test_numpy_alone_reads_it(tmp_path):
    save_pair_file(tmp_path / "pairs.npz", example())
    with np.load(tmp_path / "pairs.npz", allow_pickle=False) as file:
        assert file["images"].shape == (4, 2, 3, 1)
        assert json.loads(str(file["manifest"]))["seed"] == 3


def test_equal_contents_give_equal_bytes(tmp_path):
    pairs = example()
    save_pair_file(tmp_path / "a.npz", pairs)
    save_pair_file(tmp_path / "b.npz", replace(pairs, manifest=dict(reversed(pairs.manifest.items()))))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_rows_of_each_part():
    assert example().rows(TRAIN).tolist() == [0, 2]
    assert example().rows(VALIDATION).tolist() == [1]
    assert example().rows(TEST).tolist() == [3]


def test_images_of_each_part_are_those_that_its_pairs_use():
    # Pairs {0, 1} and {3, 2} of training, {0, 2} of validation, {1, 3} of test.
    assert example().images_of(TRAIN).tolist() == [0, 1, 2, 3]
    assert example().images_of(VALIDATION).tolist() == [0, 2]
    assert example().images_of(TEST).tolist() == [1, 3]
    assert example().images_of(TEST).dtype == np.int64


def test_all_images_are_of_a_part_where_the_manifest_counts_them_to_it():
    one = replace(example(), img1=np.zeros(4, np.int32), img2=np.ones(4, np.int32), split=np.full(4, TEST, np.uint8))
    ours = replace(one, manifest={"images": {"train": 70, "test": 4}})
    assert ours.images_of(TEST).tolist() == [0, 1, 2, 3]
    assert ours.images_of(TEST).dtype == np.int64
    assert ours.images_of(TRAIN).tolist() == []
    two = replace(ours, split=np.array([TRAIN, TEST, TEST, TEST], np.uint8))  # somebody has changed the parts since
    assert two.images_of(TEST).tolist() == [0, 1]


@pytest.mark.parametrize("images", [None, {}, {"test": 3}, {"train": 4}, [4], "test"])
def test_without_that_the_images_that_no_pair_uses_may_be_anything(images):
    """A test file from elsewhere may carry training images along."""
    one = replace(example(), img1=np.zeros(4, np.int32), img2=np.ones(4, np.int32), split=np.full(4, TEST, np.uint8))
    assert replace(one, manifest={"images": images}).images_of(TEST).tolist() == [0, 1]
    assert one.images_of(TEST).tolist() == [0, 1]


@pytest.mark.parametrize("how", ["pad", "crop", "stretch"])
def test_the_form_is_what_other_images_must_be_brought_to(tmp_path, how):
    """Of what was asked for, the manifest tells how; size and colour are those the images have."""
    manifest = {"form": {"size": [2, 3], "color": "grey", "resize": how}}
    save_pair_file(tmp_path / "pairs.npz", replace(example(), manifest=manifest))
    loaded = load_pair_file(tmp_path / "pairs.npz")
    assert loaded.image_format == ImageFormat((2, 3), "grey", how)
    color = replace(loaded, images=np.repeat(loaded.images, 3, axis=-1))
    assert color.image_format == ImageFormat((2, 3), "rgb", how)


@pytest.mark.parametrize(
    "image_format", [None, {}, "crop", ["crop"], {"resize": None}, {"resize": "fit"}, {"resize": ["pad"]}]
)
def test_a_manifest_that_does_not_say_how_or_says_nonsense_means_pad(image_format):
    for manifest in ({"form": image_format}, {}):
        assert replace(example(), manifest=manifest).image_format == ImageFormat((2, 3), "grey", "pad")


def test_what_other_people_leave_out(tmp_path):
    np.savez(tmp_path / "pairs.npz", **arrays(labels=None, split=None, manifest=None))
    loaded = load_pair_file(tmp_path / "pairs.npz")
    assert loaded.labels is None
    assert loaded.split.tolist() == [TRAIN] * 4
    assert loaded.manifest == {}
    save_pair_file(tmp_path / "again.npz", loaded)
    assert load_pair_file(tmp_path / "again.npz").labels is None


def test_other_integer_types_and_images_without_channel_axis(tmp_path):
    plain = arrays(images=example().images[..., 0])
    for name in ("img1", "img2", "split", "labels"):
        plain[name] = plain[name].astype(np.int16)
    plain["similarity"] = plain["similarity"].astype(bool)
    np.savez(tmp_path / "pairs.npz", **plain)
    loaded = load_pair_file(tmp_path / "pairs.npz")
    assert loaded.images.shape == (4, 2, 3, 1)
    assert (loaded.img1.dtype, loaded.img2.dtype) == (np.int32, np.int32)
    assert (loaded.similarity.dtype, loaded.split.dtype, loaded.labels.dtype) == (np.uint8, np.uint8, np.int64)
    assert loaded.similarity.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"img2": None}, "must have the arrays images, img1, img2, similarity; got no 'img2'"),
        ({"images": np.zeros((4, 2, 3, 1), np.int16)}, r"images must be .*; got shape \(4, 2, 3, 1\) and dtype int16"),
        ({"images": np.zeros((4, 6), np.uint8)}, r"images must be \(n, h, w, c\).*; got shape \(4, 6\)"),
        ({"images": np.zeros((0, 2, 3, 1), np.uint8)}, "at least one image"),
        ({"images": np.zeros((4, 2, 0, 1), np.uint8)}, r"shape \(4, 2, 0, 1\)"),
        ({"images": np.zeros((4, 2, 3, 2), np.uint8)}, "must have 1 or 3 channels; got 2 .* to gray or RGB"),
        ({"images": np.zeros((4, 2, 3, 4), np.uint8)}, r"1 or 3 channels; got 4 \(shape \(4, 2, 3, 4\)\)"),
        ({"img1": np.array([0, 1])}, r"img1 must be \(4,\) integers; got shape \(2,\) and dtype int64"),
        ({"img1": np.array([[0], [0], [3], [1]])}, r"img1 must be .*; got shape \(4, 1\)"),
        ({"img2": np.array([1, 2, 2, 4])}, "img2 must be in 0 to 3; got 1 to 4"),
        ({"img2": np.array([1, 2, -1, 3])}, "img2 must be in 0 to 3; got -1 to 3"),
        ({"img2": np.array([1, 2, 2, 2**63], np.uint64)}, "img2 must be .*; got 1 to 9223372036854775808"),
        ({"similarity": np.array([1, 0, 2, 0])}, "similarity must be in 0 to 1; got 0 to 2"),
        ({"similarity": np.array([], np.uint8)}, "must have at least one pair"),
        ({"similarity": np.array(1)}, "must have at least one pair"),
        ({"split": np.array([0, 1, 2, 3])}, "split must be in 0 to 2; got 0 to 3"),
        ({"split": np.array([0, 1])}, r"split must be .*; got shape \(2,\)"),
        ({"labels": np.array([0, 0, 1])}, r"labels must be \(4,\) .*; got shape \(3,\)"),
        ({"labels": np.array(["a", "a", "b", "b"])}, "labels must be .*; got shape .* dtype <U1"),
        ({"manifest": np.array("{")}, "the manifest must be JSON"),
        ({"manifest": np.array("[" * 100_000)}, "the manifest must be JSON"),
        ({"manifest": np.array(['{"format": 1}'])}, r"the manifest must be .*; got shape \(1,\)"),
        ({"manifest": np.array('{"format": 1}'), "split": None}, "must have the array 'split', like every file"),
        ({"checksums": np.array("{}")}, "unchanged since siamese_tf wrote it; 'images.npy' was added"),
        ({"manifest": np.array("[1, 2]")}, "the manifest must be a JSON object; got list"),
    ],
)
def test_each_fault_is_named_with_the_file(tmp_path, changes, finding):
    np.savez(tmp_path / "pairs.npz", **arrays(**changes))
    with pytest.raises(PairFileError, match=finding) as caught:
        load_pair_file(tmp_path / "pairs.npz")
    assert "pairs.npz" in str(caught.value)


@pytest.mark.parametrize("shape", [(4, 2, 2), (4, 2, 4), (4, 2, 3, 1), (4, 2, 3, 3)])
def test_grey_and_rgb_images_are_read(tmp_path, shape):
    np.savez(tmp_path / "pairs.npz", **arrays(images=np.zeros(shape, np.uint8)))
    assert load_pair_file(tmp_path / "pairs.npz").images.shape == (shape if len(shape) == 4 else (*shape, 1))


def test_further_arrays_are_ignored(tmp_path):
    np.savez(tmp_path / "pairs.npz", **arrays(names=np.array([{"a": 1}]), weights=np.zeros(4)))
    loaded = load_pair_file(tmp_path / "pairs.npz")
    assert np.array_equal(loaded.images, example().images)
    assert np.array_equal(loaded.similarity, example().similarity)


def test_labels_that_contradict_are_loaded_and_found_when_asked(tmp_path):
    path = tmp_path / "pairs.npz"
    np.savez(path, **arrays(labels=np.array([0, 1, 1, 1])))
    loaded = load_pair_file(path)
    assert loaded.labels.tolist() == [0, 1, 1, 1]
    with pytest.raises(
        PairFileError, match="similarity must be 1 .*; got 2 of 4 pairs that contradict.*Correct the"
    ) as caught:
        check_labels_agree(loaded)
    assert str(caught.value).startswith(f"{path}: ")
    with pytest.raises(PairFileError, match="^the pairs: .* got 2 of 4 pairs"):
        check_labels_agree(replace(loaded, path=None))


def test_labels_that_agree_or_are_not_there_pass():
    check_labels_agree(example())
    check_labels_agree(replace(example(), labels=None, similarity=1 - example().similarity))


def test_a_missing_file_is_refused_with_the_cure(tmp_path):
    with pytest.raises(PairFileError, match=r"absent.npz: No such file.*siamese-tf pairs generate"):
        load_pair_file(tmp_path / "absent.npz")


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo.npz")
    for path in (tmp_path, tmp_path / "fifo.npz", "/dev/zero", "a\0b.npz", "a\ud800.npz"):
        with pytest.raises(PairFileError, match="cannot read the pair file"):
            load_pair_file(path)


def test_a_file_that_was_changed_by_hand_is_refused_unless_it_says_nothing_of_where_it_came_from(tmp_path):
    path = tmp_path / "pairs.npz"
    save_pair_file(path, example())
    with np.load(path) as file:
        changed = {name: file[name] for name in file} | {"split": np.zeros(4, np.uint8)}
    np.savez(path, **changed)
    with pytest.raises(PairFileError, match="'split.npy' was changed.* remove checksums and manifest"):
        load_pair_file(path)
    np.savez(path, **{name: array for name, array in changed.items() if name not in ("checksums", "manifest")})
    assert load_pair_file(path).split.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_of_ours_may_be_written_again_by_numpy(tmp_path, save):
    save_pair_file(tmp_path / "pairs.npz", example())
    with np.load(tmp_path / "pairs.npz") as file:
        save(tmp_path / "again.npz", **file)
    assert load_pair_file(tmp_path / "again.npz").manifest == example().manifest


def test_what_could_not_be_loaded_is_not_written(tmp_path):
    with pytest.raises(PairFileError, match="similarity must be 1 for equal labels"):
        save_pair_file(tmp_path / "pairs.npz", replace(example(), labels=np.array([0, 1, 1, 1])))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_bytes_are_refused_or_harmless(tmp_path, compressed):
    path = tmp_path / "pairs.npz"
    if compressed:
        np.savez_compressed(path, **arrays())
    else:
        save_pair_file(path, example())
    whole, good = path.read_bytes(), load_pair_file(path)
    rng = np.random.default_rng(0)
    damaged = [whole[:length] for length in rng.integers(0, len(whole), 50)]
    for place in rng.integers(0, len(whole), 200):
        damaged.append(whole[:place] + bytes([whole[place] ^ int(rng.integers(1, 256))]) + whole[place + 1 :])
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            loaded = load_pair_file(path)
        except PairFileError:
            refused += 1
        else:
            assert np.array_equal(loaded.images, good.images)
            assert np.array_equal(loaded.img1, good.img1)
            assert np.array_equal(loaded.similarity, good.similarity)
    assert refused > 125


def test_the_archive_holds_the_listed_arrays_and_nothing_else(tmp_path):
    save_pair_file(tmp_path / "pairs.npz", example())
    with zipfile.ZipFile(tmp_path / "pairs.npz") as archive:
        names = {"images", "img1", "img2", "similarity", "labels", "split", "manifest", "checksums"}
        assert set(archive.namelist()) == {f"{name}.npy" for name in names}


@pytest.mark.parametrize("name", ["groups", "authors"])
def test_groups_and_authors_are_stored_for_each_image(tmp_path, name):
    pairs = replace(example(), **{name: np.array([0, 0, 1, 1])})
    save_pair_file(tmp_path / "pairs.npz", pairs)
    loaded = load_pair_file(tmp_path / "pairs.npz")
    assert getattr(loaded, name).tolist() == [0, 0, 1, 1]
    with pytest.raises(PairFileError, match=rf"{name} must be \(4,\) integers; got shape \(3,\)"):
        save_pair_file(tmp_path / "other.npz", replace(pairs, **{name: np.array([0, 0, 1])}))


def test_a_file_without_groups_and_authors_has_none(tmp_path):
    save_pair_file(tmp_path / "pairs.npz", example())
    loaded = load_pair_file(tmp_path / "pairs.npz")
    assert loaded.groups is None
    assert loaded.authors is None
