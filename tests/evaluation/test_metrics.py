"""Metrics: a case by hand, scikit-learn as the oracle on tied scores, then the refusals."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics

# By hand. Sorted by score:   0.9 same, 0.8 different, 0.8 same, 0.4 same, 0.1 different
#   threshold   inf   0.9   0.8   0.4   0.1
#   same, yes     0     1     2     3     3   of 3
#   diff, yes     0     0     1     1     2   of 2
SIMILARITY = np.array([0, 1, 1, 0, 1], np.uint8)
SCORES = np.array([0.1, 0.9, 0.8, 0.8, 0.4])


def random_case(seed):
    """Between 2 and 300 pairs of both classes whose scores take few different values."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 300))
    similarity = rng.integers(0, 2, count).astype(np.uint8)
    similarity[:2] = [0, 1]
    levels = int(rng.integers(1, 12))
    scores = np.clip(rng.integers(0, levels + 1, count) + rng.integers(0, 2) * similarity, 0, levels) / levels
    return similarity, scores


def test_roc_by_hand():
    fmr, tar, thresholds = metrics.roc(SIMILARITY, SCORES)
    np.testing.assert_array_equal(thresholds, [np.inf, 0.9, 0.8, 0.4, 0.1])
    np.testing.assert_allclose(fmr, [0, 0, 1 / 2, 1 / 2, 1])
    np.testing.assert_allclose(tar, [0, 1 / 3, 2 / 3, 1, 1])


def test_auc_by_hand():
    # Six (same, different) couples: the same pair is higher in 4, level in 1 (counts a half): 4.5 / 6.
    assert metrics.auc(SIMILARITY, SCORES) == pytest.approx(4.5 / 6)


