"""How well embeddings keep classes apart: retrieval (recall@k, MAP@R) and the silhouette, as plain numbers.

Each image in turn is the query; the other images are ranked by their Euclidean distance to it, nearest first.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.models.siamese_model import SiameseModel

NEIGHBORS = (1, 5, 10)
SILHOUETTE_IMAGES = 10_000
RESOLUTION = 2**36  # squared distances that differ by less than this part of the largest are ties
BLOCK_DISTANCES = 2**22


def normalize_for_distance(model: SiameseModel, embeddings: np.ndarray) -> np.ndarray:
    """Embeddings the way the model's head compares them.

    Args:
        model: tells whether its head makes the length of an embedding 1 first.
        embeddings: (n, d) float32, from `model.embed`.

    Returns:
        (n, d) float32: rows of length 1 where the head normalises (a row of zeros stays one), else as they came.
    """
    if not model.head.normalizes:
        return embeddings
    squares = np.sum(np.square(embeddings), axis=1, keepdims=True)
    return embeddings / np.sqrt(np.maximum(squares, 1e-12))


def embedding_report(embeddings: ArrayLike, labels: ArrayLike, seed: int = 0) -> dict[str, Any]:
    """Retrieval and cluster numbers of labelled embeddings; all are higher for better embeddings.

    A query never finds itself. Images at equal distance are ranked at random, so that a network which maps all images
    to one point scores what guessing would. An image alone in its class is no query (nothing could be found), but it
    can be found, wrongly, by others.

    Args:
        embeddings: (n, d), finite, as the model compares them (see `normalize_for_distance`).
        labels: integers (n,), the class of each image.
        seed: of the order of ties, and of the sample for the silhouette.

    Returns:
        Python numbers, dicts and None only: `images`, `classes`, `queries` (images that are not alone in their class),
        `recall_at` with the keys "1", "5" and "10" (share of the queries with an image of their class among the k
        nearest), `map_at_r` (mean average precision among the R nearest, R being the number of images to be found),
        `silhouette` in [-1, 1] (of at most 10,000 images). Without a query, all of these are None; without a second
        class, the silhouette is.

    Raises:
        SiameseError: arrays that are not (n, d) and (n,), no image, labels that are not integers, embeddings that are
            NaN or infinite.

    Reference:
        K. Musgrave, S. Belongie and S. Lim, "A Metric Learning Reality Check", ECCV 2020 (MAP@R, section 3.2).
    """
    vectors, classes = _checked(embeddings, labels)
    sizes = np.bincount(classes)
    queries = np.flatnonzero(sizes[classes] > 1)
    recall_at: dict[str, float | None] = {str(k): None for k in NEIGHBORS}
    map_at_r = None
    if queries.size:
        firsts, precisions = _retrieve(vectors, classes, queries, seed)
        recall_at = {str(k): float(np.mean(firsts < k)) for k in NEIGHBORS}
        map_at_r = float(precisions.mean())
    return {
        "images": classes.size,
        "classes": sizes.size,
        "queries": queries.size,
        "recall_at": recall_at,
        "map_at_r": map_at_r,
        "silhouette": _silhouette(vectors, classes, seed),
    }


def embedding_lines(report: Mapping[str, Any]) -> list[str]:
    """The dict of `embedding_report` as lines for people."""
    lines = [f"{report['images']:,} images of {report['classes']:,} classes"]
    if not report["queries"]:
        return [*lines, "no class has two images: there is nothing to be found"]
    if alone := report["images"] - report["queries"]:
        lines[0] += f", {alone:,} alone in their class"
    lines += [f"recall@{k:<10} {value:.4f}" for k, value in report["recall_at"].items()]
    lines.append(f"MAP@R             {report['map_at_r']:.4f}")
    silhouette = report["silhouette"]
    return [*lines, "silhouette        " + (f"{silhouette:.4f}" if silhouette is not None else "needs two classes")]


def _checked(embeddings: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings around their mean as float64, classes numbered from 0."""
    vectors, classes = np.asarray(embeddings, np.float64), np.asarray(labels)
    if vectors.ndim != 2 or classes.shape != vectors.shape[:1]:
        raise SiameseError(
            f"embeddings have shape {vectors.shape} and labels {classes.shape}: expected (n, d) and (n,), one row and"
            " one label an image."
        )
    if not vectors.size:
        raise SiameseError(f"embeddings have shape {vectors.shape}: at least one image and one number are needed.")
    if classes.dtype.kind not in "biu":
        raise SiameseError(f"labels must be integers (class numbers); {classes.dtype} came.")
    if infinite := np.count_nonzero(~np.isfinite(vectors).all(axis=1)):
        raise SiameseError(f"embeddings must be finite; {infinite} of {len(vectors)} rows hold NaN or infinity.")
    return vectors - vectors.mean(axis=0), np.unique(classes, return_inverse=True)[1].ravel()


def _retrieve(vectors: np.ndarray, classes: np.ndarray, queries: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
    """For each query, the rank (from 0) of the first image of its class, and the average precision at R."""
    to_find = np.bincount(classes)[classes] - 1  # R of each image
    firsts, precisions = [], []
    for block, order in _ranked(vectors, queries, int(to_find.max()), seed):
        found = classes[order] == classes[block, np.newaxis]  # (queries of the block, R of the largest class)
        ranks = np.arange(1, found.shape[1] + 1)
        precision = np.cumsum(found, axis=1) / ranks
        counted = found & (ranks <= to_find[block, np.newaxis])
        firsts.append(np.where(found.any(axis=1), found.argmax(axis=1), len(vectors)))
        precisions.append(np.sum(precision * counted, axis=1) / to_find[block])
    return np.concatenate(firsts), np.concatenate(precisions)


def _ranked(vectors: np.ndarray, queries: np.ndarray, most: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of queries, and for each query its nearest other images, `most` or as many as recall needs.

    The keys are whole steps of squared distance, plus a part of a step drawn at random, which ranks those that tie.
    """
    rng = np.random.default_rng(seed)
    squares = np.sum(np.square(vectors), axis=1)
    largest = 4 * squares.max() or 1.0
    kept = min(max(most, *NEIGHBORS), len(vectors) - 1)
    step = max(1, BLOCK_DISTANCES // len(vectors))
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        distances = squares[block, np.newaxis] + squares - 2 * vectors[block] @ vectors.T
        keys = np.rint(np.maximum(distances, 0) * (RESOLUTION / largest)) + rng.random(distances.shape)
        keys[np.arange(len(block)), block] = np.inf
        nearest = np.argpartition(keys, kept - 1, axis=1)[:, :kept]
        order = np.argsort(np.take_along_axis(keys, nearest, axis=1), axis=1)
        yield block, np.take_along_axis(nearest, order, axis=1)


def _silhouette(vectors: np.ndarray, classes: np.ndarray, seed: int) -> float | None:
    if len(vectors) > SILHOUETTE_IMAGES:
        sample = np.random.default_rng(seed).choice(len(vectors), SILHOUETTE_IMAGES, replace=False)
        vectors, classes = vectors[sample], classes[sample]
    if not 2 <= np.unique(classes).size < classes.size:
        return None
    from sklearn.metrics import silhouette_score  # takes a second to import

    return float(silhouette_score(vectors, classes))
