import numpy as np
import pytest

from siamese_tf.models import float32_cosines
from siamese_tf.models.float32_cosines import (
    MAX_SINGLE_SHARE,
    SCORE_ERROR,
    cosine_scores,
    largest_error,
    likely_error,
    precise_up_to,
)
from siamese_tf.models.heads import build_head
from siamese_tf.models.pair_scorer import PairScorer


def unit(count: int, dim: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("dim", [2, 16, 128, 1024])
def test_errors_of_products_are_within_both_bounds(dim):
    a, b = unit(400, dim, seed=1), np.concatenate([unit(400, dim, seed=2), unit(400, dim, seed=1)])
    error = np.abs(a.astype(np.float32) @ b.astype(np.float32).T - a @ b.T).max()
    assert 0.0 < error < likely_error(dim) < largest_error(dim)


# 1 - cosine of the pairs that are computed again: of none, of those at a distance near 0, of those at logits around 0.
@pytest.mark.parametrize(
    ("name", "slope", "intercept", "low", "high"),
    [
        ("cosine", 1.0, 0.0, -np.inf, -np.inf),  # logit 10 cos - 5
        ("cosine", -1.0, 0.0, -np.inf, -np.inf),
        ("cosine", 5.0, 0.0, 0.5, 0.6),  # logit 50 cos - 25
        ("euclidean", 3.0, 0.0, -np.inf, -np.inf),  # logit 15 - 15 distance
        ("euclidean", 1.0, 0.0, 1e-7, 1e-4),  # logit 5 - 5 distance
        ("euclidean", 10.0, -48.0, 1e-3, 0.05),  # logit 2 - 50 distance
    ],
)
def test_the_cosine_up_to_which_scores_are_precise(name, slope, intercept, low, high):
    head = build_head(name, 128)
    head.calibrate(slope, intercept)
    assert low <= 1.0 - precise_up_to(head, 128) <= high


def test_no_cosine_is_precise_where_the_score_jumps_at_opposite_directions():
    head = build_head("cosine", 128)
    head.calibrate(1e6, 1.5e7)  # logit 1e7 cos + 1e7
    assert precise_up_to(head, 128) == -np.inf


@pytest.mark.parametrize(
    ("name", "slope", "intercept"),
    [("cosine", 1.5, 0.0), ("cosine", -1.5, 0.0), ("cosine", 5.0, 0.0)]
    + [("euclidean", 3.0, 0.0), ("euclidean", 1.0, 0.0), ("euclidean", 10.0, -48.0)],
)
@pytest.mark.parametrize("share", [0.0, MAX_SINGLE_SHARE, 1.0])
def test_scores_are_those_of_the_exact_logits(name, slope, intercept, share, monkeypatch):
    """Identical, near and far rows, with few pairs computed again one by one or whole blocks."""
    monkeypatch.setattr(float32_cosines, "MAX_SINGLE_SHARE", share)
    head = build_head(name, 128)
    head.calibrate(slope, intercept)
    a = (unit(300, 128, seed=1) * np.geomspace(0.01, 100, 300)[:, np.newaxis]).astype(np.float32)
    near = a * (1 + np.geomspace(1e-5, 1.0, 300)[:, np.newaxis] * unit(300, 128, seed=2)).astype(np.float32)
    b = np.concatenate([a, near, -a, unit(300, 128, seed=3).astype(np.float32)])
    exact = 1.0 / (1.0 + np.exp(-PairScorer(head, 128).logit_matrix(a, b).astype(np.float64)))
    np.testing.assert_allclose(cosine_scores(head, a, b), exact, atol=SCORE_ERROR)
    assert exact.min() < 0.1
    assert exact.max() > 0.8


@pytest.mark.parametrize(("rows", "values"), [(1, 1), (7, 50), (7, 1000), (100, 1)])
def test_the_blocks_make_no_difference(rows, values, monkeypatch):
    head, a, b = build_head("euclidean", 16), *(unit(23, 16, seed).astype(np.float32) for seed in (1, 2))
    whole = cosine_scores(head, a, b)
    monkeypatch.setattr(float32_cosines, "PRODUCT_ROWS", rows)
    monkeypatch.setattr(float32_cosines, "CACHED_VALUES", values)
    scores = cosine_scores(head, a, b)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, whole, atol=1e-6)


def test_scores_far_from_the_threshold_are_zero_and_one():
    head = build_head("cosine", 2)
    head.calibrate(100.0, 0.0)  # logits 500 and -1500
    a = np.array([[1, 0], [-1, 0]], np.float32)
    np.testing.assert_array_equal(cosine_scores(head, a, a), np.eye(2))
    assert cosine_scores(head, a[:0], a).shape == (0, 2)
    assert cosine_scores(head, a, a[:0]).shape == (2, 0)
