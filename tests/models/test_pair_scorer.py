import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.errors import ConfigError, ImageError
from siamese_tf.models import pair_scorer
from siamese_tf.models.heads import build_head
from siamese_tf.models.pair_scorer import PairScorer


def embeddings(count: int, seed: int, dim: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def sigmoid(logits) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(logits, np.float64)))


def twin(head, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Computes the head for one pair of rows at a time."""
    return np.array([[sigmoid(head((x[np.newaxis], y[np.newaxis])))[0] for y in b] for x in a])


@pytest.fixture(scope="module")
def pairs(head) -> PairScorer:
    return PairScorer(head, 5)


@pytest.mark.parametrize("block", [1, 5, 100])
def test_logits_of_listed_pairs_are_those_of_the_head_for_one_pair(block, head, pairs, monkeypatch):
    monkeypatch.setattr(pair_scorer, "PAIR_BLOCK", block)
    rows1, rows2 = np.random.default_rng(0).integers(7, size=(2, 12))
    x = embeddings(7, seed=0)
    logits = pairs.pair_logits(x, rows1, rows2)
    assert logits.dtype == np.float64
    alone = [head((x[[i]], x[[j]])).numpy().item() for i, j in zip(rows1, rows2, strict=True)]
    np.testing.assert_allclose(logits, alone, atol=1e-6)


@pytest.fixture
def seen(pairs, monkeypatch) -> list[tuple[int, ...]]:
    """Uses blocks of 7; returns the number of rows per block, on both sides and among the best so far."""
    monkeypatch.setattr(pair_scorer, "BLOCK", 7)
    shapes = []

    def spy(name: str) -> None:
        work = getattr(pairs, name)

        def note(a, b, *others):
            shapes.append((len(a), len(b), *(array.shape[1] for array in others[:2])))
            return work(a, b, *others)

        monkeypatch.setattr(pairs, name, note)

    spy("_score_block")
    spy("_best_block")
    return shapes


def test_pencil():
    # logit = 5 - 10 (1 - cos): the same way 5, at right angles -5, the other way -15; lengths make no difference.
    pairs = PairScorer(build_head("cosine", 2), 2)
    gallery = np.array([[-1, 0], [0, 2], [3, 0]], np.float32)
    probes = np.array([[1, 0], [0, 1]], np.float32)
    logits = [[-15, -5, 5], [-5, 5, -5]]
    np.testing.assert_allclose(pairs.score_matrix(probes, gallery), sigmoid(logits), rtol=1e-5)
    indices, scores = pairs.top_k(probes, gallery, 2)
    np.testing.assert_array_equal(indices, [[2, 1], [1, 0]])
    np.testing.assert_allclose(scores, sigmoid([[5, -5], [5, -5]]), rtol=1e-5)


def test_the_matrix_is_the_slow_twin(head, pairs):
    a, b = embeddings(6, seed=1), embeddings(9, seed=2)
    b[3] = a[2]
    scores = pairs.score_matrix(a, b)
    np.testing.assert_allclose(scores, twin(head, a, b), atol=1e-6)
    assert scores.dtype == np.float32


def test_the_size_of_the_blocks_makes_no_difference_to_the_matrix(pairs, request):
    a, b = embeddings(23, seed=1), embeddings(16, seed=2)
    whole = pairs.score_matrix(a, b)
    seen = request.getfixturevalue("seen")
    np.testing.assert_allclose(pairs.score_matrix(a, b), whole, atol=1e-6)
    blocks = [(rows, columns) for rows in (7, 7, 7, 2) for columns in (7, 7, 2)]
    assert seen == ([] if pairs.head.normalizes else blocks)


@pytest.mark.parametrize("k", [1, 3, 10, 16])
def test_top_k_are_the_first_of_all_sorted(pairs, seen, k):
    """10 is more than a block, 16 is all rows."""
    probes, gallery = embeddings(10, seed=1), embeddings(16, seed=2)
    matrix = pairs.score_matrix(probes, gallery)
    indices, scores = pairs.top_k(probes, gallery, k)
    np.testing.assert_array_equal(indices, np.argsort(-matrix, axis=1, kind="stable")[:, :k])
    np.testing.assert_allclose(scores, np.take_along_axis(matrix, indices, axis=1), atol=1e-6)
    assert (indices.dtype, scores.dtype) == (np.int64, np.float32)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_nothing_top_k_holds_at_a_time_grows_with_the_gallery(pairs, seen):
    probes = embeddings(10, seed=1)
    for count in (70, 700):
        seen.clear()
        pairs.top_k(probes, embeddings(count, seed=2), 3)
        assert len(seen) == 2 * count / 7
        assert np.max(seen, axis=0).tolist() == [7, 7, 3, 3]


@pytest.mark.parametrize("name", ["cosine", "euclidean"])
def test_of_equal_ones_the_lower_index_comes_first(name, monkeypatch):
    """Equal rows must get equal scores in any position of any block, whatever the rounding of a matrix product."""
    pairs = PairScorer(build_head(name, 30), 30)
    five = embeddings(5, seed=1, dim=30)
    probes, gallery = embeddings(40, seed=2, dim=30), np.tile(five, (4, 1))  # 0, 5, 10 and 15 are one embedding
    order = np.argsort(-pairs.score_matrix(probes, five), axis=1)
    expected = (order[..., np.newaxis] + np.arange(0, 20, 5)).reshape(40, 20)
    for block in (3, 7, 1024):
        monkeypatch.setattr(pair_scorer, "BLOCK", block)
        np.testing.assert_array_equal(pairs.top_k(probes, gallery, 20)[0], expected)


def test_the_order_is_kept_where_scores_round_to_one():
    head = build_head("cosine", 5)
    head.calibrate(1.0, 30.0)  # logits from 15 to 35: most probabilities are 1 in float32
    probes, gallery = embeddings(4, seed=1), embeddings(12, seed=2)
    distance = head.distance_matrix(tf.constant(probes), tf.constant(gallery))
    indices, scores = PairScorer(head, 5).top_k(probes, gallery, 12)
    np.testing.assert_array_equal(indices, np.argsort(distance, axis=1))
    assert (scores == 1).mean() > 0.5


def test_identical_and_near_embeddings_of_a_steep_head_keep_their_score():
    """In float32 the matrix of distances is wrong by up to 1e-3 near 0: here that would be 1e-2 of the score."""
    head = build_head("euclidean", 128)
    head.calibrate(10.0, -48.0)  # logit 2 - 50 distance
    a = embeddings(300, seed=1, dim=128)
    near = a + np.float32(0.003) * embeddings(300, seed=2, dim=128)
    for b in (a, near):
        scores = PairScorer(head, 128).score_matrix(a, b)
        np.testing.assert_allclose(np.diag(scores), sigmoid(head((a, b))), atol=1e-5)


def test_other_floats_and_no_rows(pairs):
    a, b = embeddings(3, seed=1), embeddings(4, seed=2)
    np.testing.assert_array_equal(pairs.score_matrix(a.astype(np.float64), b[:]), pairs.score_matrix(a, b))
    assert pairs.score_matrix(a[:0], b).shape == (0, 4)
    assert pairs.score_matrix(a, b[:0]).shape == (3, 0)
    indices, scores = pairs.top_k(a[:0], b, 2)
    assert indices.shape == scores.shape == (0, 2)


@pytest.mark.parametrize(("k", "rows"), [(0, 4), (-1, 4), (5, 4), (1, 0), (2.0, 4), (True, 4), (None, 4)])
def test_more_than_the_gallery_or_less_than_one_is_refused(pairs, k, rows):
    with pytest.raises(ConfigError, match=f"an integer from 1 to {rows}, the size of the gallery; got {k}"):
        pairs.top_k(embeddings(3, seed=1), embeddings(rows, seed=2), k)


def test_logits_are_those_of_the_scores_in_blocks_too(pairs, monkeypatch):
    a, b = embeddings(10, seed=1), embeddings(16, seed=2)
    monkeypatch.setattr(pair_scorer, "BLOCK", 7)
    logits = pairs.logit_matrix(a, b)
    assert (logits.shape, logits.dtype) == ((10, 16), np.float32)
    np.testing.assert_allclose(sigmoid(logits), pairs.score_matrix(a, b), atol=1e-6)


def test_a_prepared_gallery_gives_the_same_scores(pairs, monkeypatch):
    monkeypatch.setattr(pair_scorer, "BLOCK", 7)
    probes, gallery = embeddings(10, seed=1), embeddings(16, seed=2)
    prepared = pairs.prepare(gallery)
    logits = pairs.prepared_logits(probes, prepared)
    assert (logits.shape, logits.dtype, prepared.dtype) == ((10, 16), np.float32, np.float32)
    np.testing.assert_allclose(sigmoid(logits), pairs.score_matrix(probes, gallery), atol=1e-5)
    np.testing.assert_allclose(sigmoid(pairs.prepared_logits(probes[4:5], prepared)), sigmoid(logits[4:5]), atol=1e-6)


def test_preparing_a_gallery_makes_lengths_one_where_they_do_not_count(head, pairs):
    gallery = embeddings(16, seed=2)
    prepared = pairs.prepare(gallery)
    if head.normalizes:
        np.testing.assert_allclose(np.linalg.norm(prepared, axis=1), 1, rtol=1e-6)
    else:
        np.testing.assert_array_equal(prepared, gallery)


def test_a_prepared_gallery_may_be_empty(pairs):
    empty = pairs.prepare(embeddings(0, seed=1))
    assert pairs.prepared_logits(embeddings(3, seed=1), empty).shape == (3, 0)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (3, 5, 1), (0,)])
def test_embeddings_of_another_shape_are_refused(pairs, shape):
    right, wrong = embeddings(3, seed=1), np.zeros(shape, np.float32)
    for a, b in ((right, wrong), (wrong, right)):
        with pytest.raises(ImageError, match=r"embeddings must have shape \(n, 5\) for this model; got \("):
            pairs.score_matrix(a, b)
        with pytest.raises(ImageError, match="Compute them with model.embed"):
            pairs.top_k(a, b, 1)
        with pytest.raises(ImageError, match="Compute them with model.embed"):
            pairs.prepared_logits(a, b)
