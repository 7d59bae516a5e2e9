"""Comparison over seeds: by hand, against SciPy's tests, and the rate at which seed noise is called a difference."""

import json
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.comparison import (
    compare_records,
    comparison_lines,
    comparison_sentences,
    holm,
    mean_interval,
    paired_differences,
)

MANY = 10**9  # pairs, so that their steps do not matter


def record(accuracy, validation=0.9, auc=0.95, eer=0.05, seconds=10.0):
    return {
        "pairs": {"train": 700, "validation": 300, "test": 500},
        "training": {"epochs": 2, "seconds": seconds},
        "accuracy": {"train": 1.0, "validation": validation, "test": accuracy},
        "metrics": {"test": {"auc": auc, "eer": eer}},
    }


def test_the_interval_of_two_seeds_by_hand():
    # Mean 0.91; s = 0.0141421, over the root of 2 that is 0.01; Student's t of one degree of freedom is 12.7062.
    np.testing.assert_allclose(mean_interval([0.90, 0.92], MANY), [0.91 - 0.127062, 0.91 + 0.127062], atol=1e-6)
    assert mean_interval([0.90], MANY) is None


def test_a_paired_difference_by_hand():
    # Differences 0.01, 0.02, 0.03: mean 0.02, s = 0.01, t = 0.02 / (0.01 / sqrt 3) = sqrt 12. With two degrees of
    # freedom p = 1 - t / sqrt(t^2 + 2) = 1 - sqrt(12 / 14) = 0.074180, and t of the interval is 4.302653.
    (row,) = paired_differences({"mse": [0.90, 0.90, 0.90], "bce": [0.91, 0.92, 0.93]}, MANY)
    assert (row["above"], row["below"], row["told_apart"]) == ("bce", "mse", False)
    assert row["difference"] == pytest.approx(0.02)
    assert row["p"] == pytest.approx(0.074180, abs=1e-6)
    reach = 4.302653 * 0.01 / np.sqrt(3)
    np.testing.assert_allclose(row["ci95"], [0.02 - reach, 0.02 + reach], atol=1e-6)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])  # 3 x 0.01; 2 x 0.03; 1 x 0.04, not below
    assert holm([0.5, 0.9, 0.001]) == pytest.approx([1.0, 1.0, 0.003])
    assert holm([]) == []


def holm_slowly(p_values, level):
    """The procedure as it is told: while the smallest p is small enough for all that remain, it is set aside."""
    remaining, rejected = dict(enumerate(p_values)), set()
    while remaining:
        place = min(remaining, key=remaining.get)
        if remaining.pop(place) > level / (len(remaining) + 1):
            break
        rejected.add(place)
    return rejected


def test_holm_against_the_procedure():
    rng = np.random.default_rng(0)
    for p_values in rng.random((200, 6)) ** 4:
        corrected = holm(p_values)
        for level in (0.01, 0.05, 0.3):
            assert {place for place, p in enumerate(corrected) if p <= level} == holm_slowly(p_values, level)


def test_differences_against_scipy():
    rng = np.random.default_rng(1)
    accuracies = {name: (0.9 + 0.01 * place + 0.02 * rng.random(5)).tolist() for place, name in enumerate("abcd")}
    rows = paired_differences(accuracies, MANY)
    tests = {pair: stats.ttest_rel(*(accuracies[name] for name in pair)) for pair in combinations("dcba", 2)}
    assert [(row["above"], row["below"]) for row in rows] == list(tests)
    np.testing.assert_allclose([row["p"] for row in rows], holm([test.pvalue for test in tests.values()]))
    for row, test in zip(rows, tests.values(), strict=True):
        np.testing.assert_allclose(row["ci95"], test.confidence_interval(0.95))
        assert row["told_apart"] == (row["p"] < 0.05)
    assert 0 < sum(row["told_apart"] for row in rows) < 6


def test_luck_is_seldom_taken_for_a_difference():
    """Four objectives that are the same, five seeds, 50,000 pairs: in one comparison of twenty something may differ."""
    rng = np.random.default_rng(2)
    draws = rng.binomial(50_000, 0.994, (600, 4, 5)) / 50_000
    alarms = [
        any(row["told_apart"] for row in paired_differences(dict(zip("abcd", draw.tolist(), strict=True)), 50_000))
        for draw in draws
    ]
    assert 0.01 < np.mean(alarms) < 0.06


