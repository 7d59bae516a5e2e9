"""Metrics of decisions: a case by hand, scikit-learn as the reference on tied scores, then the errors."""

import numpy as np
import pytest
from scored_cases import random_case
from sklearn import metrics as sklearn_metrics

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics

# By hand. Sorted by score:   0.9 same, 0.8 different, 0.8 same, 0.4 same, 0.1 different
#   threshold   inf   0.9   0.8   0.4   0.1
#   same, yes     0     1     2     3     3   of 3
#   diff, yes     0     0     1     1     2   of 2
SIMILARITY = np.array([0, 1, 1, 0, 1], np.uint8)
SCORES = np.array([0.1, 0.9, 0.8, 0.8, 0.4])


def test_counts_by_hand():
    counts = metrics.confusion(SIMILARITY, SCORES, 0.8)
    assert counts == {"tp": 2, "fp": 1, "tn": 1, "fn": 1}
    assert metrics.accuracy(counts) == pytest.approx(3 / 5)
    assert metrics.precision(counts) == pytest.approx(2 / 3)
    assert metrics.recall(counts) == pytest.approx(2 / 3)
    assert metrics.f1(counts) == pytest.approx(2 / 3)


def test_a_score_on_the_threshold_is_called_same():
    assert metrics.confusion([1, 0], [0.5, 0.5], 0.5) == {"tp": 1, "fp": 1, "tn": 0, "fn": 0}


def test_a_threshold_of_zero_is_a_threshold():
    assert metrics.confusion([1, 0], [0.0, 0.0], 0.0) == {"tp": 1, "fp": 1, "tn": 0, "fn": 0}


def test_ratios_are_zero_where_nothing_is_called_same():
    counts = metrics.confusion([1, 0], [0.2, 0.1], 0.9)
    assert (metrics.precision(counts), metrics.recall(counts), metrics.f1(counts)) == (0.0, 0.0, 0.0)
    assert metrics.recall(metrics.confusion([0, 0], [0.2, 0.1], 0.0)) == 0.0


@pytest.mark.parametrize("seed", range(100))
def test_agrees_with_scikit_learn_on_tied_scores(seed):
    similarity, scores = random_case(seed)

    threshold = float(np.random.default_rng(seed + 1000).choice(scores))
    called_same = (scores >= threshold).astype(int)
    counts = metrics.confusion(similarity, scores, threshold)
    (tn, fp), (fn, tp) = sklearn_metrics.confusion_matrix(similarity, called_same, labels=[0, 1])
    assert counts == {"tp": tp, "fp": fp, "tn": tn, "fn": fn}
    assert metrics.accuracy(counts) == pytest.approx(sklearn_metrics.accuracy_score(similarity, called_same), abs=1e-9)
    assert metrics.f1(counts) == pytest.approx(
        sklearn_metrics.f1_score(similarity, called_same, zero_division=0), abs=1e-9
    )
    precision = sklearn_metrics.precision_score(similarity, called_same, zero_division=0)
    assert metrics.precision(counts) == pytest.approx(precision, abs=1e-9)
    assert metrics.recall(counts) == pytest.approx(sklearn_metrics.recall_score(similarity, called_same), abs=1e-9)


def test_refuses_a_threshold_that_is_not_a_number():
    with pytest.raises(SiameseError, match="threshold must be a number; got nan"):
        metrics.confusion(SIMILARITY, SCORES, float("nan"))


def test_five_hundred_pairs_do_not_overflow_small_labels():
    similarity = np.array([1] * 500 + [0] * 500, np.uint8)
    assert metrics.confusion(similarity, np.ones(1000), 0.5) == {"tp": 500, "fp": 500, "tn": 0, "fn": 0}
