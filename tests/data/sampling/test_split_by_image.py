"""Split by image: the rule for large classes, then properties over many shapes, then the minimum."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from siamese_tf.data.sampling.draw_pairs import existing_pairs
from siamese_tf.data.sampling.split_by_image import split_by_image
from siamese_tf.errors import DatasetError

THREE, TWO = (4, 5), (6,)  # a quarter for test and a fifth of the rest for validation; a sixth for validation
SHARES = {THREE: (0.6, 0.25, 0.15), TWO: (5 / 6, 1 / 6)}


def split(sizes, steps, seed=0) -> tuple[np.ndarray, list[np.ndarray]]:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    return labels, split_by_image(labels, steps, np.random.default_rng(seed))


def check(sizes, steps, seed=0) -> list[np.ndarray]:
    """Checks that the splits cover all images once, each with both kinds of pairs; returns their images per class."""
    labels, parts = split(sizes, steps, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    for part in parts:
        assert part.dtype == np.int64
        assert min(existing_pairs(labels[part])) > 0, (sizes, steps, seed)
    return [np.bincount(labels[part], minlength=len(sizes)) for part in parts]


def test_large_classes_are_shared_out_as_in_earlier_releases():
    """Every fourth image in the order of the classes, every fifth of the rest; a change would change pair files."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 5, 300)
    _, *taken = parts = split_by_image(labels, THREE, np.random.default_rng(3))
    shuffled = np.random.default_rng(3).permutation(np.arange(300))
    ordered = shuffled[np.argsort(labels[shuffled], kind="stable")]
    rest = np.delete(ordered, np.s_[3::4])
    for part, expected in zip(parts, (np.delete(rest, np.s_[4::5]), ordered[3::4], rest[4::5]), strict=True):
        np.testing.assert_array_equal(part, expected)
    assert [len(part) for part in taken] == [75, 45]


@pytest.mark.parametrize(
    ("shape", "images", "pairs"),
    [
        ((20, 6), (72, 30, 18), 18),
        ((40, 10), (240, 100, 60), 90),
        ((5, 7), (20, 9, 6), 6),
        ((2, 9), (10, 4, 4), 2),
        ((10, 14), (86, 36, 18), 45),
        ((100, 2), (120, 50, 30), 15),
    ],
)
def test_few_images_a_class_by_hand(shape, images, pairs):
    """Of 40 classes of 10 images, 15 give 4 images each to validation: 6 similar pairs per class, 90 in total."""
    classes, size = shape
    train, test, validation = check([size] * classes, THREE)
    assert (train.sum(), test.sum(), validation.sum()) == images
    assert (validation * (validation - 1) // 2).sum() == pairs
    if size > 3:
        assert train.min() >= 2  # training has images of every class


@pytest.mark.parametrize("steps", [THREE, TWO])
@pytest.mark.parametrize("classes", [2, 3, 5, 8, 20, 40])
@pytest.mark.parametrize("size", [2, 3, 4, 6, 7, 10, 13, 19, 20, 25])
def test_equal_classes(steps, classes, size):
    total = classes * size
    if total < 12 * len(SHARES[steps]):
        return
    counts = check([size] * classes, steps)
    for of_part, share in zip(counts, SHARES[steps], strict=True):
        assert abs(of_part.sum() - share * total) <= max(4, 0.1 * total)
        assert np.all((of_part == 0) | (of_part >= 2))  # no image is single
        assert (of_part >= 2).sum() >= 2
    if size >= 6 and classes >= 8:  # at least one similar pair per image, to choose the threshold
        assert (counts[-1] * (counts[-1] - 1) // 2).sum() >= counts[-1].sum()


@pytest.mark.parametrize("steps", [THREE, TWO])
def test_unequal_classes(steps):
    rng = np.random.default_rng(0)
    for seed in range(150):
        low, high = sorted(rng.integers(1, 40, 2))
        sizes = rng.integers(low, high + 1, rng.integers(4, 30))
        if seed % 3 == 0:
            sizes[0] = 300
        if (sizes // 2).sum() < 9 or (sizes > 1).sum() < 4:
            continue
        counts = check(sizes, steps, seed)
        for of_part, share in zip(counts, SHARES[steps], strict=True):
            assert abs(of_part.sum() - share * sizes.sum()) <= max(6, 0.1 * sizes.sum()), (sizes, steps)


def test_classes_of_one_image_make_dissimilar_pairs():
    """One person with many pictures and many strangers with one each."""
    train, test, validation = check([30] + [1] * 40, THREE)
    assert (train[0], test[0], validation[0]) == (18, 7, 5)
    assert [int(part[1:].sum()) for part in (train, test, validation)] == [24, 11, 5]


def test_the_seed_decides_which_classes_give_to_which_part():
    first, same, other = (split([6] * 20, THREE, seed)[1] for seed in (1, 1, 2))
    for part, again in zip(first, same, strict=True):
        np.testing.assert_array_equal(part, again)
    assert not np.array_equal(first[1], other[1])


def partitions(total: int, largest: int) -> Iterator[list[int]]:
    """Yields the partitions of a number, largest term first."""
    if total == 0:
        yield []
    for first in range(min(total, largest), 0, -1):
        yield from ([first, *rest] for rest in partitions(total - first, first))


def least_exists(sizes: list[int], parts: int) -> bool:
    """Checks by exhaustive search that each split can get a pair of one class and an image of another."""
    classes = range(len(sizes))
    for pairs in product(classes, repeat=parts):
        for singles in product(classes, repeat=parts):
            used = 2 * np.bincount(pairs, minlength=len(sizes)) + np.bincount(singles, minlength=len(sizes))
            if np.all(used <= sizes) and all(one != two for one, two in zip(pairs, singles, strict=True)):
                return True
    return False


@pytest.mark.parametrize("total", range(2, 11))
def test_two_parts_are_refused_where_and_only_where_it_cannot_be_done(total):
    for sizes in partitions(total, total):
        possible = total >= 6 and total - sizes[0] >= 2 and sum(size // 2 for size in sizes) >= 2
        if total <= 7:
            assert possible == least_exists(sizes, 2)
        if possible:
            check(sizes, TWO)
        else:
            with pytest.raises(DatasetError, match="must be at least 6, 2 of them outside of the largest class"):
                split(sizes, TWO)


@pytest.mark.parametrize("total", range(7, 13))
def test_three_parts_are_refused_where_and_only_where_what_the_message_asks_for_is_not_there(total):
    for sizes in partitions(total, total):
        if total >= 9 and total - sizes[0] >= 3 and sum(size // 2 for size in sizes) >= 3:
            check(sizes, THREE)
        else:
            with pytest.raises(DatasetError, match="must be at least 9, 3 of them outside of the largest class"):
                split(sizes, THREE)


def test_the_message_says_what_came():
    with pytest.raises(
        DatasetError, match=r"got 7 distinct images in 3 classes, 2 of them with two or more images\. Ad"
    ):
        split([4, 2, 1], THREE)
    with pytest.raises(DatasetError, match=r"got 0 distinct images in 0 classes"):
        split([], THREE)
