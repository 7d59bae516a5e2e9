from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from siamese_tf.data.pairs.one_vs_rest import class_label, labels_of, one_vs_rest
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset, check_labels_agree
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.errors import ConfigError, DatasetError, PairFileError

NAMES = ["T-shirt/top", "trouser", "0", "bag"]


def pair_file(parts, images=40, seed=0, names=NAMES):
    """Noise images of four classes, ten each, in turn; every part has its own images, and uses each in a pair."""
    labels = np.arange(images) % 4
    row_slices = np.array_split(np.arange(images), len(parts))
    img1, img2 = np.concatenate(row_slices), np.concatenate([np.roll(block, 1) for block in row_slices])
    return PairDataset(
        images=np.random.default_rng(seed).integers(0, 256, (images, 3, 3, 1), np.uint8),
        labels=labels,
        img1=img1.astype(np.int32),
        img2=img2.astype(np.int32),
        similarity=(labels[img1] == labels[img2]).astype(np.uint8),
        split=np.repeat(np.array(parts, np.uint8), [len(block) for block in row_slices]),
        manifest={"class_names": names, "source": "clothes", "pairs": {"train": 20}, "audit": {}},
        path=Path("my.npz"),
        sha256="abc",
    )


@pytest.fixture
def opened():
    """120 images, half for training and half for validation; 40 others for the test."""
    return TrainTestPairs(
        pair_file([TRAIN, VALIDATION], images=120), pair_file([TEST], seed=1), "clothes", "using clothes", leaks=5
    )


def kinds(pairs, part):
    """How often (label, label, similarity) stands among the pairs of a part, the labels in order."""
    rows = pairs.rows(part)
    sides = np.sort(pairs.labels[np.stack([pairs.img1[rows], pairs.img2[rows]], axis=1)], axis=1).tolist()
    return Counter((*both, same) for both, same in zip(sides, pairs.similarity[rows].tolist(), strict=True))


def test_what_is_to_be_told_of_the_images_is_told_of_these_pairs_too(opened):
    opened = replace(opened, unreadable=("a.png: it is empty",), warnings=("few images",))
    made = one_vs_rest(opened, "trouser", rest_is_a_class=False, seed=0)
    assert made.lines()[1] == "could not be read: a.png: it is empty"
    assert made.warning_lines()[0] == "few images"


