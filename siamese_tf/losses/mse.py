"""Squared error of the probability, computed from the head's logit."""

import tensorflow as tf

from siamese_tf.losses.half_precision import restore_dtype, upcast_half


def squared_error(similarity: tf.Tensor, logit: tf.Tensor) -> tf.Tensor:
    """Returns (y - p)^2 with p = sigmoid(logit) for each pair.

    `keras.losses.MeanSquaredError()` is the equivalent for `compile` and `fit` on a model that outputs p.

    Args:
        similarity: y, any shape, 1 = same, 0 = different.
        logit: float, same shape, higher is more similar.

    Returns:
        Losses in [0, 1], one per pair, in the shape and dtype of `logit`; float16 and bfloat16 are computed in float32.
    """
    logit = tf.convert_to_tensor(logit)
    precise = upcast_half(logit)
    return restore_dtype(logit, tf.square(tf.cast(similarity, precise.dtype) - tf.sigmoid(precise)))
