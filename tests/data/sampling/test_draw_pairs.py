from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from siamese_tf.data.sampling.draw_pairs import _decode_triangle, _quotas, all_pairs, existing_pairs, make_pairs
from siamese_tf.errors import DatasetError


def as_set(img1, img2):
    return {frozenset(pair) for pair in zip(img1.tolist(), img2.tolist(), strict=True)}


def test_three_images_by_hand():
    # Two images of class 5, one of class 8: the pairs are {0, 2}, similar, and {0, 1} and {1, 2}, dissimilar.
    img1, img2, similarity = make_pairs(np.array([5, 8, 5]), 3, seed=0)
    found = {frozenset((i, j)): s for i, j, s in zip(img1.tolist(), img2.tolist(), similarity.tolist(), strict=True)}
    assert found == {frozenset((0, 2)): 1, frozenset((0, 1)): 0, frozenset((1, 2)): 0}
    assert (img1.dtype, img2.dtype, similarity.dtype) == (np.int32, np.int32, np.uint8)


def test_existing_pairs_by_hand():
    assert existing_pairs(np.array([5, 8, 5])) == (1, 2)
    assert existing_pairs(np.array([1, 1, 1, 2, 2])) == (3 + 1, 3 * 2)


def test_all_pairs_by_hand():
    img1, img2, similarity = all_pairs(np.array([5, 8, 5, 8]))
    assert list(zip(img1.tolist(), img2.tolist(), similarity.tolist(), strict=True)) == [
        (0, 1, 0),
        (0, 2, 1),
        (0, 3, 0),
        (1, 2, 0),
        (1, 3, 1),
        (2, 3, 0),
    ]
    assert (img1.dtype, img2.dtype, similarity.dtype) == (np.int32, np.int32, np.uint8)


@pytest.mark.parametrize("images", [0, 1, 2, 30])
def test_all_pairs_are_as_many_as_exist_and_those_made_are_among_them(images):
    labels = np.random.default_rng(images).integers(0, 4, images)
    img1, img2, similarity = all_pairs(labels)
    assert as_set(img1, img2) == {frozenset(pair) for pair in combinations(range(images), 2)}
    assert (similarity.sum(), (similarity == 0).sum()) == existing_pairs(labels)
    if images == 30:
        one, two, same = make_pairs(labels, 40, seed=0)
        every = dict(zip(map(frozenset, zip(img1.tolist(), img2.tolist(), strict=True)), similarity, strict=True))
        assert [every[frozenset(pair)] for pair in zip(one.tolist(), two.tolist(), strict=True)] == same.tolist()


def test_half_are_similar_and_the_labels_agree():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 30))
    for count in (1000, 1007):
        img1, img2, similarity = make_pairs(labels, count, seed=1)
        assert len(img1) == len(img2) == len(similarity) == count
        assert similarity.sum() == count // 2
        assert np.array_equal(labels[img1] == labels[img2], similarity == 1)


def test_no_image_meets_itself_and_no_pair_stands_twice():
    labels = np.repeat(np.arange(4), [3, 9, 20, 21])
    img1, img2, _ = make_pairs(labels, 650, seed=2)  # of 424 similar and 954 dissimilar pairs
    assert np.all(img1 != img2)
    assert len(as_set(img1, img2)) == 650


@pytest.mark.parametrize("sizes", [[2, 3], [7, 1, 4], [5, 5, 6], [1, 1, 1, 1, 2]])
def test_the_maximum_uses_up_one_kind(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    similar, dissimilar = existing_pairs(labels)
    most = min(2 * similar + 1, 2 * dissimilar)
    img1, img2, similarity = make_pairs(labels, most, seed=3)
    assert len(as_set(img1, img2)) == most
    assert similarity.sum() == similar or (similarity == 0).sum() == dissimilar
    with pytest.raises(DatasetError, match=f"must be from 2 to {most}; got {most + 1} for"):
        make_pairs(labels, most + 1, seed=3)


def test_classes_are_alike_in_both_halves():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 30))
    img1, img2, similarity = make_pairs(labels, 1007, seed=1)
    similar = Counter(labels[img1[similarity == 1]].tolist())
    assert set(similar.values()) == {50, 51}  # 503 over 10 classes
    both = np.sort(np.stack([labels[img1], labels[img2]], axis=1)[similarity == 0], axis=1)
    dissimilar = Counter(map(tuple, both.tolist()))
    assert len(dissimilar) == 45
    assert set(dissimilar.values()) == {11, 12}  # 504 over 45 pairs of classes


def test_what_a_small_class_cannot_give_is_shared_by_the_others():
    labels = np.repeat([0, 1, 2], [2, 3, 40])  # 1, 3 and 780 similar pairs
    img1, _, similarity = make_pairs(labels, 40, seed=5)
    assert np.bincount(labels[img1[similarity == 1]]).tolist() == [1, 3, 16]


