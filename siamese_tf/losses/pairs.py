"""Shape alignment and balanced reduction for losses on pairs."""

import tensorflow as tf


def flat_pairs(y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Flattens labels and outputs to (n,) each, since (n,) against (n, 1) would silently broadcast to (n, n)."""
    return tf.reshape(tf.cast(y_true, y_pred.dtype), [-1]), tf.reshape(y_pred, [-1])


def balanced_mean(losses: tf.Tensor, similarity: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Averages the mean loss of the similar pairs and that of the dissimilar pairs, regardless of their numbers.

    Args:
        losses: float, one per pair, any shape.
        similarity: float, same shape, 1 = same, 0 = different.
        counted: float, same shape, 1 to include a pair, 0 to exclude it (such as an image paired with itself).

    Returns:
        A scalar; a class without included pairs contributes 0.
    """
    similar = counted * similarity
    dissimilar = counted * (1.0 - similarity)
    return 0.5 * (_weighted_mean(losses, similar) + _weighted_mean(losses, dissimilar))


def _weighted_mean(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights), tf.reduce_sum(weights))
