import numpy as np
import pytest

from siamese_tf.models import float32_cosines
from siamese_tf.models.float32_cosines import (
    SCORE_ERROR,
    are_precise_enough,
    cosine_scores,
    largest_error,
    likely_error,
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
    assert 0.0 < error < likely_error(dim) < largest_error(1024)
    assert error < largest_error(dim)


# The score of a Euclidean head with a logit far above 0 at distance 0 hardly changes there.
@pytest.mark.parametrize(
    ("name", "slope", "intercept", "expected"),
    [
        ("cosine", 1.0, 0.0, True),  # logit 10 cos - 5
        ("cosine", 100.0, 0.0, False),
        ("cosine", -1.0, 0.0, True),
        ("cosine", np.nan, 0.0, False),
        ("euclidean", 1.0, 0.0, False),  # logit 5 - 5 distance
        ("euclidean", 3.0, 0.0, True),  # logit 15 - 15 distance
        ("concat", 1.0, 0.0, False),
        ("weighted_l1", 1.0, 0.0, False),
    ],
)
def test_which_heads(name, slope, intercept, expected):
    head = build_head(name, 128)
    head.calibrate(slope, intercept)
    assert are_precise_enough(head, 128) is expected


@pytest.mark.parametrize(("name", "slope"), [("cosine", 1.5), ("euclidean", 3.0)])
def test_scores_in_float32_are_those_in_float64(name, slope):
    head = build_head(name, 128)
    head.calibrate(slope, 0.0)
    assert are_precise_enough(head, 128)
    a = unit(300, 128, seed=1).astype(np.float32)
    near = a + np.geomspace(1e-5, 1.0, 300, dtype=np.float32)[:, np.newaxis] * unit(300, 128, seed=2).astype(np.float32)
    b = np.concatenate([a, near, unit(300, 128, seed=3).astype(np.float32)])
    exact = 1.0 / (1.0 + np.exp(-PairScorer(head, 128).logit_matrix(a, b).astype(np.float64)))
    np.testing.assert_allclose(PairScorer(head, 128).score_matrix(a, b), exact, atol=SCORE_ERROR)
    assert (exact < 0.1).any()
    assert (exact > 0.9).any()


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
