"""Mean squared error on the probability, from the head's logit."""

import tensorflow as tf

from siamese_tf.losses.half_precision import at_least_float32, in_dtype_of


def squared_error(similarity: tf.Tensor, logit: tf.Tensor) -> tf.Tensor:
    """(y - p)^2 with p = sigmoid(logit), one number per pair.

    `keras.losses.MeanSquaredError()` is the same for `compile` and `fit` on a model that gives p.

    Args:
        similarity: y, any shape, 1 = same, 0 = different.
        logit: same shape, higher is more similar.

    Returns:
        The loss of each pair, same shape and dtype as `logit`, in [0, 1]; of float16 and bfloat16 computed in float32.
    """
    logit = tf.convert_to_tensor(logit)
    precise = at_least_float32(logit)
    return in_dtype_of(logit, tf.square(tf.cast(similarity, precise.dtype) - tf.sigmoid(precise)))
