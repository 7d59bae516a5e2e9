"""Binary cross-entropy on the head's logit."""

import tensorflow as tf


def binary_cross_entropy(similarity: tf.Tensor, logit: tf.Tensor) -> tf.Tensor:
    """-y log p - (1 - y) log(1 - p) with p = sigmoid(logit), one number per pair, without overflow at either end.

    `keras.losses.BinaryCrossentropy(from_logits=True)` is the same for `compile` and `fit`.

    Args:
        similarity: y, any shape, 1 = same, 0 = different.
        logit: same shape, higher is more similar.

    Returns:
        The loss of each pair, same shape, >= 0.
    """
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.cast(similarity, logit.dtype), logits=logit)
