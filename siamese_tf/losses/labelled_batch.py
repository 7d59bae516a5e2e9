"""A batch of labelled embeddings as triplet losses see it: who is how far from whom, and who is of whose class."""

from collections.abc import Callable

import tensorflow as tf

from siamese_tf.models.distances import SMALLEST_SQUARE

Metric = str | Callable[[tf.Tensor], tf.Tensor]


def batch_distances(embeddings: tf.Tensor, metric: Metric) -> tf.Tensor:
    """Every embedding of a batch against every other.

    The products are taken in float64: |a|^2 - 2ab + |b|^2 in float32 leaves duplicates up to 1e-3 apart.

    Args:
        embeddings: (n, d) float16, bfloat16, float32 or float64.
        metric: `L2` (Euclidean), `squared-L2`, `angular` (1 - cos, embeddings of any length), or a function from
            (n, d) embeddings to (n, n) distances.

    Returns:
        (n, n) distances, lower is more similar; float64 for float64 embeddings, else float32.

    Raises:
        ValueError: an unknown metric.
    """
    kept = tf.float64 if embeddings.dtype == tf.float64 else tf.float32
    if callable(metric):
        return tf.cast(metric(tf.cast(embeddings, kept)), kept)
    if metric not in METRICS:
        raise ValueError(f"distance_metric must be one of {', '.join(METRICS)}, or a function; got {metric!r}")
    return tf.cast(METRICS[metric](tf.cast(embeddings, tf.float64)), kept)


def triplet_masks(labels: tf.Tensor, count: int | None = None) -> tuple[tf.Tensor, tf.Tensor]:
    """Which images of a batch are positives, and which negatives, of which anchor.

    Args:
        labels: (n,) or (n, 1), the class of each image; any dtype that can be compared.
        count: n where it is known, to find labels of another form.

    Returns:
        Two (n, n) bool, row = anchor: another image of its class; an image of another class.

    Raises:
        ValueError: labels that are not one number an image, such as one-hot rows.
    """
    if count is not None and labels.shape.rank and labels.shape[0] not in (None, count):
        came = f"{labels.shape[0]} labels and {count} embeddings"
        raise ValueError(f"labels and embeddings must be equally many; got {came}")
    same = _same_class(labels)
    itself = tf.eye(tf.shape(same)[0], dtype=tf.bool)
    return tf.logical_and(same, tf.logical_not(itself)), tf.logical_not(same)


def first_of_class(labels: tf.Tensor) -> tf.Tensor:
    """Labels (n,) or (n, 1) as the position of the first image of the class: (n,) int64, small whatever the labels."""
    return tf.argmax(tf.cast(_same_class(labels), tf.int8), axis=1)


def _same_class(labels: tf.Tensor) -> tf.Tensor:
    """(n, n) bool."""
    shape = labels.shape
    if shape.rank not in (None, 1) and not (shape.rank == 2 and shape[1] in (1, None)):
        raise ValueError(f"labels must be class numbers, (n,) or (n, 1); got shape {tuple(shape)}. Use tf.argmax first")
    flat = tf.reshape(labels, [-1])
    return flat[:, tf.newaxis] == flat[tf.newaxis, :]


def _squared(x: tf.Tensor) -> tf.Tensor:
    squares = tf.reduce_sum(tf.square(x), axis=-1)
    return tf.maximum(squares[:, tf.newaxis] - 2.0 * tf.matmul(x, x, transpose_b=True) + squares[tf.newaxis, :], 0.0)


def _euclidean(x: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(tf.maximum(_squared(x), SMALLEST_SQUARE))


def _angular(x: tf.Tensor) -> tf.Tensor:
    unit = tf.math.l2_normalize(x, axis=-1, epsilon=1e-12)
    return tf.maximum(1.0 - tf.matmul(unit, unit, transpose_b=True), 0.0)


METRICS = {"L2": _euclidean, "squared-L2": _squared, "angular": _angular}
