"""Metrics of embeddings: retrieval (recall@k, R-precision, MAP@R) and the silhouette coefficient.

Each image in turn is the query; the other images are ranked by their Euclidean distance to it, nearest first.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.models.siamese_model import SiameseModel

NEIGHBORS = (1, 5, 10)
MAX_SILHOUETTE_IMAGES = 10_000
RESOLUTION = 2**36  # squared distances that differ by less than the largest divided by this are ties
DISTANCES_PER_BLOCK = 2**22


def normalize_for_distance(model: SiameseModel, embeddings: np.ndarray) -> np.ndarray:
    """Returns embeddings in the form in which the model's head compares them.

    Args:
        model: a model whose head may L2-normalize embeddings before comparing them.
        embeddings: (n, d) float32, from `model.embed`.

    Returns:
        (n, d) float32: L2-normalized if the head normalizes (zero rows stay zero), else unchanged.
    """
    if not model.head.normalizes:
        return embeddings
    squares = np.sum(np.square(embeddings), axis=1, keepdims=True)
    return embeddings / np.sqrt(np.maximum(squares, 1e-12))


def embedding_report(embeddings: ArrayLike, labels: ArrayLike, seed: int = 0) -> dict[str, Any]:
    """Computes retrieval and cluster metrics of labeled embeddings; all are higher for better embeddings.

    A query never retrieves itself. Images at equal distance are ranked at random, so that a network that maps all
    images to one point scores at chance. An image that is the only one of its class is no query, but other queries can
    retrieve it, wrongly.

    Args:
        embeddings: (n, d), finite, as the model compares them (see `normalize_for_distance`).
        labels: integers (n,), the class of each image.
        seed: seed of the order of ties, and of the sample for the silhouette.

    Returns:
        Python numbers, dicts and None only: `images`, `classes`, `queries` (images with others of their class),
        `recall_at` with the keys "1", "5" and "10" (fraction of the queries with an image of their class among the k
        nearest), `r_precision` (mean fraction of relevant images among the R nearest, R being the number of relevant
        images of a query), `map_at_r` (mean average precision among the R nearest), `silhouette` in [-1, 1] (of at most
        10,000 images). Without a query, all of these are None; without a second class, the silhouette is.

    Raises:
        SiameseError: arrays that are not (n, d) and (n,), no images, labels that are not integers, embeddings that are
            NaN or infinite.

    Reference:
        K. Musgrave, S. Belongie and S. Lim, "A Metric Learning Reality Check", ECCV 2020 (section 3.2).
    """
    vectors, classes = _checked(embeddings, labels)
    sizes = np.bincount(classes)
    queries = np.flatnonzero(sizes[classes] > 1)
    recall_at: dict[str, float | None] = {str(k): None for k in NEIGHBORS}
    r_precision = map_at_r = None
    if queries.size:
        firsts, found, precisions = _retrieve(vectors, classes, queries, seed)
        recall_at = {str(k): float(np.mean(firsts < k)) for k in NEIGHBORS}
        r_precision, map_at_r = float(found.mean()), float(precisions.mean())
    return {
        "images": classes.size,
        "classes": sizes.size,
        "queries": queries.size,
        "recall_at": recall_at,
        "r_precision": r_precision,
        "map_at_r": map_at_r,
        "silhouette": _silhouette(vectors, classes, seed),
    }


def embedding_lines(report: Mapping[str, Any]) -> list[str]:
    """Formats the dict of `embedding_report` as lines of text."""
    lines = [f"{report['images']:,} images of {report['classes']:,} classes"]
    if not report["queries"]:
        return [*lines, "no class has two images, so that there are no queries"]
    if alone := report["images"] - report["queries"]:
        lines[0] += f", {alone:,} the only one of their class"
    lines += [f"recall@{k:<10} {value:.4f}" for k, value in report["recall_at"].items()]
    lines += [f"R-precision       {report['r_precision']:.4f}", f"MAP@R             {report['map_at_r']:.4f}"]
    silhouette = report["silhouette"]
    return [*lines, "silhouette        " + (f"{silhouette:.4f}" if silhouette is not None else "requires two classes")]


def _checked(embeddings: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Returns the embeddings, centered, as float64, and classes numbered from 0."""
    vectors, classes = np.asarray(embeddings, np.float64), np.asarray(labels)
    if vectors.ndim != 2 or classes.shape != vectors.shape[:1]:
        raise SiameseError(
            f"embeddings and labels must have the shapes (n, d) and (n,), one row and one label per image; got"
            f" {vectors.shape} and {classes.shape}"
        )
    if not vectors.size:
        raise SiameseError(f"embeddings must hold at least one image and one dimension; got shape {vectors.shape}")
    if classes.dtype.kind not in "biu":
        raise SiameseError(f"labels must be integers (class numbers); got {classes.dtype}")
    if infinite := np.count_nonzero(~np.isfinite(vectors).all(axis=1)):
        raise SiameseError(f"embeddings must be finite; got {infinite} of {len(vectors)} rows with NaN or infinity")
    return vectors - vectors.mean(axis=0), np.unique(classes, return_inverse=True)[1].ravel()


def _retrieve(vectors: np.ndarray, classes: np.ndarray, queries: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
    """Returns the rank (from 0) of the first image of each query's class, the R-precision and the average precision."""
    relevant = np.bincount(classes)[classes] - 1  # R of each image
    firsts, r_precisions, precisions = [], [], []
    for block, order in _rank(vectors, queries, int(relevant.max()), seed):
        found = classes[order] == classes[block, np.newaxis]  # (queries of the block, R of the largest class)
        ranks = np.arange(1, found.shape[1] + 1)
        precision = np.cumsum(found, axis=1) / ranks
        counted = found & (ranks <= relevant[block, np.newaxis])
        firsts.append(np.where(found.any(axis=1), found.argmax(axis=1), len(vectors)))
        r_precisions.append(np.sum(counted, axis=1) / relevant[block])
        precisions.append(np.sum(precision * counted, axis=1) / relevant[block])
    return np.concatenate(firsts), np.concatenate(r_precisions), np.concatenate(precisions)


def _rank(vectors: np.ndarray, queries: np.ndarray, count: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields blocks of queries with the nearest other images of each query: `count`, or more if recall needs them.

    The sort keys are squared distances in whole steps, plus a random fraction of a step that breaks ties.
    """
    rng = np.random.default_rng(seed)
    squares = np.sum(np.square(vectors), axis=1)
    largest = 4 * squares.max() or 1.0
    count = min(max(count, *NEIGHBORS), len(vectors) - 1)
    step = max(1, DISTANCES_PER_BLOCK // len(vectors))
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        distances = squares[block, np.newaxis] + squares - 2 * vectors[block] @ vectors.T
        keys = np.rint(np.maximum(distances, 0) * (RESOLUTION / largest)) + rng.random(distances.shape)
        keys[np.arange(len(block)), block] = np.inf
        nearest = np.argpartition(keys, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(keys, nearest, axis=1), axis=1)
        yield block, np.take_along_axis(nearest, order, axis=1)


def _silhouette(vectors: np.ndarray, classes: np.ndarray, seed: int) -> float | None:
    if len(vectors) > MAX_SILHOUETTE_IMAGES:
        sample = np.random.default_rng(seed).choice(len(vectors), MAX_SILHOUETTE_IMAGES, replace=False)
        vectors, classes = vectors[sample], classes[sample]
    if not 2 <= np.unique(classes).size < classes.size:
        return None
    from sklearn.metrics import silhouette_score  # takes a second to import

    return float(silhouette_score(vectors, classes))
