"""Folds over people and over listed pairs: computed by hand, nobody in two splits, then the errors."""

from itertools import combinations

import numpy as np
import pytest

from siamese_tf.data.sampling.folds import Fold, check_people_apart, pair_folds, people_folds, people_in_several_folds
from siamese_tf.errors import ConfigError, DatasetError, PairFileError

FORTY = np.repeat(np.arange(40), 10)  # like the AT&T faces


def test_of_forty_people_eight_folds_have_thirty_to_train_five_to_validate_and_five_to_test():
    folds = people_folds(FORTY, 8)
    assert len(folds) == 8
    for fold in folds:
        assert [len(np.unique(FORTY[part])) for part in fold] == [30, 5, 5]
        assert [len(part) for part in fold] == [300, 50, 50]


@pytest.mark.parametrize(("people", "folds"), [(40, 8), (41, 8), (7, 3), (6, 3), (23, 10)])
@pytest.mark.parametrize("seed", range(5))
def test_nobody_is_on_two_sides_and_everybody_is_tested_once(people, folds, seed):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(rng.choice(1000, people, replace=False), rng.integers(1, 6, people)))
    made = people_folds(labels, folds, seed)
    for fold in made:
        for one, two in combinations(fold, 2):
            assert set(labels[one]).isdisjoint(labels[two])
        assert sorted(np.concatenate(fold).tolist()) == list(range(len(labels)))
        assert all(len(np.unique(labels[part])) >= 2 for part in fold)
    assert sorted(np.concatenate([fold.test for fold in made]).tolist()) == list(range(len(labels)))
    assert sorted(np.concatenate([fold.validation for fold in made]).tolist()) == list(range(len(labels)))


@pytest.mark.parametrize("seed", range(4))
def test_groups_have_about_as_many_images_and_somebody_with_two(seed):
    """Without balancing, a group could have only people with one picture, or the majority of the pictures."""
    pictures = [40, 40, 40, 2, 2, 2, 1, 1, 1, 1, 1, 1]
    labels = np.repeat(np.arange(12), pictures)
    for fold in people_folds(labels, 3, seed):
        assert all(43 <= len(part) <= 45 for part in fold)
        assert all(np.bincount(labels[part]).max() > 1 for part in fold)
        assert [len(np.unique(labels[part])) for part in fold] == [4, 4, 4]


def test_people_with_as_many_images_are_dealt_as_in_earlier_releases():
    people = np.random.default_rng(5).permutation(40)
    for fold, group in zip(people_folds(FORTY, 8, 5), np.array_split(people, 8), strict=True):
        assert sorted(group) == np.unique(FORTY[fold.test]).tolist()


def test_positions_are_sorted_int64_and_the_seed_decides():
    first, again, other = (people_folds(FORTY, 8, seed) for seed in (1, 1, 2))
    for part, same in zip(first[0], again[0], strict=True):
        assert part.dtype == np.int64
        assert np.all(np.diff(part) > 0)
        np.testing.assert_array_equal(part, same)
    assert first[0].test.tolist() != other[0].test.tolist()


def test_the_global_generator_is_left_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    people_folds(FORTY, 8)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_a_fold_with_someone_in_two_parts_is_refused():
    labels = np.array([3, 3, 5, 5, 8, 8])
    parts = [np.array(rows) for rows in ([0, 1], [2, 3], [4, 5])]
    check_people_apart(labels, Fold(*parts))
    with pytest.raises(DatasetError, match="got 1 people in both train and test, for example label 3"):
        check_people_apart(labels, Fold(parts[0], parts[1], np.array([1, 4])))
    with pytest.raises(DatasetError, match="in both validation and test"):
        check_people_apart(labels, Fold(parts[0], np.array([2]), np.array([3])))


@pytest.mark.parametrize("folds", [2, 0, -1, True, 3.0])
def test_fewer_than_three_folds_are_refused(folds):
    with pytest.raises(ConfigError, match="folds must be a whole number of 3 or more; got "):
        people_folds(FORTY, folds)


def test_too_few_people_are_refused():
    with pytest.raises(DatasetError, match="21 folds .*; got 40 people. Use fewer folds, at least 3, or add people"):
        people_folds(FORTY, 21)
    with pytest.raises(DatasetError, match="3 folds must have .*; got 5 people.* add people"):
        people_folds(np.arange(5), 3)


@pytest.mark.parametrize("labels", [[[1, 2]], [0.5, 1.0], ["a", "b"]])
def test_labels_must_be_whole_numbers(labels):
    with pytest.raises(DatasetError, match=r"must be \(n,\) integers"):
        people_folds(labels, 3)


def test_each_listed_pair_is_held_out_once_and_the_rest_are_the_others():
    fold = np.array([4, 4, 1, 9, 1])
    folds = pair_folds(fold)
    assert [(others.tolist(), held_out.tolist()) for others, held_out in folds] == [
        ([0, 1, 3], [2, 4]),
        ([2, 3, 4], [0, 1]),
        ([0, 1, 2, 4], [3]),
    ]


def test_ten_folds_as_lfw_has_them():
    folds = pair_folds(np.repeat(np.arange(10), 600))
    assert [(len(others), len(held_out)) for others, held_out in folds] == [(5400, 600)] * 10


@pytest.mark.parametrize(
    ("fold", "message"), [([3, 3], "at least two folds, .*; got 1"), ([0.5, 1], "float64"), ([[1], [2]], r"\(2, 1\)")]
)
def test_what_is_no_list_of_folds_is_refused(fold, message):
    with pytest.raises(PairFileError, match=message):
        pair_folds(fold)


def test_people_in_several_folds_by_hand():
    # Person 7 is in both folds, once as the first and once as the second image; 5 and 6 are in one fold each.
    assert people_in_several_folds([0, 0, 1], [5, 7, 6], [5, 5, 7]) == 1
    assert people_in_several_folds([0, 0, 1], [5, 7, 6], [5, 5, 6]) == 0