def test_a_spread_below_one_pair_is_taken_for_one_pair():
    same = paired_differences({"bce": [0.9] * 3, "mse": [0.9] * 3}, 200)[0]
    assert (same["difference"], same["p"], same["told_apart"]) == (0.0, 1.0, False)
    np.testing.assert_allclose(same["ci95"], np.array([-1, 1]) * 4.302653 / 200 / np.sqrt(3), atol=1e-6)
    alike = paired_differences({"bce": [0.91, 0.92], "mse": [0.90, 0.91]}, 200)[0]  # two pairs more, both times
    assert not alike["told_apart"]
    collapsed = paired_differences({"bce": [1.0] * 5, "mse": [0.5] * 5}, 200)[0]
    assert collapsed["told_apart"]


@pytest.mark.parametrize("accuracies", [{}, {"bce": []}, {"bce": [0.9, 0.9], "mse": [0.9]}])
def test_every_objective_needs_as_many_runs(accuracies):
    with pytest.raises(SiameseError, match=r"same number of runs.*got "):
        paired_differences(accuracies, 100)


def test_compare_records_takes_every_number_of_every_seed():
    comparison = compare_records(
        {"bce": [record(0.97, 0.95), record(0.98, 0.96)], "mse": [record(0.90, auc=0.8), record(0.95, auc=0.9)]}
    )
    bce, mse = comparison["objectives"]["bce"], comparison["objectives"]["mse"]
    accuracy = bce["test_accuracy"]
    assert (accuracy["values"], accuracy["mean"]) == ([0.97, 0.98], pytest.approx(0.975))
    low, high = mean_interval([0.97, 0.98], 500)
    assert high > 1
    assert accuracy["ci95"] == [low, 1.0]  # no accuracy lies beyond
    assert bce["validation_accuracy"] == {"values": [0.95, 0.96], "mean": pytest.approx(0.955)}
    assert mse["auc"] == {"values": [0.8, 0.9], "mean": pytest.approx(0.85)}
    assert mse["eer"]["values"] == [0.05, 0.05]
    assert mse["seconds"]["mean"] == 10.0
    assert comparison["differences"] == paired_differences({"bce": [0.97, 0.98], "mse": [0.90, 0.95]}, 500)
    assert json.loads(json.dumps(comparison)) == comparison


def test_the_lines_separate_differences_from_noise():
    accuracies = {"bce": [0.970, 0.972, 0.974], "mse": [0.950, 0.953, 0.953], "triplet": [0.966, 0.980, 0.967]}
    records = {name: [record(one) for one in some] for name, some in accuracies.items()}
    lines = comparison_lines(compare_records(records))
    assert lines == [
        "objective  test accuracy              validation  AUC     EER     seconds",
        "bce        0.9720 (0.9670 to 0.9770)  0.9000      0.9500  0.0500  10",
        "mse        0.9520 (0.9470 to 0.9570)  0.9000      0.9500  0.0500  10",
        "triplet    0.9710 (0.9516 to 0.9904)  0.9000      0.9500  0.0500  10",
        "",
        "bce and triplet do not differ significantly: bce is above by 0.00100 (-0.01872 to 0.02072), p = 0.848.",
        "bce is above mse by 0.02000 (0.01503 to 0.02497), p = 0.010: more than seed noise.",
        "triplet and mse do not differ significantly: triplet is above by 0.01900 (0.00161 to 0.03639), p = 0.085.",
        "Means over 3 seeds, all with the same test pairs; in brackets, 95% intervals (Student's t) of"
        " the mean over all seeds.",
        "p: paired t-test, corrected for 3 comparisons (Holm); the intervals are not.",
        "The uncertainty over test images is larger: see test_ci95 in the record of each run.",
    ]


def test_a_very_small_p_is_not_called_zero():
    comparison = compare_records({"bce": [record(0.97)] * 5, "mse": [record(0.5)] * 5})
    assert "p < 0.001" in comparison_sentences(comparison)[0]


def test_one_seed_tells_nothing():
    comparison = compare_records({"bce": [record(0.97)], "mse": [record(0.5)]})
    assert comparison["objectives"]["bce"]["test_accuracy"]["ci95"] is None
    (row,) = comparison["differences"]
    assert (row["above"], row["ci95"], row["p"], row["told_apart"]) == ("bce", None, None, False)
    lines = comparison_lines(comparison)
    assert lines[1].split() == ["bce", "0.9700", "0.9000", "0.9500", "0.0500", "10"]
    assert lines[-1] == "With one seed, the seed noise is unknown: no difference between objectives can be established."


def test_one_objective_has_an_interval_and_no_difference():
    comparison = compare_records({"bce": [record(0.97), record(0.96)]})
    assert comparison["differences"] == []
    assert not any(
        "significantly" in line or "more than seed noise" in line or line.startswith("p:")
        for line in comparison_lines(comparison)
    )
