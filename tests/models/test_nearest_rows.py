"""The shortlist against the exact search, on random, clustered, equal and nearly equal rows."""

import numpy as np
import pytest

from siamese_tf.models import nearest_rows as module
from siamese_tf.models.heads import build_head
from siamese_tf.models.nearest_rows import nearest_rows
from siamese_tf.models.pair_scorer import PairScorer

DIM, GALLERY, K = 16, 8000, 10


def rows(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)


def clusters(count: int, spread: float, seed: int) -> np.ndarray:
    """Returns rows around ten centers, as embeddings of ten classes are, of different lengths."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(10, DIM))
    drawn = centers[rng.integers(10, size=count)] + spread * rng.normal(size=(count, DIM))
    return (drawn * rng.uniform(0.1, 10, (count, 1))).astype(np.float32)


def exact(head, probes: np.ndarray, gallery: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns indices and logits from the full matrix of logits."""
    logits = PairScorer(head, DIM).logit_matrix(probes, gallery)
    indices = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return indices, np.take_along_axis(logits, indices, axis=1)


@pytest.mark.parametrize("name", ["cosine", "euclidean"])
@pytest.mark.parametrize("spread", [None, 1.0, 0.1, 0.01])
@pytest.mark.parametrize("k", [1, K])
def test_finds_the_rows_of_the_exact_search(name, spread, k, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_VALUES", 7 * GALLERY)
    head = build_head(name, DIM)
    draw = rows if spread is None else lambda count, seed: clusters(count, spread, seed)
    probes, gallery = draw(45, seed=1), draw(GALLERY, seed=2)
    indices, logits = exact(head, probes, gallery, k)
    found = nearest_rows(head, probes, gallery, k)
    np.testing.assert_array_equal(found.indices[found.proven], indices[found.proven])
    np.testing.assert_allclose(found.logits[found.proven], logits[found.proven], atol=2e-6)
    assert found.proven.all() or spread == 0.01
    assert found.proven.any()


@pytest.mark.parametrize("name", ["cosine", "euclidean"])
def test_rows_that_differ_by_less_than_the_rounding_of_float32_are_in_the_right_order(name):
    """Cosines near 1 are multiples of 6e-8 in float32; those of the best rows differ by less."""
    gallery = rows(GALLERY, seed=2)
    probe = gallery[:1]
    gallery[100:120] = probe + np.linspace(1e-4, 3e-4, 20, dtype=np.float32)[::-1, np.newaxis] * rows(1, seed=3)
    head = build_head(name, DIM)
    found = nearest_rows(head, probe, gallery, K)
    assert found.proven.all()
    order = PairScorer(head, DIM).logit_matrix(probe, gallery)[0]
    np.testing.assert_array_equal(found.indices[0], np.argsort(-order, kind="stable")[:K])
    unit_probe, unit_rows = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (probe, gallery[100:120]))
    assert len(np.unique(unit_probe @ unit_rows.T)) < 10


@pytest.mark.parametrize("name", ["cosine", "euclidean"])
def test_of_equal_rows_the_lower_index_comes_first(name):
    probes, gallery = rows(30, seed=1), np.tile(rows(GALLERY // 4, seed=2), (4, 1))
    found = nearest_rows(build_head(name, DIM), probes, gallery, 8)
    assert found.proven.all()
    np.testing.assert_array_equal(np.diff(found.indices.reshape(30, 2, 4)), GALLERY // 4)
    np.testing.assert_array_equal(np.ptp(found.logits.reshape(30, 2, 4), axis=2), 0.0)


def test_too_many_equal_rows_are_not_proven():
    probes, gallery = rows(3, seed=1), rows(GALLERY, seed=2)
    gallery[200:400] = probes[0]
    found = nearest_rows(build_head("cosine", DIM), probes, gallery, K)
    assert found.proven.tolist() == [False, True, True]


def test_a_head_so_flat_that_logits_round_to_the_same_number_is_not_proven():
    head = build_head("cosine", DIM)
    head.calibrate(1e-6, 30.0)
    assert not nearest_rows(head, rows(3, seed=1), rows(GALLERY, seed=2), K).proven.any()


@pytest.mark.parametrize(
    ("name", "slope", "count"), [("concat", 1.0, GALLERY), ("cosine", -1.0, GALLERY), ("cosine", 1.0, 100)]
)
def test_other_heads_and_small_galleries_are_left_to_the_exact_search(name, slope, count):
    head = build_head(name, DIM)
    head.calibrate(slope, 0.0)
    assert not nearest_rows(head, rows(3, seed=1), rows(count, seed=2), K).proven.any()


@pytest.mark.parametrize("name", ["cosine", "euclidean", "concat"])
def test_top_k_is_exact_whether_proven_or_not(name):
    head = build_head(name, DIM)
    probes, gallery = clusters(40, 0.01, seed=1), clusters(GALLERY, 0.01, seed=2)
    gallery[500:700] = gallery[0]
    indices, logits = exact(head, probes, gallery, K)
    found, scores = PairScorer(head, DIM).top_k(probes, gallery, K)
    np.testing.assert_array_equal(found, indices)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits.astype(np.float64))), atol=1e-6)
