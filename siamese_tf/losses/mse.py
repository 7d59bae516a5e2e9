"""Mean squared error on the probability, from the head's logit."""

import tensorflow as tf


def squared_error(similarity: tf.Tensor, logit: tf.Tensor) -> tf.Tensor:
    """(y - p)^2 with p = sigmoid(logit), one number per pair.

    `keras.losses.MeanSquaredError()` is the same for `compile` and `fit` on a model that gives p.

    Args:
        similarity: y, any shape, 1 = same, 0 = different.
        logit: same shape, higher is more similar.

    Returns:
        The loss of each pair, same shape, in [0, 1].
    """
    return tf.square(tf.cast(similarity, logit.dtype) - tf.sigmoid(logit))
