"""What a loss on pairs needs around its formula: shapes that match, and a mean that is fair to both kinds of pair."""

import tensorflow as tf


def flat_pairs(y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Labels and outputs as (n,) each: (n,) against (n, 1) would broadcast to (n, n) without a word."""
    return tf.reshape(tf.cast(y_true, y_pred.dtype), [-1]), tf.reshape(y_pred, [-1])


def balanced_mean(losses: tf.Tensor, similarity: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Half the mean over similar pairs plus half the mean over dissimilar ones, however many there are of each.

    Args:
        losses: one number per pair, any shape.
        similarity: same shape, 1 = same, 0 = different.
        counted: same shape, 1 for a pair that counts, 0 for one that does not (an image with itself, say).

    Returns:
        A scalar; a kind of pair of which there is none adds 0.
    """
    similar = counted * similarity
    dissimilar = counted * (1.0 - similarity)
    return 0.5 * (_weighted_mean(losses, similar) + _weighted_mean(losses, dissimilar))


def _weighted_mean(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights), tf.reduce_sum(weights))