def test_quotas_agree_with_water_poured_drop_by_drop():
    rng = np.random.default_rng(6)
    for _ in range(50):
        capacity = rng.integers(0, 30, rng.integers(1, 12))
        count = int(rng.integers(0, capacity.sum() + 1))
        quota = _quotas(capacity, count, rng)
        slow = np.zeros_like(capacity)
        for _ in range(count):
            slow[np.argmin(np.where(slow < capacity, slow, 99))] += 1
        assert quota.sum() == count
        assert np.all(quota <= capacity)
        assert sorted(quota.tolist()) == sorted(slow.tolist())


def test_the_remainder_goes_to_other_groups_with_another_seed():
    quotas = [_quotas(np.full(6, 9), 20, np.random.default_rng(seed)).tolist() for seed in range(30)]
    assert {tuple(sorted(quota)) for quota in quotas} == {(3, 3, 3, 3, 4, 4)}
    assert np.all(np.max(quotas, axis=0) == 4)


@pytest.mark.parametrize("size", range(2, 12))
def test_every_number_decodes_to_a_pair_of_its_own(size):
    first, second = _decode_triangle(np.arange(size * (size - 1) // 2), size)
    assert as_set(first, second) == {frozenset(pair) for pair in combinations(range(size), 2)}


def test_decoding_is_exact_for_the_largest_numbers():
    size = 2**31 - 1
    first, second = _decode_triangle(np.array([size * (size - 1) // 2 - 1]), size)
    assert (first[0], second[0]) == (size - 1, (size - 1 + (size - 1) // 2) % size)


def test_every_pair_is_equally_likely():
    # Two classes of four: each draw takes one of 6 pairs from each class and two of the 16 dissimilar pairs.
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    seen: Counter = Counter()
    for seed in range(1600):
        img1, img2, _ = make_pairs(labels, 4, seed)
        seen.update(as_set(img1, img2))
    assert len(seen) == 6 + 6 + 16
    for pair, times in seen.items():
        expected = 1600 * (1 / 6 if labels[min(pair)] == labels[max(pair)] else 2 / 16)
        assert abs(times - expected) < 5 * expected**0.5


def test_rows_and_sides_are_in_random_order():
    img1, img2, similarity = make_pairs(np.repeat(np.arange(5), 50), 2000, seed=7)
    for half in (slice(0, 1000), slice(1000, 2000)):
        assert 0.45 < similarity[half].mean() < 0.55
    for kind in (0, 1):
        assert 0.45 < (img1 < img2)[similarity == kind].mean() < 0.55


def test_the_seed_decides():
    labels = np.repeat(np.arange(5), 20)
    same, again, other = (np.stack(make_pairs(labels, 200, seed)) for seed in (1, np.random.SeedSequence(1), 2))
    assert np.array_equal(same, again)
    assert not np.array_equal(same, other)


def test_thousands_of_classes():
    sizes = np.random.default_rng(8).integers(1, 4, 20_000)
    labels = np.repeat(np.arange(20_000), sizes)  # 200 million pairs of classes
    img1, img2, similarity = make_pairs(labels, 6000, seed=8)
    assert len(as_set(img1, img2)) == 6000
    assert np.array_equal(labels[img1] == labels[img2], similarity == 1)
    assert len(as_set(labels[img1[similarity == 0]], labels[img2[similarity == 0]])) == 3000
    assert len(np.unique(labels[img1[similarity == 1]])) == 3000


@pytest.mark.parametrize("count", [1, 0, -4])
def test_fewer_than_two_pairs_are_refused(count):
    with pytest.raises(DatasetError, match=f"^the number of pairs.* must be from 2 to 5; got {count} for"):
        make_pairs(np.array([0, 0, 1, 1]), count, seed=0)


@pytest.mark.parametrize("labels", [[3, 3, 3], [0, 1, 2], []])
def test_labels_without_both_kinds_of_pair_are_refused(labels):
    with pytest.raises(DatasetError, match="must form similar and dissimilar pairs"):
        make_pairs(np.array(labels, np.int64), 2, seed=0)


def test_the_rest_by_hand():
    # Two images of class 1, three of the rest (0): 1 similar pair, 2 * 3 dissimilar pairs, none within the rest.
    labels = np.array([0, 1, 0, 1, 0])
    assert existing_pairs(labels, rest=0) == (1, 6)
    img1, img2, similarity = make_pairs(labels, 3, seed=0, rest=0)
    assert as_set(img1[similarity == 1], img2[similarity == 1]) == {frozenset((1, 3))}
    assert np.array_equal(labels[img1[similarity == 0]] + labels[img2[similarity == 0]], [1, 1])
    with pytest.raises(DatasetError, match="from 2 to 3; got 4 for 5 images with 1 similar and 6 dissimilar pairs"):
        make_pairs(labels, 4, seed=0, rest=0)


@pytest.mark.parametrize("rest", [0, 2, 4])
def test_the_rest_is_similar_to_nothing_and_pairs_with_every_class(rest):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(5), [30, 20, 60, 20, 90]))
    img1, img2, similarity = make_pairs(labels, 600, seed=1, rest=rest)
    assert similarity.sum() == 300
    assert np.array_equal(labels[img1] == labels[img2], similarity == 1)
    similar = Counter(labels[img1[similarity == 1]].tolist())
    assert similar == {one: 75 for one in range(5) if one != rest}
    both = np.sort(np.stack([labels[img1], labels[img2]], axis=1)[similarity == 0], axis=1)
    assert set(Counter(map(tuple, both.tolist())).values()) == {30}  # 300 over 10 pairs of classes


def test_a_rest_that_does_not_occur_changes_nothing():
    labels = np.repeat(np.arange(5), 20)
    for with_it, without in zip(make_pairs(labels, 201, 3, rest=7), make_pairs(labels, 201, 3), strict=True):
        assert np.array_equal(with_it, without)


def test_labels_of_the_rest_alone_are_refused():
    with pytest.raises(DatasetError, match="must form similar and dissimilar pairs; got .* 0 similar and 0 dissimilar"):
        make_pairs(np.zeros(5, np.int64), 2, seed=0, rest=0)


def grouped(sizes: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Returns shuffled labels and groups; group g has one class for each number of images in `sizes[g]`."""
    flat = [size for group in sizes for size in group]
    labels = np.random.default_rng(3).permutation(np.repeat(np.arange(len(flat)), flat))
    return labels, np.repeat(np.arange(len(sizes)), [len(group) for group in sizes])[labels]


def check_pairs(labels, groups, count, seed=1):
    """Draws pairs, checks them, and returns the class and the group of the dissimilar ones: (m, 2) and (m,)."""
    img1, img2, similarity = make_pairs(labels, count, seed, groups=groups)
    assert len(img1) == count
    assert similarity.sum() == count // 2
    np.testing.assert_array_equal(labels[img1] == labels[img2], similarity)
    assert (img1 != img2).all()
    assert len({frozenset(pair) for pair in zip(img1.tolist(), img2.tolist(), strict=True)}) == count
    np.testing.assert_array_equal(groups[img1], groups[img2])
    different = similarity == 0
    return np.sort(np.stack([labels[img1], labels[img2]], axis=1)[different], axis=1), groups[img1][different]


def test_dissimilar_pairs_within_groups_are_balanced_over_groups_then_pairs_of_classes():
    labels, groups = grouped([[9] * 3, [9] * 6, [9] * 4])
    classes, of_group = check_pairs(labels, groups, 181)
    assert sorted(np.bincount(of_group)) == [30, 30, 31]
    for group, existing in ((0, 3), (1, 15), (2, 6)):
        counts = np.unique(classes[of_group == group], axis=0, return_counts=True)[1]
        assert len(counts) == existing
        assert counts.max() - counts.min() <= 1


def test_full_groups_leave_their_share_to_the_others():
    labels, groups = grouped([[2, 1], [6, 6], [4], [5, 7]])
    classes, of_group = check_pairs(labels, groups, 62)  # 31 of 2 + 36 + 0 + 35 dissimilar pairs
    assert np.bincount(of_group, minlength=4)[[0, 2]].tolist() == [2, 0]
    assert sorted(np.bincount(of_group)[[1, 3]]) == [14, 15]


@pytest.mark.parametrize("sizes", [[[3, 2], [2, 2, 1]], [[1, 1, 1], [4, 2]], [[2, 9]]])
def test_all_pairs_within_groups_can_be_drawn_and_no_more(sizes):
    labels, groups = grouped(sizes)
    pairs = [(a, b) for a in range(len(labels)) for b in range(a)]
    similar = sum(labels[a] == labels[b] for a, b in pairs)
    dissimilar = sum(labels[a] != labels[b] and groups[a] == groups[b] for a, b in pairs)
    assert existing_pairs(labels, groups=groups) == (similar, dissimilar)
    most = min(2 * similar + 1, 2 * dissimilar)
    check_pairs(labels, groups, most)
    with pytest.raises(DatasetError, match=f"from 2 to {most}; got {most + 1} for .* dissimilar pairs within groups"):
        make_pairs(labels, most + 1, 0, groups=groups)


def test_groups_without_two_classes_are_refused():
    with pytest.raises(
        DatasetError, match="0 dissimilar pairs within groups. Use at least two classes of a group, one"
    ):
        make_pairs(np.array([0, 0, 1, 1]), 2, 0, groups=np.array([0, 0, 1, 1]))
    with pytest.raises(DatasetError, match="every class must be in one group; got the class 1 in two groups"):
        make_pairs(np.array([0, 0, 1, 1]), 2, 0, groups=np.array([0, 0, 0, 1]))


def test_one_group_of_all_classes_has_the_same_similar_pairs():
    labels, groups = grouped([[5, 6, 7]])
    with_it, without = (make_pairs(labels, 40, 3, groups=given) for given in (groups, None))
    similar = [as_set(*(side[drawn[2] == 1] for side in drawn[:2])) for drawn in (with_it, without)]
    assert similar[0] == similar[1]
    assert len(similar[0]) == 20


def test_thousands_of_classes_in_groups():
    labels = np.arange(12_000) // 2
    classes, of_group = check_pairs(labels, labels // 600, 4000)
    assert np.bincount(of_group).tolist() == [200] * 10
    assert len(np.unique(classes, axis=0)) == 2000
