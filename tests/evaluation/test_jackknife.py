"""Jackknife intervals: by hand, against a slow reference and SciPy, then the edge cases."""

import numpy as np
import pytest
from scipy import stats

from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.intervals import cluster_intervals
from siamese_tf.evaluation.jackknife import (
    binomial_interval,
    count_distinct_pairs,
    effective_size,
    jackknife_intervals,
    upper_limit,
)
from siamese_tf.evaluation.roc import auc


def test_the_effective_size_by_hand():
    # One pair each of five people, two of them wrong: the rate is 0.4, without a wrong one 1/4, without a right one
    # 2/4.
    # The squares of the deviations, -0.15 and 0.1, add up to 0.075, the variance is 4/5 of that: 0.06 = 0.4 * 0.6 / 4.
    # So these are 4 independent pairs, or with Student's t of 4 degrees of freedom, 2.7764, instead of z, 1.96: 1.9934.
    size = effective_size(0.4, np.array([0.25, 0.25, 0.5, 0.5, 0.5]))
    assert size == pytest.approx(4 * (1.959964 / 2.776445) ** 2, rel=1e-5)
    assert size == pytest.approx(1.9934, abs=1e-4)


def test_with_many_people_the_size_is_that_of_independent_pairs():
    wrong = np.arange(2000) % 5 == 0
    left_out = (wrong.sum() - wrong) / 1999
    assert effective_size(0.2, left_out) == pytest.approx(1999, rel=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_a_few_people_who_make_up_the_spread_count_for_what_they_are(seed):
    rng = np.random.default_rng(seed)
    left_out = 0.3 + 0.01 * rng.standard_t(2, 20)
    kurtosis = 3 + stats.kurtosis(left_out)
    degrees = min(19, 2 * 20 / (kurtosis - 1))
    variance = 19 * np.var(left_out)
    expected = 0.21 / variance * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, degrees)) ** 2
    assert effective_size(0.3, left_out) == pytest.approx(expected)


def test_one_person_who_is_wrong_alone_is_one_and_a_bit():
    """Twenty people of whom one makes all mistakes: less than three degrees of freedom are left."""
    left_out = np.array([0.0, *[0.05 * 20 / 19] * 19])
    independent = 0.05 * 0.95 / (19 * np.var(left_out))
    assert effective_size(0.05, left_out) < independent * (1.96 / stats.t.ppf(0.975, 3)) ** 2


@pytest.mark.parametrize(
    "left_out",
    [
        [0.3, 0.3, 0.3, 0.3, 0.2, 0.4],  # two of six have a pair that counts
        [0.2, 0.4, 0.1, 0.5],  # four people
        [0.2, 0.4, 0.1, 0.5, np.nan],  # none is left without the last
    ],
)
def test_of_too_few_people_nothing_is_known(left_out):
    assert effective_size(0.3, np.array(left_out)) == 0
    assert binomial_interval(0.3, 0) == (0, 1)


@pytest.mark.parametrize(("wrong", "pairs"), [(0, 10), (1, 10), (7, 30), (10, 10), (1, 1)])
def test_the_interval_of_whole_pairs_is_clopper_and_pearsons(wrong, pairs):
    exact = stats.binomtest(wrong, pairs).proportion_ci(0.95, "exact")
    assert binomial_interval(wrong / pairs, pairs) == pytest.approx((exact.low, exact.high))


def test_the_upper_limit_of_no_mistake_is_the_rule_of_three():
    assert float(upper_limit(0.0, 300, 0.05)) == pytest.approx(1 - 0.05 ** (1 / 300))
    np.testing.assert_allclose(upper_limit(np.array([0.0, 1.0]), 300, 0.05), [0.00994, 1], atol=1e-5)


def test_count_distinct_pairs_by_hand():
    assert count_distinct_pairs(np.array([3, 8, 8, 3, 9]), np.array([8, 3, 3, 3, 2**40])) == 3


def drawn(people=12, each=4, seed=0):
    """All pairs of some people, whose pictures are more or less alike: person1, person2, same, scores."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), each)
    first, second = (labels[side] for side in np.triu_indices(labels.size, 1))
    effects = rng.normal(0, 0.5, people)
    scores = np.where(first == second, 2.5, effects[first] + effects[second]) + rng.normal(size=first.size)
    return first, second, first == second, scores


def statistics(same, scores):
    """AUC and error rates at 1.25 by the slow way: pairs of weight 0 are taken out."""

    def rates(weights):
        labels, values = same[weights > 0], scores[weights > 0]
        counts = metrics.confusion(labels, values, 1.25)
        fmr, fnmr = counts["fp"] / (~labels).sum(), counts["fn"] / labels.sum()
        return {"auc": auc(labels, values), "fmr": fmr, "fnmr": fnmr}

    return rates


def test_agrees_with_a_slow_reference():
    first, second, same, scores = drawn()
    rates = statistics(same, scores)
    ends = jackknife_intervals(first, second, same, rates, of_same=["fnmr"])
    whole = rates(np.ones(same.size))
    for name, most in (("auc", 66), ("fmr", 66), ("fnmr", 72)):
        left_out = []
        for person in range(12):
            rows = [row for row in range(same.size) if person not in (first[row], second[row])]
            left_out.append(statistics(same[rows], scores[rows])(np.ones(len(rows)))[name])
        size = min(most, effective_size(whole[name], np.array(left_out)))
        assert ends[name] == binomial_interval(whole[name], size)
        assert ends[name][0] < whole[name] < ends[name][1]


@pytest.mark.parametrize("people", [5, 8, 20])
def test_a_perfect_rate_leaves_room_for_what_so_many_people_do_not_show(people):
    first, second, same, _ = drawn(people)
    ends = jackknife_intervals(first, second, same, statistics(same, same * 2.0), of_same=["fnmr"])
    pairs = people * (people - 1) // 2
    assert ends["fnmr"] == (0, pytest.approx(1 - 0.025 ** (1 / people)))
    assert ends["fmr"] == (0, pytest.approx(1 - 0.025 ** (1 / pairs)))
    assert ends["auc"] == (pytest.approx(0.025 ** (1 / pairs)), 1)


def test_fewer_than_five_people_are_refused():
    first, second, same, scores = drawn(4)
    ends = jackknife_intervals(first, second, same, statistics(same, scores))
    assert ends == dict.fromkeys(("auc", "fmr", "fnmr"), (0, 1))


def test_who_is_called_what_in_which_order_and_on_which_side_changes_nothing():
    first, second, same, scores = drawn()
    expected = cluster_intervals(first, second, same, statistics(same, scores), of_same=["fnmr"])
    order = np.random.default_rng(1).permutation(same.size)
    other = statistics(same[order], scores[order])
    again = cluster_intervals(7 * second[order] - 5, 7 * first[order] - 5, same[order], other, of_same=["fnmr"], seed=1)
    assert again == {name: pytest.approx(ends) for name, ends in expected.items()}
