"""The intervals over people and other clusters: a slow reference, coverage on simulated models, then the edge cases."""

from itertools import product

import numpy as np
import pytest

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.intervals import (
    MAX_JACKKNIFE_CLUSTERS,
    accuracy_of,
    bootstrap_people,
    cluster_intervals,
    wilson_interval,
)


def binomial(correct):
    half = 1.96 * np.sqrt(correct.mean() * (1 - correct.mean()) / len(correct))
    return correct.mean() - half, correct.mean() + half


def false_matches(person1, person2, wrong):
    """Statistics as `bootstrap_people` takes them: the share of wrong ones of the different, and of the same pairs."""
    different = np.asarray(person1) != np.asarray(person2)

    def rates(weights):
        shares = {}
        for name, kind in {"fmr": different, "fnmr": ~different}.items():
            total = weights[kind].sum()
            shares[name] = (weights * wrong)[kind].sum() / total if total else np.nan
        return shares

    return rates


def people_pairs(rng, people=40, each=3):
    """All pairs of `each` images of some people, a few of whom are hard to tell from others, and from themselves."""
    labels = np.repeat(np.arange(people), each)
    img1, img2 = np.triu_indices(labels.size, 1)
    hard = rng.random(people) < 0.2
    chance_wrong = 0.02 + 0.2 * (hard[labels[img1]] + 1.0 * hard[labels[img2]])
    return labels[img1], labels[img2], rng.random(img1.size) < chance_wrong


def test_three_people_by_enumeration():
    # Same pairs of A, B and C, of which A's is wrong, and one different pair of each two, of which AB is wrong.
    person1, person2 = np.array([0, 1, 2, 0, 0, 1]), np.array([0, 1, 2, 1, 2, 2])
    wrong = np.array([1, 0, 0, 1, 0, 0])
    fmrs, fnmrs = [], []
    for draw in product(range(3), repeat=3):
        a, b, c = (draw.count(person) for person in range(3))
        fnmrs.append(a / 3)  # one same pair a person: A's share of the three drawn
        if a * b + a * c + b * c:
            fmrs.append(a * b / (a * b + a * c + b * c))
    assert (len(fnmrs), len(fmrs)) == (27, 24)
    ends = bootstrap_people(person1, person2, false_matches(person1, person2, wrong), replicates=5000)
    for name, rates, most in (("fnmr", fnmrs, 1), ("fmr", fmrs, 6)):
        assert rates.count(1) == most  # of 27 or 24: more often than 2.5% of the draws
        assert ends[name] == tuple(np.percentile(rates, [2.5, 97.5], method="inverted_cdf")) == (0, 1)


def test_people_agree_with_a_slow_reference_that_copies_the_pairs_of_those_drawn():
    person1, person2, wrong = people_pairs(np.random.default_rng(1), people=12)
    rng = np.random.default_rng(2)
    rates = []
    for _ in range(600):
        drawn = rng.integers(0, 12, 12)
        copies = []
        for place, one in enumerate(drawn):
            for other in drawn[place + 1 :]:
                if one != other:  # two copies of one person are no different pair
                    both = (person1 == min(one, other)) & (person2 == max(one, other))
                    copies += wrong[both].tolist()
        rates.append(np.mean(copies))
    low, high = bootstrap_people(person1, person2, false_matches(person1, person2, wrong), replicates=4000)["fmr"]
    assert np.percentile(rates, 2.5) == pytest.approx(low, abs=0.1 * (high - low))
    assert np.percentile(rates, 97.5) == pytest.approx(high, abs=0.1 * (high - low))


def test_people_cover_the_truth_where_pairs_taken_for_independent_do_not():
    truth = 0.02 + 0.2 * 2 * 0.2
    rng = np.random.default_rng(0)
    ours = naive = 0
    for seed in range(60):
        person1, person2, wrong = people_pairs(rng)
        statistics = false_matches(person1, person2, wrong)
        low, high = bootstrap_people(person1, person2, statistics, replicates=100, seed=seed)["fmr"]
        ours += low <= truth <= high
        low, high = binomial(wrong[person1 != person2])
        naive += low <= truth <= high
    assert ours >= 51
    assert naive <= 30


def test_people_same_seed_same_intervals_whatever_they_are_called():
    person1, person2, wrong = people_pairs(np.random.default_rng(3))
    statistics = false_matches(person1, person2, wrong)
    ends = bootstrap_people(person1, person2, statistics, seed=3)
    assert ends == bootstrap_people(7 * person1 - 5, 7 * person2 - 5, statistics, seed=3)
    assert ends != bootstrap_people(person1, person2, statistics, seed=4)


def test_people_without_a_mistake_leave_room_for_one():
    # 100 people make at most 50 pairs that share nobody: rule of three, 3 / 50.
    person1, person2, wrong = people_pairs(np.random.default_rng(0), people=100, each=2)
    none, all_of_them = (
        bootstrap_people(person1, person2, false_matches(person1, person2, np.full(wrong.shape, value)), replicates=100)
        for value in (0, 1)
    )
    assert none == {"fmr": pytest.approx((0, 0.06)), "fnmr": pytest.approx((0, 0.06))}
    assert all_of_them == {"fmr": pytest.approx((0.94, 1)), "fnmr": pytest.approx((0.94, 1))}


def test_a_rate_undefined_in_every_replicate_has_the_interval_0_to_1():
    assert bootstrap_people([5, 5], [5, 5], false_matches([5, 5], [5, 5], np.array([0, 1])))["fmr"] == (0, 1)


@pytest.mark.parametrize(
    ("person1", "person2", "message"),
    [([0, 1], [1], r"person1 .*\(2,\).*\(1,\)"), ([], [], "at least one pair"), ([0.5], [1], "integers; got float64")],
)
def test_people_must_be_known_of_every_pair(person1, person2, message):
    with pytest.raises(SiameseError, match=message):
        bootstrap_people(person1, person2, lambda weights: {})
    with pytest.raises(SiameseError, match="replicates must be at least 100 .* got 99"):
        bootstrap_people([0, 1], [1, 2], lambda weights: {}, replicates=99)


def test_more_clusters_than_it_pays_to_leave_out_are_drawn():
    rng = np.random.default_rng(0)
    for clusters, drawn in ((MAX_JACKKNIFE_CLUSTERS, False), (MAX_JACKKNIFE_CLUSTERS + 1, True)):
        first = np.arange(clusters)
        second, right = np.roll(first, 1), (rng.random(clusters) < 0.9).astype(np.int64)
        rates = accuracy_of(right)
        ends = cluster_intervals(first, second, np.zeros(clusters), rates, replicates=100, seed=5)
        assert (ends == bootstrap_people(first, second, rates, replicates=100, seed=5)) == drawn
        assert ends["accuracy"][0] < right.mean() < ends["accuracy"][1]


def test_clusters_must_be_known_of_every_pair():
    with pytest.raises(SiameseError, match=r"cluster1 .*\(2,\).*\(1,\)"):
        cluster_intervals([0, 1], [1], [0, 0], lambda weights: {})
    with pytest.raises(SiameseError, match="replicates must be at least 100 .* got 99"):
        cluster_intervals([0, 1], [1, 2], [0, 0], lambda weights: {}, replicates=99)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_worked_examples_of_the_wilson_interval(successes, trials, low, high):
    """The examples of R. Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I."""
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)
    assert wilson_interval(trials - successes, trials) == pytest.approx((1 - high, 1 - low), abs=5e-5)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_numbers_of_successes_have_no_wilson_interval(successes, trials):
    with pytest.raises(SiameseError, match=f"got {successes} of {trials}"):
        wilson_interval(successes, trials)
