"""Episode loss: every image must be more similar to the others of its class than to all other classes together."""

import tensorflow as tf

from siamese_tf.losses.labeled_batch import triplet_masks

MASKED = -1e9  # logit of a pair that is no negative; infinity would make the gradient NaN


def episode_loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Computes the mean of softplus(logsumexp(negatives) - positive) over all anchors and positives of an episode.

    It is the cross-entropy of choosing the positive among itself and all negatives of the anchor.

    Args:
        labels: class of each image, (n,) integers.
        logits: logits of all pairs of images, (n, n) float32; higher is more similar.

    Returns:
        A scalar; 0 if no anchor has both a positive and a negative.
    """
    positive, negative = triplet_masks(labels)
    of_negatives = tf.reduce_logsumexp(tf.where(negative, logits, MASKED), axis=1, keepdims=True)  # (n, 1)
    counted = tf.logical_and(positive, tf.reduce_any(negative, axis=1, keepdims=True))
    losses = tf.where(counted, tf.nn.softplus(of_negatives - logits), 0.0)  # (n, n), row = anchor
    return tf.math.divide_no_nan(tf.reduce_sum(losses), tf.reduce_sum(tf.cast(counted, losses.dtype)))
