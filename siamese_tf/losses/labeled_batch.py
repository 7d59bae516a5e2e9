"""Pairwise distances and class masks of a batch of labeled embeddings."""

from collections.abc import Callable

import tensorflow as tf

from siamese_tf.models.distances import (
    cosine_distance_matrix,
    euclidean_distance_matrix,
    squared_euclidean_distance_matrix,
)

Metric = str | Callable[[tf.Tensor], tf.Tensor]


def batch_distances(embeddings: tf.Tensor, metric: Metric) -> tf.Tensor:
    """Returns the distances between all embeddings of a batch.

    The built-in metrics are computed in float64: |a|^2 - 2ab + |b|^2 in float32 leaves duplicates up to 1e-3 apart.

    Args:
        embeddings: embeddings, (n, d), float16, bfloat16, float32 or float64.
        metric: `L2` (Euclidean), `squared-L2`, `angular` (1 - cos, of embeddings of any length), or a function from
            (n, d) embeddings to (n, n) distances.

    Returns:
        Distances, (n, n), lower is more similar; float64 for float64 embeddings, otherwise float32.

    Raises:
        ValueError: if the metric is unknown.
    """
    dtype = tf.float64 if embeddings.dtype == tf.float64 else tf.float32
    if callable(metric):
        return tf.cast(metric(tf.cast(embeddings, dtype)), dtype)
    if metric not in METRICS:
        raise ValueError(f"distance_metric must be one of {', '.join(METRICS)}, or a function; got {metric!r}")
    return tf.cast(METRICS[metric](tf.cast(embeddings, tf.float64)), dtype)


def triplet_masks(labels: tf.Tensor, count: int | None = None) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns masks of the positives and the negatives of each anchor.

    Args:
        labels: class of each image, (n,) or (n, 1), any dtype that supports equality.
        count: n if known, to reject labels of a different length.

    Returns:
        Two masks, (n, n) bool, row = anchor: other images of the same class; images of other classes.

    Raises:
        ValueError: if the labels are not one value per image, for example one-hot rows.
    """
    if count is not None and labels.shape.rank and labels.shape[0] not in (None, count):
        raise ValueError(
            f"labels and embeddings must have the same length; got {labels.shape[0]} labels and {count} embeddings"
        )
    same = _same_class(labels)
    diagonal = tf.eye(tf.shape(same)[0], dtype=tf.bool)
    return tf.logical_and(same, tf.logical_not(diagonal)), tf.logical_not(same)


def relabel_classes(labels: tf.Tensor) -> tf.Tensor:
    """Maps each label, (n,) or (n, 1), to the position of the first image with that label, (n,) int64 in [0, n)."""
    return tf.argmax(tf.cast(_same_class(labels), tf.int8), axis=1)


def _same_class(labels: tf.Tensor) -> tf.Tensor:
    """Returns the mask of the pairs with equal labels, (n, n) bool."""
    shape = labels.shape
    if shape.rank not in (None, 1) and not (shape.rank == 2 and shape[1] in (1, None)):
        raise ValueError(
            f"labels must have shape (n,) or (n, 1), one class per image; got shape {tuple(shape)}."
            " Convert one-hot rows with tf.argmax"
        )
    flat = tf.reshape(labels, [-1])
    return flat[:, tf.newaxis] == flat[tf.newaxis, :]


def _squared_euclidean(x: tf.Tensor) -> tf.Tensor:
    return tf.maximum(squared_euclidean_distance_matrix(x), 0.0)


def _angular(x: tf.Tensor) -> tf.Tensor:
    unit = tf.math.l2_normalize(x, axis=-1, epsilon=1e-12)
    return tf.maximum(cosine_distance_matrix(unit, unit), 0.0)


METRICS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "L2": euclidean_distance_matrix,
    "squared-L2": _squared_euclidean,
    "angular": _angular,
}
