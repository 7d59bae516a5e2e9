"""Binary cross-entropy on the head's logit."""

import tensorflow as tf

from siamese_tf.losses.half_precision import restore_dtype, upcast_half


def binary_cross_entropy(similarity: tf.Tensor, logit: tf.Tensor) -> tf.Tensor:
    """Returns -y log p - (1 - y) log(1 - p) with p = sigmoid(logit) for each pair, without overflow.

    `keras.losses.BinaryCrossentropy(from_logits=True)` is the equivalent for `compile` and `fit`.

    Args:
        similarity: y, any shape, 1 = same, 0 = different.
        logit: float, same shape, higher is more similar.

    Returns:
        Losses >= 0, one per pair, in the shape and dtype of `logit`; float16 and bfloat16 are computed in float32.
    """
    logit = tf.convert_to_tensor(logit)
    precise = upcast_half(logit)
    labels = tf.cast(similarity, precise.dtype)
    return restore_dtype(logit, tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=precise))
