from collections import Counter
from itertools import islice

import numpy as np
import pytest

from siamese_tf.data.sampling.class_batches import class_batches, short_classes
from siamese_tf.errors import ConfigError

UNEVEN = np.random.default_rng(0).permutation(np.repeat([3, 5, 6, 8, 9], [1, 4, 7, 10, 23]))


def batches(labels, classes_per_batch, images_per_class, seed=0, count=60):
    drawn = class_batches(np.asarray(labels), classes_per_batch, images_per_class, seed)
    return np.stack(list(islice(drawn, count))).reshape(count, classes_per_batch, images_per_class)


def spread(values, members):
    """Returns the difference between the largest and the smallest count of `members` in `values`."""
    counts = Counter(np.ravel(values).tolist())
    return max(counts[one] for one in members) - min(counts[one] for one in members)


def test_three_classes_of_two_images_by_hand():
    # Two classes per batch, two images per class: three batches draw each class twice, each time with both images.
    labels = np.array([7, 4, 4, 9, 7, 9])
    drawn = list(islice(class_batches(labels, 2, 2, seed=1), 3))
    assert all(batch.shape == (4,) and batch.dtype == np.int64 for batch in drawn)
    row_slices = np.sort(np.concatenate(drawn).reshape(6, 2), axis=1).tolist()
    assert sorted(row_slices) == [[0, 4], [0, 4], [1, 2], [1, 2], [3, 5], [3, 5]]


@pytest.mark.parametrize(("classes_per_batch", "images_per_class"), [(2, 2), (3, 4), (4, 5), (5, 9)])
def test_a_batch_is_of_different_classes_one_after_the_other(classes_per_batch, images_per_class):
    classes = UNEVEN[batches(UNEVEN, classes_per_batch, images_per_class)]
    assert np.all(classes == classes[:, :, :1])
    assert all(len(set(batch)) == classes_per_batch for batch in classes[:, :, 0].tolist())


@pytest.mark.parametrize("classes_per_batch", [2, 3, 4, 5])
def test_every_class_is_visited_before_any_is_visited_twice(classes_per_batch):
    visits = UNEVEN[batches(UNEVEN, classes_per_batch, 2)][:, :, 0].ravel()
    for start in range(0, len(visits), 5):
        assert spread(visits[:start], np.unique(UNEVEN)) == 0
        round_ = visits[start : start + 5].tolist()
        assert len(set(round_)) == len(round_)


@pytest.mark.parametrize("images_per_class", [2, 3, 5, 9])
def test_within_a_class_every_image_comes_before_any_comes_twice(images_per_class):
    drawn = batches(UNEVEN, 3, images_per_class)
    for one in np.unique(UNEVEN):
        members = np.flatnonzero(one == UNEVEN)
        shown = drawn[UNEVEN[drawn] == one]
        for start in range(0, len(shown), len(members)):
            assert spread(shown[:start], members) == 0
            round_ = shown[start : start + len(members)].tolist()
            assert len(set(round_)) == len(round_)


@pytest.mark.parametrize("images_per_class", [2, 3, 5, 9])
def test_an_image_comes_twice_in_a_batch_only_where_its_class_is_short_and_then_evenly(images_per_class):
    for block in batches(UNEVEN, 3, images_per_class).reshape(-1, images_per_class):
        members = np.flatnonzero(UNEVEN[block[0]] == UNEVEN)
        assert spread(block, members) <= 1
        if len(members) >= images_per_class:
            assert len(set(block.tolist())) == images_per_class


def test_short_classes_are_counted():
    assert [short_classes(UNEVEN, images) for images in (1, 2, 4, 5, 10, 24)] == [0, 1, 1, 2, 3, 5]


def test_classes_meet_each_other_alike():
    labels = np.repeat(np.arange(10), 4)
    meetings = np.zeros((10, 10))
    for batch in labels[batches(labels, 6, 2, count=3000)][:, :, 0]:
        meetings[np.ix_(batch, batch)] += 1
    # Each batch has 15 pairs of classes, of 45.
    assert np.abs(meetings[~np.eye(10, dtype=bool)] / 1000 - 1).max() < 0.1


def test_the_batches_are_a_function_of_the_seed_alone():
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    first = batches(UNEVEN, 3, 4, seed=7)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.testing.assert_array_equal(batches(UNEVEN, 3, 4, seed=7), first)
    assert len({batches(UNEVEN, 3, 4, seed).tobytes() for seed in range(5)}) == 5


@pytest.mark.parametrize(("classes_per_batch", "images_per_class"), [(1, 2), (2, 1), (0, 4), (3, -1)])
def test_fewer_than_two_are_refused_at_once(classes_per_batch, images_per_class):
    with pytest.raises(ConfigError, match=f"got {classes_per_batch} classes with {images_per_class} images"):
        class_batches(UNEVEN, classes_per_batch, images_per_class, seed=0)


@pytest.mark.parametrize(("labels", "asked"), [(UNEVEN, 6), ([0, 0, 0], 2), ([], 2)])
def test_more_classes_than_there_are_are_refused(labels, asked):
    there = len(np.unique(labels))
    with pytest.raises(ConfigError, match=f"classes_per_batch must be at most {there}, .*; got {asked}. Lower it"):
        class_batches(np.array(labels, np.int64), asked, 2, seed=0)
