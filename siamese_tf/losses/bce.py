"""Binary cross-entropy on the head's logit."""

import tensorflow as tf

from siamese_tf.losses.half_precision import at_least_float32, in_dtype_of


def binary_cross_entropy(similarity: tf.Tensor, logit: tf.Tensor) -> tf.Tensor:
    """-y log p - (1 - y) log(1 - p) with p = sigmoid(logit), one number per pair, without overflow at either end.

    `keras.losses.BinaryCrossentropy(from_logits=True)` is the same for `compile` and `fit`.

    Args:
        similarity: y, any shape, 1 = same, 0 = different.
        logit: same shape, higher is more similar.

    Returns:
        The loss of each pair, same shape and dtype as `logit`, >= 0; of float16 and bfloat16 computed in float32.
    """
    logit = tf.convert_to_tensor(logit)
    precise = at_least_float32(logit)
    labels = tf.cast(similarity, precise.dtype)
    return in_dtype_of(logit, tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=precise))
