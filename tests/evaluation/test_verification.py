"""The verification report: by hand, against the metrics, intervals over people, then the errors."""

import json

import numpy as np
import pytest
from scored_cases import all_pairs

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.pair_rates import RATES
from siamese_tf.evaluation.roc import auc, eer, tar_at_fmr
from siamese_tf.evaluation.verification import mean_and_error, verification_report


def test_report_by_hand():
    # Same pairs 0.9, 0.8 and 0.2, different ones 0.7, 0.1 and 0.0; from 0.5 on, one mistake of either kind.
    report = verification_report(
        [1, 1, 1, 0, 0, 0], [0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2], [0.9, 0.8, 0.2, 0.7, 0.1, 0], 0.5
    )
    intervals = report.pop("ci95")
    assert report == {
        "pairs": 6,
        "people": 3,
        "threshold": 0.5,
        "accuracy": pytest.approx(2 / 3),
        "f1": pytest.approx(2 / 3),
        "fmr": pytest.approx(1 / 3),
        "fnmr": pytest.approx(1 / 3),
        "eer": pytest.approx(1 / 3),
        "auc": pytest.approx(8 / 9),
        "fnmr_at_fmr": {"0.1": None, "0.01": None, "0.001": None},
        "confusion": {"tp": 2, "fp": 1, "tn": 2, "fn": 1},
        "ci95_over": "people",
        "ci95_count": 3,
        "ci95_pairs": 3,
    }
    assert all(intervals[name] == [0, 1] for name in RATES)  # of three people nothing is known
    assert list(intervals) == [*RATES, "fnmr_at_fmr"]
    assert intervals["fnmr_at_fmr"] == {"0.1": None, "0.01": None, "0.001": None}


@pytest.mark.parametrize("seed", range(5))
def test_every_number_is_that_of_the_metrics(seed):
    similarity, person1, person2, scores = all_pairs(seed, people=18)
    report = verification_report(similarity, person1, person2, scores, 0.47, replicates=100)
    counts = metrics.confusion(similarity, scores, 0.47)
    assert report["confusion"] == counts
    assert (report["accuracy"], report["f1"]) == (metrics.accuracy(counts), metrics.f1(counts))
    assert report["fnmr"] == pytest.approx(1 - metrics.recall(counts))
    assert report["fmr"] == counts["fp"] / (counts["fp"] + counts["tn"])
    assert (report["eer"], report["auc"]) == (eer(similarity, scores), auc(similarity, scores))
    for fmr, fnmr in report["fnmr_at_fmr"].items():
        tar = tar_at_fmr(similarity, scores, float(fmr))
        assert fnmr == (None if tar is None else pytest.approx(1 - tar))
    assert [fnmr is None for fnmr in report["fnmr_at_fmr"].values()] == [False, False, True]  # 2,448 different pairs
    assert json.loads(json.dumps(report)) == report


def test_intervals_hold_the_numbers_and_narrow_with_more_people():
    few, many = (verification_report(*all_pairs(1, people), 0.5, replicates=200) for people in (10, 40))
    for report in (few, many):
        for name in RATES:
            low, high = report["ci95"][name]
            assert 0 <= low <= report[name] <= high <= 1
        low, high = report["ci95"]["fnmr_at_fmr"]["0.1"]
        assert low <= report["fnmr_at_fmr"]["0.1"] <= high
    widths = [np.subtract(*report["ci95"]["fnmr"][::-1]) for report in (few, many)]
    assert widths[1] < 0.8 * widths[0]


def test_who_is_on_a_pair_matters_to_the_intervals_and_to_nothing_else():
    similarity, person1, person2, scores = all_pairs()
    strangers = np.arange(similarity.size)
    shared = verification_report(similarity, person1, person2, scores, 0.5)
    apart = verification_report(similarity, strangers, np.where(similarity, strangers, -1 - strangers), scores, 0.5)
    assert shared.pop("ci95") != apart.pop("ci95")
    many = similarity.size + int((similarity == 0).sum())
    assert (shared.pop("people"), apart.pop("people")) == (12, many)
    assert (shared.pop("ci95_count"), apart.pop("ci95_count")) == (12, many)
    assert (shared.pop("ci95_pairs"), apart.pop("ci95_pairs")) == (66, int((similarity == 0).sum()))
    assert shared == apart


def test_intervals_can_be_over_images():
    similarity, person1, person2, scores = all_pairs()
    images = np.triu_indices(48, 1)
    people = verification_report(similarity, person1, person2, scores, 0.5)
    report = verification_report(similarity, person1, person2, scores, 0.5, images=images)
    assert (report["people"], report["ci95_over"], report["ci95_count"]) == (12, "images", 48)
    assert report["ci95_pairs"] == int((similarity == 0).sum())
    assert report["ci95"] == verification_report(similarity, *images, scores, 0.5)["ci95"]
    assert (report["accuracy"], report["auc"]) == (people["accuracy"], people["auc"])


def test_an_fnmr_whose_fmr_is_less_than_a_share_of_a_pair_of_people_has_no_interval():
    ends = {n: verification_report(*all_pairs(0, n, 60 // n), 0.5)["ci95"]["fnmr_at_fmr"] for n in (6, 12)}
    assert ends[6]["0.01"] is None
    assert ends[6]["0.1"] is not None  # 15 pairs of people
    assert ends[12]["0.01"] is not None  # 66


def test_order_and_sides_of_the_pairs_change_nothing():
    similarity, person1, person2, scores = all_pairs()
    order = np.random.default_rng(1).permutation(similarity.size)
    report = verification_report(similarity, person1, person2, scores, 0.5)
    assert report == verification_report(similarity[order], person2[order], person1[order], scores[order], 0.5)


def test_each_pair_can_have_its_own_threshold():
    similarity, person1, person2, scores = all_pairs()
    thresholds = np.where(np.arange(similarity.size) % 2, 0.3, 0.6)
    report = verification_report(similarity, person1, person2, scores, thresholds, replicates=100)
    called_same = scores >= thresholds
    assert report["confusion"]["tp"] == int((called_same & (similarity == 1)).sum())
    assert report["confusion"]["fp"] == int((called_same & (similarity == 0)).sum())
    assert report["threshold"] == pytest.approx(thresholds.mean())


def test_a_score_that_equals_the_threshold_is_called_same():
    report = verification_report([1, 0], [0, 0], [0, 1], [0.1 + 0.2, 0.1], 0.1 + 0.2)
    assert report["confusion"] == {"tp": 1, "fp": 0, "tn": 1, "fn": 0}
    assert report["ci95"]["fmr"] == [0, 1]  # two people: nothing can be said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"similarity": [1, 1]}, "2 same and 0 different"),
        ({"person1": [0]}, r"person1, person2 and similarity .*; got \(1,\), \(2,\) and \(2,\)"),
        ({"person2": [0.5, 1.0]}, "integers"),
        ({"threshold": np.nan}, "one finite number"),
        ({"threshold": [0.5] * 3}, r"one per pair \(2,\); got shape \(3,\)"),
        ({"scores": [np.nan, 0.1]}, "1 of 2 that are NaN"),
    ],
)
def test_what_is_no_verification_is_refused(change, message):
    given = {"similarity": [1, 0], "person1": [0, 0], "person2": [0, 1], "scores": [0.9, 0.1], "threshold": 0.5}
    with pytest.raises(SiameseError, match=message):
        verification_report(**{**given, **change})


def test_standard_error_is_that_of_the_sample():
    assert mean_and_error([0.9, 0.94, 0.98]) == {
        "mean": pytest.approx(0.94),
        "standard_error": pytest.approx(0.04 / 3**0.5),
    }