def test_eer_by_hand():
    # Between thresholds 0.9 and 0.8: FAR goes 0 -> 1/2 while FRR goes 2/3 -> 1/3. They meet at t = 4/5: 2/5.
    assert metrics.eer(SIMILARITY, SCORES) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("scores", "expected"), [([0.9, 0.8, 0.2, 0.1], 0.0), ([0.1, 0.2, 0.8, 0.9], 1.0), ([0.5] * 4, 0.5)]
)
def test_eer_of_perfect_inverted_and_constant_scores(scores, expected):
    assert metrics.eer([1, 1, 0, 0], scores) == pytest.approx(expected)


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
    fmr, tar, thresholds = metrics.roc(similarity, scores)
    expected = sklearn_metrics.roc_curve(similarity, scores, drop_intermediate=False)
    for ours, theirs in zip((fmr, tar, thresholds), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert metrics.auc(similarity, scores) == pytest.approx(sklearn_metrics.roc_auc_score(similarity, scores), abs=1e-9)

    threshold = float(np.random.default_rng(seed + 1000).choice(scores))
    said = (scores >= threshold).astype(int)
    counts = metrics.confusion(similarity, scores, threshold)
    (tn, fp), (fn, tp) = sklearn_metrics.confusion_matrix(similarity, said, labels=[0, 1])
    assert counts == {"tp": tp, "fp": fp, "tn": tn, "fn": fn}
    assert metrics.accuracy(counts) == pytest.approx(sklearn_metrics.accuracy_score(similarity, said), abs=1e-9)
    assert metrics.f1(counts) == pytest.approx(sklearn_metrics.f1_score(similarity, said, zero_division=0), abs=1e-9)
    precision = sklearn_metrics.precision_score(similarity, said, zero_division=0)
    assert metrics.precision(counts) == pytest.approx(precision, abs=1e-9)
    assert metrics.recall(counts) == pytest.approx(sklearn_metrics.recall_score(similarity, said), abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_eer_agrees_with_a_slow_walk_along_the_curve(seed):
    similarity, scores = random_case(seed)
    fmr, tar, _ = sklearn_metrics.roc_curve(similarity, scores, drop_intermediate=False)
    steps = np.linspace(0, 1, 20001)
    walk_far = np.concatenate([a + steps * (b - a) for a, b in pairwise(fmr)])
    walk_frr = 1 - np.concatenate([a + steps * (b - a) for a, b in pairwise(tar)])
    nearest = np.argmin(np.abs(walk_far - walk_frr))
    assert metrics.eer(similarity, scores) == pytest.approx(walk_far[nearest], abs=1e-4)


def test_tar_at_far_by_hand():
    # 30 different pairs; three of them are accepted from 0.7 on, a fourth with 0.6. FAR <= 0.1 allows exactly three.
    similarity = np.array([0] * 30 + [1] * 4)
    scores = np.array([0.7] * 3 + [0.6] + [0.1] * 26 + [0.9, 0.7, 0.65, 0.5])
    assert metrics.tar_at_fmr(similarity, scores, 0.1) == pytest.approx(3 / 4)


@pytest.mark.parametrize("seed", range(20))
def test_tar_at_far_agrees_with_a_loop_over_thresholds(seed):
    similarity, scores = random_case(seed)
    different, same = scores[similarity == 0], scores[similarity == 1]
    best = max(
        ((same >= t).mean() for t in [*np.unique(scores), np.inf] if (different >= t).mean() <= 0.25), default=None
    )
    if len(different) < 12:
        best = None
    assert metrics.tar_at_fmr(similarity, scores, 0.25) == best


@pytest.mark.parametrize(("fmr", "needed"), [(0.1, 30), (0.01, 300), (0.001, 3000)])
def test_tar_at_far_is_refused_below_the_rule_of_three(fmr, needed):
    assert metrics.pairs_needed(fmr) == needed
    similarity = np.array([1] + [0] * needed)
    scores = np.array([0.9] + [0.1] * needed)
    assert metrics.tar_at_fmr(similarity, scores, fmr) == 1.0
    assert metrics.tar_at_fmr(similarity[:-1], scores[:-1], fmr) is None


@pytest.mark.parametrize("fmr", [0, 1e-310, -0.1, 1.5, float("nan")])
def test_tar_at_far_refuses_a_rate_that_is_none(fmr):
    with pytest.raises(SiameseError, match="far is"):
        metrics.tar_at_fmr(SIMILARITY, SCORES, fmr)


CURVES = [metrics.roc, metrics.auc, metrics.eer, lambda y, s: metrics.tar_at_fmr(y, s, 0.1)]
ALL = [*CURVES, lambda y, s: metrics.confusion(y, s, 0.5)]


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize(
    ("similarity", "scores", "message"),
    [
        ([0, 1, 1], [0.1, 0.2], r"\(3,\).*\(2,\)"),
        ([0, 1], [[0.1], [0.2]], r"\(2,\).*\(2, 1\)"),
        ([0, 1], [0.1, np.nan], "scores.*1 of 2"),
        ([0, 1], [0.1, np.inf], "scores.*1 of 2"),
        ([0, 2], [0.1, 0.2], "similarity.*2"),
        ([0, 0.5], [0.1, 0.2], "similarity.*0.5"),
        ([0, np.nan], [0.1, 0.2], "similarity.*nan"),
        ([], [], "no pair"),
    ],
)
def test_refuses_what_is_not_pairs(function, similarity, scores, message):
    with pytest.raises(SiameseError, match=message):
        function(similarity, scores)


@pytest.mark.parametrize("function", CURVES)
@pytest.mark.parametrize("only", [0, 1])
def test_refuses_one_class(function, only):
    with pytest.raises(SiameseError, match="same.*different"):
        function([only] * 4, [0.1, 0.2, 0.3, 0.4])


def test_refuses_a_threshold_that_is_not_a_number():
    with pytest.raises(SiameseError, match="threshold is nan"):
        metrics.confusion(SIMILARITY, SCORES, float("nan"))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_takes_labels_of_any_plain_type(dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics.auc(SIMILARITY.astype(dtype), SCORES.astype(np.float32)) == pytest.approx(0.75)


def test_five_hundred_pairs_do_not_overflow_small_labels():
    similarity = np.array([1] * 500 + [0] * 500, np.uint8)
    assert metrics.confusion(similarity, np.ones(1000), 0.5) == {"tp": 500, "fp": 500, "tn": 0, "fn": 0}
    assert metrics.auc(similarity, np.linspace(1, 0, 1000)) == 1.0
