import shutil

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images import cache as image_cache
from siamese_tf.data.images.decode import load_image
from siamese_tf.data.images.format import NATIVE_FORMAT, ImageFormat
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset, check_labels_agree, save_pair_file
from siamese_tf.data.pairs.pair_lists import csv_pairs, lfw_pairs, load_pair_dataset
from siamese_tf.errors import PairFileError

GREY = ImageFormat((5, 4), "grey")
PEOPLE = {"Ann_Lee": 2, "Bob": 3}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Pictures of two people, 5 high and 4 wide, one of them a PNG, and both kinds of list."""
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(tmp_path / "cache"))
    for seed, (name, count) in enumerate(PEOPLE.items()):
        (tmp_path / "lfw" / name).mkdir(parents=True)
        for k in range(1, count + 1):
            noise = np.random.default_rng(10 * seed + k).integers(0, 256, (5, 4), np.uint8)
            suffix = "png" if (name, k) == ("Bob", 3) else "jpg"
            Image.fromarray(noise).save(tmp_path / "lfw" / name / f"{name}_{k:04d}.{suffix}")
    (tmp_path / "pairs.txt").write_text("1 2\nAnn_Lee 1 2\nBob 1 3\nAnn_Lee 1 Bob 1\nAnn_Lee 2 Bob 2\n")
    (tmp_path / "list.csv").write_text(
        "img1,img2,similarity,split\n"
        "lfw/Ann_Lee/Ann_Lee_0001.jpg,lfw/Ann_Lee/Ann_Lee_0002.jpg,1,train\n"
        "lfw/Bob/Bob_0003.png,lfw/Ann_Lee/Ann_Lee_0001.jpg,0,validation\n"
    )
    return tmp_path


def test_csv(place):
    pairs = csv_pairs(place / "list.csv", GREY)
    assert pairs.images.shape == (3, 5, 4, 1)  # every image once
    assert pairs.labels is None
    assert (pairs.similarity.tolist(), pairs.split.tolist()) == ([1, 0], [TRAIN, VALIDATION])
    files = [["Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee/Ann_Lee_0002.jpg"], ["Bob/Bob_0003.png", "Ann_Lee/Ann_Lee_0001.jpg"]]
    for row, names in enumerate(files):
        for image, name in zip(pairs.images[[pairs.img1[row], pairs.img2[row]]], names, strict=True):
            np.testing.assert_array_equal(image, load_image(place / "lfw" / name, 5, 4, 1))
    assert pairs.manifest["form"] == {"size": [5, 4], "color": "grey", "resize": "pad"}
    assert pairs.path == place / "list.csv"
    save_pair_file(place / "saved.npz", pairs)  # it is a pair file in all but name


def test_csv_in_another_form(place):
    pairs = csv_pairs(str(place / "list.csv"), ImageFormat((7, 7), "rgb", "crop"))
    expected = load_image(place / "lfw" / "Bob" / "Bob_0003.png", 7, 7, 3, "crop")
    np.testing.assert_array_equal(pairs.images[pairs.img1[1]], expected)
    assert csv_pairs(place / "list.csv", NATIVE_FORMAT).images.shape == (3, 5, 4, 1)


def test_lfw(place):
    pairs, fold = lfw_pairs(place / "pairs.txt", place / "lfw", GREY)
    assert fold.tolist() == [0, 0, 0, 0]
    assert pairs.manifest["class_names"] == ["Ann_Lee", "Bob"]
    assert fold.dtype == np.int64
    assert pairs.similarity.tolist() == [1, 1, 0, 0]
    assert pairs.split.tolist() == [TEST] * 4
    assert pairs.labels is not None
    assert pairs.labels[pairs.img1].tolist() == [0, 1, 0, 0]
    assert pairs.labels[pairs.img2].tolist() == [0, 1, 1, 1]
    check_labels_agree(pairs)
    expected = load_image(place / "lfw" / "Bob" / "Bob_0003.png", 5, 4, 1)
    np.testing.assert_array_equal(pairs.images[pairs.img2[1]], expected)
    assert lfw_pairs(place / "pairs.txt", place / "lfw", NATIVE_FORMAT)[0].images.shape == (5, 5, 4, 1)


def test_the_same_list_of_images_in_two_folders(place, monkeypatch):
    """Files of one size and one time, as two copies in a moment may be, are not taken for one another."""
    monkeypatch.setattr(image_cache, "file_stamp", lambda _: [1, 1, 1])
    shutil.copytree(place / "lfw", place / "other")
    for path in (place / "other").rglob("*.*"):
        Image.fromarray(np.zeros((5, 4), np.uint8)).save(path)
    pairs, _ = lfw_pairs(place / "pairs.txt", place / "lfw", GREY)
    others, _ = lfw_pairs(place / "pairs.txt", place / "other", GREY)
    assert pairs.images.any()
    assert not others.images.any()
    assert pairs.sha256 != others.sha256


def test_the_hash_is_of_the_list_and_its_images(place):
    def sha256(image_format=GREY):
        return csv_pairs(place / "list.csv", image_format).sha256

    before = sha256()
    assert sha256() == before
    assert sha256(ImageFormat((5, 4), "grey", "crop")) != before
    image = place / "lfw" / "Bob" / "Bob_0003.png"
    content = image.read_bytes()
    Image.fromarray(np.zeros((5, 4), np.uint8)).save(image)
    assert sha256() != before
    image.write_bytes(content)
    assert sha256() == before
    (place / "list.csv").write_text((place / "list.csv").read_text().replace("1,train", "0,train"))
    assert sha256() != before


def test_an_image_that_cannot_be_read_is_named(place):
    (place / "lfw" / "Bob" / "Bob_0003.png").write_text("text")
    with pytest.raises(PairFileError) as caught:
        csv_pairs(place / "list.csv", GREY)
    for words in ("list.csv: 1 of its 3 images", "lfw/Bob/Bob_0003.png: must be one of PNG", "remove their pairs"):
        assert words in str(caught.value)
    (place / "lfw" / "Bob" / "Bob_0001.jpg").unlink()
    with pytest.raises(
        PairFileError,
        match=r"txt: 2 of its 5 .*Bob/Bob_0001: must be an image file; got a path that does not exist.*with --images",
    ):
        lfw_pairs(place / "pairs.txt", place / "lfw", GREY)


def test_a_name_too_long_for_a_file_is_not_printed_whole(place):
    (place / "list.csv").write_text(f"img1,img2,similarity\nlfw/{'a' * 5000},lfw/{'b' * 5000},1\n")
    with pytest.raises(PairFileError, match="lfw/a{196}: must be an image file; .*lfw/b{196}: must be an image file"):
        csv_pairs(place / "list.csv", GREY)
    (place / "pairs.txt").write_text(f"1 1\n{'a' * 5000} 1 2\nAnn_Lee 1 Bob 1\n")
    with pytest.raises(PairFileError, match=r"2 of its 4 .*\(a{200}: must be an image file"):
        lfw_pairs(place / "pairs.txt", place / "lfw", GREY)


def test_a_name_that_no_file_has(place):
    (place / "list.csv").write_text("img1,img2,similarity\nlfw,nul\0,1\n")
    with pytest.raises(PairFileError):
        csv_pairs(place / "list.csv", GREY)


def test_by_the_end_of_the_name(place):
    assert load_pair_dataset(place / "list.csv", NATIVE_FORMAT)[1] is None
    pairs, fold = load_pair_dataset(place / "pairs.txt", NATIVE_FORMAT, place / "lfw")
    assert fold is not None
    (place / "pairs.txt").rename(place / "lfw" / "pairs.txt")
    beside, _ = load_pair_dataset(place / "lfw" / "pairs.txt", ImageFormat(color="rgb"))
    assert beside.images.shape == (5, 5, 4, 3)
    np.testing.assert_array_equal(beside.images[..., :1], pairs.images)
    one = np.array([0], np.int32)
    save_pair_file(place / "a.npz", PairDataset(pairs.images[:2], None, one, one + 1, one == 0, one))
    loaded, fold = load_pair_dataset(place / "a.npz", NATIVE_FORMAT)
    assert fold is None
    np.testing.assert_array_equal(loaded.images, pairs.images[:2])


@pytest.mark.parametrize("deep", ["c0", "c0/day"])
def test_images_below_a_private_folder_are_private(place, deep):
    for name in (f"{deep}/0.png", "c1/0.png"):
        (place / "people" / name).parent.mkdir(parents=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(place / "people" / name)
    (place / "list.csv").write_text(f"img1,img2,similarity\npeople/{deep}/0.png,people/c1/0.png,0\n")
    assert not csv_pairs(place / "list.csv", ImageFormat()).private
    for folder in (place / "people", place / "people" / "c0"):
        folder.chmod(0o700)
        assert csv_pairs(place / "list.csv", ImageFormat()).private
        folder.chmod(0o755)


def test_groups_of_a_list_are_those_of_its_images(place):
    """Images without a group have one of their own, so that their pairs are across groups."""
    ann, bob = (f"lfw/{name}/{name}_000" for name in ("Ann_Lee", "Bob"))
    (place / "grouped.csv").write_text(
        "img1,img2,similarity,group\n"
        f"{bob}1.jpg,{bob}2.jpg,1,beta\n{ann}1.jpg,{ann}2.jpg,1,alpha\n{bob}1.jpg,{bob}3.png,1,\n{ann}1.jpg,{bob}1.jpg,0,\n"
    )
    pairs = csv_pairs(place / "grouped.csv", GREY)
    assert pairs.manifest["group_names"] == ["alpha", "beta"]
    sides = pairs.groups[pairs.img1].tolist(), pairs.groups[pairs.img2].tolist()
    assert sides == ([1, 0, 1, 0], [1, 0, 2, 1])
    plain = csv_pairs(place / "list.csv", GREY)
    assert plain.groups is None
    assert "group_names" not in plain.manifest