def test_half_of_the_pairs_are_of_the_class_and_half_between_it_and_the_rest(opened):
    made = one_vs_rest(opened, "trouser", rest_is_a_class=False, seed=0)
    # 15 images of the class among 60, and 10 among 40: with 60 and 40 pairs asked, there are 105 and 45 similar ones.
    for pairs, part, count in ((made.train, TRAIN, 60), (made.train, VALIDATION, 60), (made.test, TEST, 40)):
        assert kinds(pairs, part) == {(1, 1, 1): count // 2, (0, 1, 0): count // 2}
    for pairs in (made.train, made.test):
        check_labels_agree(pairs)
        np.testing.assert_array_equal(pairs.labels, np.arange(len(pairs.images)) % 4 == 1)
        assert (pairs.img1.dtype, pairs.split.dtype, pairs.labels.dtype) == (np.int32, np.uint8, np.int64)


def test_the_rest_as_a_class(opened):
    made = one_vs_rest(opened, "trouser", rest_is_a_class=True, seed=0)
    assert kinds(made.train, TRAIN) == {(1, 1, 1): 15, (0, 0, 1): 15, (0, 1, 0): 30}
    assert kinds(made.test, TEST) == {(1, 1, 1): 10, (0, 0, 1): 10, (0, 1, 0): 20}
    assert made.train.manifest["one_vs_rest"]["rest_is_a_class"] is True


@pytest.mark.parametrize("rest_is_a_class", [False, True])
def test_the_split_stays_what_it_was(opened, rest_is_a_class):
    made = one_vs_rest(opened, "bag", rest_is_a_class=rest_is_a_class, seed=0)
    for old, new, part in (
        (opened.train, made.train, TRAIN),
        (opened.train, made.train, VALIDATION),
        (opened.test, made.test, TEST),
    ):
        assert set(new.images_of(part)) <= set(old.images_of(part))
        assert new.images is old.images
    assert made.leaks == 0


def test_a_small_class_has_fewer_pairs(opened):
    # Three images of the class make three similar pairs: half of them, made even, with as many dissimilar ones.
    labels = np.where(np.isin(np.arange(120), [1, 5, 9, 61, 65, 69]), 1, 0)
    made = one_vs_rest(replace(opened, train=replace(opened.train, labels=labels)), "1", rest_is_a_class=False, seed=0)
    assert kinds(made.train, TRAIN) == {(1, 1, 1): 1, (0, 1, 0): 1}
    assert kinds(made.test, TEST)[1, 1, 1] == 20


def test_one_file_for_all_stays_one():
    file = pair_file([TRAIN, VALIDATION, TEST], images=120)
    made = one_vs_rest(TrainTestPairs(file, file, "clothes", ""), "bag", rest_is_a_class=False, seed=0)
    assert made.test is made.train
    assert [len(made.train.rows(part)) for part in (TRAIN, VALIDATION, TEST)] == [40, 40, 40]
    assert made.leaks == 0


def test_test_rows_that_are_not_looked_at_are_left_out(opened):
    train = pair_file([TRAIN, VALIDATION, TEST], images=120)
    test = pair_file([TEST, TRAIN], images=80, seed=1)
    made = one_vs_rest(replace(opened, train=train, test=test), "bag", rest_is_a_class=False, seed=0)
    assert set(made.train.split) == {TRAIN, VALIDATION}
    assert set(made.test.split) == {TEST}


def test_without_test_pairs(opened):
    assert one_vs_rest(replace(opened, test=None), "bag", rest_is_a_class=False, seed=0).test is None


def test_what_it_says_of_itself(opened):
    made = one_vs_rest(opened, "0", rest_is_a_class=False, seed=0)  # the name, so class 2
    assert made.dataset == "clothes-0-vs-rest"
    assert made.note == "using clothes, as 0 against the rest"
    for pairs in (made.train, made.test):
        assert pairs.manifest == {
            "source": "clothes",
            "class_names": ["rest", "0"],
            "one_vs_rest": {"class": "0", "label": 2, "rest_is_a_class": False},
        }
        assert (pairs.path, pairs.sha256) == (Path("my.npz"), "abc")
    assert opened.train.manifest["class_names"] == NAMES


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("T-shirt/top", "T-shirt-top"),
        ("ankle boot", "ankle-boot"),
        ("../../etc", "etc"),
        ("..", "3"),
        ("a\0\nb", "a-b"),
        ("käse", "käse"),
        ("x" * 99, "x" * 40),
    ],
)
def test_any_name_is_safe_in_a_folder(opened, name, folder):
    train = replace(opened.train, manifest={"class_names": ["a", "b", "c", name]})
    made = one_vs_rest(replace(opened, train=train, test=None), name, rest_is_a_class=False, seed=0)
    assert made.dataset == f"clothes-{folder}-vs-rest"


def test_the_test_file_may_number_its_classes_otherwise(opened):
    test = pair_file([TEST], seed=1, names=["bag", "T-shirt/top", "shoe", "trouser"])
    made = one_vs_rest(replace(opened, test=test), "trouser", rest_is_a_class=False, seed=0)
    np.testing.assert_array_equal(made.test.labels, np.arange(40) % 4 == 3)
    assert [pairs.manifest["one_vs_rest"]["label"] for pairs in (made.train, made.test)] == [1, 3]
    with pytest.raises(DatasetError, match="the test split must have .* images of 0 .*; got 0 and 40"):
        one_vs_rest(replace(opened, test=test), "0", rest_is_a_class=False, seed=0)
    unnamed = replace(test, manifest={})
    made = one_vs_rest(replace(opened, test=unnamed), "trouser", rest_is_a_class=False, seed=0)
    np.testing.assert_array_equal(made.test.labels, np.arange(40) % 4 == 1)


