"""The same work with siamese_tf and with other libraries; each function prepares an action to be timed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gallery import DIMENSIONS as FACE_DIMENSIONS
from gallery import SHA256
from processes import worker

QUERIES, GALLERY, DIMENSIONS, K = 10_000, 60_000, 128, 10
SIDE = 10_000  # of the score matrix
PROBES, TOP = 64, 5  # of the identification
IMAGES, STEPS = 256, 10  # of a triplet step, and steps that are timed together
MARGIN = 0.5


def top_k() -> Callable[[], Any]:
    scorer, probes, gallery = _scorer(DIMENSIONS), _embeddings(QUERIES, 0), _embeddings(GALLERY, 1)
    found, _ = scorer.top_k(probes[:20], gallery, K)
    cosines = _unit(probes[:20].astype(np.float64)) @ _unit(gallery.astype(np.float64)).T
    if not np.array_equal(found, np.argsort(-cosines, axis=1)[:, :K]):
        raise SystemExit("peers: top_k does not find the nearest rows")
    return lambda: scorer.top_k(probes, gallery, K)


def score_matrix() -> Callable[[], Any]:
    scorer, a, b = _scorer(DIMENSIONS), _embeddings(SIDE, 0), _embeddings(SIDE, 1)
    return lambda: scorer.score_matrix(a, b)


def identify(path: str) -> Callable[[], Any]:
    from siamese_tf.inference.gallery import Gallery
    from siamese_tf.models.siamese_model import SiameseModel

    model = SiameseModel((8, 8, 1), "reference", FACE_DIMENSIONS)
    model.file_sha256 = SHA256
    gallery, probes = Gallery.open(Path(path), model), _embeddings(PROBES, 0, FACE_DIMENSIONS)
    return lambda: gallery.identify(probes, TOP)


def triplet_steps() -> Callable[[], Any]:
    from siamese_tf.losses.triplet import triplet_semihard_loss

    return _tensorflow_steps(triplet_semihard_loss)


def addons_steps() -> Callable[[], Any]:
    from tensorflow_addons.losses import triplet_semihard_loss

    return _tensorflow_steps(triplet_semihard_loss)


def pml_steps() -> Callable[[], Any]:
    import torch
    from pytorch_metric_learning import distances, losses, miners

    embeddings = torch.tensor(_unit(_embeddings(IMAGES, 0)), requires_grad=True)
    labels, distance = torch.tensor(np.arange(IMAGES) % 16), distances.LpDistance()
    mine = miners.TripletMarginMiner(MARGIN, "semihard", distance=distance)
    loss = losses.TripletMarginLoss(MARGIN, distance=distance)

    def steps() -> None:
        for _ in range(STEPS):
            embeddings.grad = None
            loss(embeddings, labels, mine(embeddings, labels)).backward()

    return steps


def faiss_search(queries: int, gallery: int, dimensions: int, k: int) -> Callable[[], Any]:
    import faiss

    probes = _unit(_embeddings(queries, 0, dimensions))
    index = faiss.IndexFlatIP(dimensions)
    index.add(_unit(_embeddings(gallery, 1, dimensions)))
    return lambda: index.search(probes, k)


def sklearn_search() -> Callable[[], Any]:
    from sklearn.neighbors import NearestNeighbors

    probes = _unit(_embeddings(QUERIES, 0))
    index = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(_unit(_embeddings(GALLERY, 1)))
    return lambda: index.kneighbors(probes)


def numpy_scores() -> Callable[[], Any]:
    a, b = _unit(_embeddings(SIDE, 0)), _unit(_embeddings(SIDE, 1))

    def score() -> np.ndarray:
        scores = a @ b.T
        np.exp(np.negative(scores, out=scores), out=scores)
        scores += 1.0
        return np.reciprocal(scores, out=scores)

    return score


def product(n: int, m: int, dimensions: int) -> Callable[[], Any]:
    """Multiplies blocks of 1,024 rows, since the result of all may not fit into memory."""
    a, b = _embeddings(n, 0, dimensions), _embeddings(m, 1, dimensions)

    def multiply() -> None:
        for start in range(0, n, 1024):
            a[start : start + 1024] @ b.T

    return multiply


def _tensorflow_steps(loss: Callable[..., Any]) -> Callable[[], Any]:
    import tensorflow as tf

    embeddings, labels = tf.constant(_unit(_embeddings(IMAGES, 0))), tf.constant(np.arange(IMAGES) % 16)

    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = loss(labels, embeddings, MARGIN)
        return tape.gradient(value, embeddings)

    def steps() -> None:
        for _ in range(STEPS):
            step().numpy()

    return steps


def _scorer(dimensions: int) -> Any:
    from siamese_tf.models.siamese_model import SiameseModel

    return SiameseModel((28, 28, 1), "reference", dimensions).all_pairs


def _embeddings(count: int, seed: int, dimensions: int = DIMENSIONS) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimensions), np.float32)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    worker()
