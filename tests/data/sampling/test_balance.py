import numpy as np
import pytest

from siamese_tf.data.sampling.balance import deal_classes


def images_of(sizes, group, groups):
    return np.bincount(group, sizes, groups).astype(int).tolist()


@pytest.mark.parametrize("sizes", [[7] * 10, [5, 6, 7, 6, 5, 7, 5, 6, 7, 6]])
def test_classes_of_like_sizes_go_in_their_order(sizes):
    assert deal_classes(sizes, [2, 2, 6]).tolist() == [0, 0, 1, 1, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("place", range(6))
def test_the_one_large_class_goes_to_the_last_group(place):
    sizes = np.full(6, 2)
    sizes[place] = 150
    group = deal_classes(sizes, [2, 2, 2])
    assert np.bincount(group).tolist() == [2, 2, 2]
    assert images_of(sizes, group, 3) == [4, 4, 152]


def test_by_hand():
    """In the given order, the first group would have 4 of 11 images; largest first gives 7 + 5, 8 + 2 and 9 + 2."""
    sizes = [2, 2, 9, 8, 7, 5]
    assert deal_classes(sizes, [2, 2, 2]).tolist() == [1, 2, 2, 1, 0, 0]
    assert images_of(sizes, deal_classes(sizes, [2, 2, 2]), 3) == [12, 10, 11]


def test_every_group_gets_a_class_with_two_images_where_there_is_one_for_each():
    assert sorted(deal_classes([1, 1, 1, 2, 2, 2], [2, 2, 2])[3:].tolist()) == [0, 1, 2]


def test_the_number_of_classes_of_each_group_is_kept():
    rng = np.random.default_rng(0)
    for _ in range(200):
        counts = rng.integers(2, 6, 4)
        sizes = rng.zipf(1.5, counts.sum()).clip(max=1000)
        assert np.bincount(deal_classes(sizes, counts), minlength=4).tolist() == counts.tolist()
