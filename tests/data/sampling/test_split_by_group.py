import numpy as np
import pytest

from siamese_tf.data.sampling.split_by_group import split_by_group
from siamese_tf.errors import DatasetError


def rng():
    return np.random.default_rng(4)


def images(classes, of_class=2):
    """Returns groups and labels of images; group k has `classes[k]` classes of `of_class` images each."""
    groups = np.repeat(np.arange(len(classes)), classes)
    return np.repeat(groups, of_class), np.repeat(np.arange(len(groups)), of_class)


def test_groups_of_one_size_go_in_the_order_of_a_shuffle():
    sides = images([3] * 10)
    order = rng().permutation(10)
    parts = split_by_group(sides, sides, (5, 5), rng(), "drawn")
    assert [part.tolist() for part in parts] == [order[4:].tolist(), order[:2].tolist(), order[2:4].tolist()]


@pytest.mark.parametrize(("share", "sizes"), [(None, [25, 5]), (0.5, [15, 15]), (0.9, [27, 3]), (0.99, [29, 1])])
def test_one_part_beside_training(share, sizes):
    sides = images([3] * 30)
    parts = split_by_group(sides, sides, (6,), rng(), "drawn", share)
    assert [len(part) for part in parts] == sizes
    assert sorted(np.concatenate(parts)) == list(range(30))


@pytest.mark.parametrize("seed", range(5))
def test_each_split_has_a_group_with_two_usable_classes(seed):
    sides = images([1, 2, 1, 5, 1, 2, 1])
    parts = split_by_group(sides, sides, (5, 5), np.random.default_rng(seed), "drawn")
    assert sorted(np.concatenate(parts)) == list(range(7))
    assert [sum(group in (1, 3, 5) for group in part) for part in parts] == [1, 1, 1]


def test_only_groups_of_both_sides_are_used():
    groups, labels = images([3] * 5)
    parts = split_by_group((groups, labels), (groups[6:], labels[6:]), (5, 5), rng(), "drawn")
    assert sorted(np.concatenate(parts)) == [1, 2, 3, 4]


@pytest.mark.parametrize(("classes", "of_class"), [([3, 3], 2), ([3, 3, 1, 1], 2), ([3, 3, 3], 1)])
def test_too_few_groups_are_refused(classes, of_class):
    sides = images(classes, of_class)
    usable = sum(count >= 2 for count in classes) if of_class > 1 else 0
    with pytest.raises(
        DatasetError,
        match=f"at least 3 groups with 2 classes of two .*; got {usable} of {len(classes)} groups. Split by",
    ):
        split_by_group(sides, sides, (5, 5), rng(), "drawn")