def test_the_seed_decides_and_each_part_has_its_own():
    def drawn(seed):
        file = pair_file([TRAIN, VALIDATION], images=120)
        made = one_vs_rest(TrainTestPairs(file, None, "", ""), "bag", rest_is_a_class=False, seed=seed).train
        return [np.stack([made.img1[rows], made.img2[rows]]) for rows in (made.rows(TRAIN), made.rows(VALIDATION))]

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not any(np.array_equal(one, two) for one, two in zip(first, other, strict=True))
    assert not np.array_equal(first[0], first[1] - 60)  # both parts have the same classes in the same order


def test_leaks_are_counted_anew(opened):
    test = pair_file([TEST], images=40)
    test.images[:] = opened.train.images[:40]
    assert one_vs_rest(replace(opened, test=test), "bag", rest_is_a_class=False, seed=0).leaks > 0


def test_a_class_goes_by_its_name_before_its_number():
    file = pair_file([TRAIN])
    assert [class_label(file, name) for name in ("T-shirt/top", "0", "3", "bag")] == [0, 2, 3, 3]
    assert [class_label(replace(file, manifest={}), name) for name in ("0", "3")] == [0, 3]
    assert class_label(replace(file, manifest={"class_names": ["zero", "one"]}), "3") == 3
    assert class_label(replace(file, manifest={"class_names": "nonsense"}), "3") == 3


@pytest.mark.parametrize("name", ["shoe", "4", "-1", "", "01", "Bag"])
def test_an_unknown_class_is_refused_with_those_there_are(name):
    with pytest.raises(ConfigError, match="must be one of T-shirt/top, trouser, 0, bag, or its number; got "):
        class_label(pair_file([TRAIN]), name)


def test_a_class_without_images_is_not_there():
    file = pair_file([TRAIN])
    with pytest.raises(ConfigError, match="must be one of T-shirt/top, trouser, 0, or its number; got 'bag'"):
        class_label(replace(file, labels=file.labels % 3), "bag")


def test_of_many_classes_the_message_names_the_first():
    file = pair_file([TRAIN])
    many = replace(file, images=np.zeros((25, *file.images.shape[1:]), np.uint8), labels=np.arange(25), manifest={})
    with pytest.raises(ConfigError, match="must be one of 0, 1, .*, 19, 5 more, or its number"):
        class_label(many, "bag")


def test_files_without_labels_are_refused(opened):
    with pytest.raises(PairFileError, match=r"my\.npz must have labels"):
        class_label(replace(opened.train, labels=None), "bag")
    with pytest.raises(PairFileError, match="the pairs must have labels"):
        labels_of(replace(opened.train, labels=None, path=None))
    without = replace(opened, test=replace(opened.test, labels=None))
    with pytest.raises(PairFileError, match="must have labels"):
        one_vs_rest(without, "bag", rest_is_a_class=False, seed=0)


def test_a_file_without_pairs_of_its_parts_is_refused(opened):
    with pytest.raises(PairFileError, match=r"my\.npz must have train or validation pairs; got none"):
        one_vs_rest(replace(opened, train=pair_file([TEST])), "bag", rest_is_a_class=False, seed=0)


@pytest.mark.parametrize(("members", "rest"), [(0, 60), (1, 59), (60, 0)])
def test_a_part_with_too_few_images_is_refused(opened, members, rest):
    labels = np.r_[np.arange(60) % 4, np.arange(60) < members]
    train = replace(opened.train, labels=labels)
    with pytest.raises(DatasetError, match=f"validation split must have .* of trouser .*; got {members} and {rest}"):
        one_vs_rest(replace(opened, train=train), "trouser", rest_is_a_class=False, seed=0)


@pytest.mark.parametrize("rest_is_a_class", [False, True])
def test_two_images_of_the_class_and_one_other_are_enough(rest_is_a_class):
    file = replace(pair_file([TRAIN], images=3), labels=np.array([0, 1, 1]))
    made = one_vs_rest(TrainTestPairs(file, None, "", ""), "trouser", rest_is_a_class=rest_is_a_class, seed=0)
    assert kinds(made.train, TRAIN) == {(1, 1, 1): 1, (0, 1, 0): 1}
