"""The ROC curve and its metrics: a case by hand, scikit-learn as the reference on tied scores, then the errors."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from scored_cases import random_case
from sklearn import metrics as sklearn_metrics

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.roc import auc, eer, min_different_pairs, roc_curve, tar_at_fmr

# By hand. Sorted by score:   0.9 same, 0.8 different, 0.8 same, 0.4 same, 0.1 different
#   threshold   inf   0.9   0.8   0.4   0.1
#   same, yes     0     1     2     3     3   of 3
#   diff, yes     0     0     1     1     2   of 2
SIMILARITY = np.array([0, 1, 1, 0, 1], np.uint8)
SCORES = np.array([0.1, 0.9, 0.8, 0.8, 0.4])


def test_roc_by_hand():
    fmr, tar, thresholds = roc_curve(SIMILARITY, SCORES)
    np.testing.assert_array_equal(thresholds, [np.inf, 0.9, 0.8, 0.4, 0.1])
    np.testing.assert_allclose(fmr, [0, 0, 1 / 2, 1 / 2, 1])
    np.testing.assert_allclose(tar, [0, 1 / 3, 2 / 3, 1, 1])


def test_auc_by_hand():
    # Six (same, different) couples: the same pair is higher in 4, level in 1 (counts a half): 4.5 / 6.
    assert auc(SIMILARITY, SCORES) == pytest.approx(4.5 / 6)


def test_eer_by_hand():
    # Between thresholds 0.9 and 0.8: FMR goes 0 -> 1/2 while FNMR goes 2/3 -> 1/3. They meet at t = 4/5: 2/5.
    assert eer(SIMILARITY, SCORES) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("scores", "expected"), [([0.9, 0.8, 0.2, 0.1], 0.0), ([0.1, 0.2, 0.8, 0.9], 1.0), ([0.5] * 4, 0.5)]
)
def test_eer_of_perfect_inverted_and_constant_scores(scores, expected):
    assert eer([1, 1, 0, 0], scores) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(100))
def test_agrees_with_scikit_learn_on_tied_scores(seed):
    similarity, scores = random_case(seed)
    fmr, tar, thresholds = roc_curve(similarity, scores)
    expected = sklearn_metrics.roc_curve(similarity, scores, drop_intermediate=False)
    for ours, theirs in zip((fmr, tar, thresholds), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert auc(similarity, scores) == pytest.approx(sklearn_metrics.roc_auc_score(similarity, scores), abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_eer_agrees_with_a_slow_walk_along_the_curve(seed):
    similarity, scores = random_case(seed)
    fmr, tar, _ = sklearn_metrics.roc_curve(similarity, scores, drop_intermediate=False)
    steps = np.linspace(0, 1, 20001)
    walk_fmr = np.concatenate([a + steps * (b - a) for a, b in pairwise(fmr)])
    walk_fnmr = 1 - np.concatenate([a + steps * (b - a) for a, b in pairwise(tar)])
    nearest = np.argmin(np.abs(walk_fmr - walk_fnmr))
    assert eer(similarity, scores) == pytest.approx(walk_fmr[nearest], abs=1e-4)


def test_tar_at_fmr_by_hand():
    # 30 different pairs; three of them are accepted from 0.7 on, a fourth with 0.6. FMR <= 0.1 allows exactly three.
    similarity = np.array([0] * 30 + [1] * 4)
    scores = np.array([0.7] * 3 + [0.6] + [0.1] * 26 + [0.9, 0.7, 0.65, 0.5])
    assert tar_at_fmr(similarity, scores, 0.1) == pytest.approx(3 / 4)


@pytest.mark.parametrize("seed", range(20))
def test_tar_at_fmr_agrees_with_a_loop_over_thresholds(seed):
    similarity, scores = random_case(seed)
    different, same = scores[similarity == 0], scores[similarity == 1]
    best = max(
        ((same >= t).mean() for t in [*np.unique(scores), np.inf] if (different >= t).mean() <= 0.25), default=None
    )
    if len(different) < 12:
        best = None
    assert tar_at_fmr(similarity, scores, 0.25) == best


@pytest.mark.parametrize(("fmr", "needed"), [(0.1, 30), (0.01, 300), (0.001, 3000)])
def test_tar_at_fmr_is_refused_below_the_rule_of_three(fmr, needed):
    assert min_different_pairs(fmr) == needed
    similarity = np.array([1] + [0] * needed)
    scores = np.array([0.9] + [0.1] * needed)
    assert tar_at_fmr(similarity, scores, fmr) == 1.0
    assert tar_at_fmr(similarity[:-1], scores[:-1], fmr) is None


@pytest.mark.parametrize("fmr", [0, 1e-310, -0.1, 1.5, float("nan")])
def test_tar_at_fmr_refuses_a_rate_outside_0_to_1(fmr):
    with pytest.raises(SiameseError, match=r"above 0 .*at most 1.*; got "):
        tar_at_fmr(SIMILARITY, SCORES, fmr)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_takes_labels_of_any_plain_type(dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert auc(SIMILARITY.astype(dtype), SCORES.astype(np.float32)) == pytest.approx(0.75)


def test_five_hundred_pairs_do_not_overflow_small_labels():
    similarity = np.array([1] * 500 + [0] * 500, np.uint8)
    assert auc(similarity, np.linspace(1, 0, 1000)) == 1.0
