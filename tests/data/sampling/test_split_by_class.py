import numpy as np
import pytest

from siamese_tf.data.sampling.split_by_class import images_of, split_by_class
from siamese_tf.errors import DatasetError


def rng():
    return np.random.default_rng(4)


def test_classes_of_one_size_go_in_the_order_of_a_shuffle():
    labels = np.repeat(np.arange(10), 7)
    order = rng().permutation(10)
    parts = split_by_class(labels, labels, (5, 5), rng(), "drawn")
    assert [part.tolist() for part in parts] == [order[4:].tolist(), order[:2].tolist(), order[2:4].tolist()]


def test_one_part_beside_training():
    labels = np.repeat(np.arange(12), 3)
    train, taken = split_by_class(labels, labels, (6,), rng(), "drawn")
    assert len(taken) == 2
    assert sorted([*train, *taken]) == list(range(12))


def test_only_classes_of_both_sides_are_dealt_and_those_of_one_image_like_the_others():
    labels = np.array([*np.repeat(np.arange(8), 3), 8, 9, 10, 11, 12, 13])
    parts = split_by_class(labels, labels[labels > 0], (5, 5), rng(), "drawn")
    assert sorted(np.concatenate(parts)) == list(range(1, 14))
    assert [int((images_of(labels, part) == 1).sum()) for part in parts] == [4, 1, 1]
    assert [int((images_of(labels, part) == 3).sum()) for part in parts] == [3, 2, 2]


def test_a_large_class_is_for_training():
    labels = np.repeat(np.arange(7), [2, 2, 90, 2, 2, 2, 1])
    assert 2 in split_by_class(labels, labels, (5, 5), rng(), "drawn")[0]


@pytest.mark.parametrize(("steps", "least"), [((5, 5), 6), ((6,), 4)])
def test_too_few_classes_are_refused(steps, least):
    labels = np.array([0, 0, 1, 1, 2, 2, 3])
    with pytest.raises(DatasetError, match=f"at least {least} classes .*; got 4 classes, 1 of them with one image"):
        split_by_class(labels, labels, steps, rng(), "drawn")
    with pytest.raises(DatasetError, match="got 0 classes"):
        split_by_class(labels[:0], labels[:0], steps, rng(), "drawn")
