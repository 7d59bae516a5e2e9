"""Sum over all triplets of a batch, number of active triplets, and gradient, without an (n, n, n) array.

The negatives of each anchor are sorted once. The negatives nearer than d(a, p) + margin are then a prefix, whose length
is found by binary search; cumulative sums give the sum of their distances. A second sort, of the positives, gives the
gradient with respect to each negative. The result is exact, in O(n^2 log n) time and O(n^2) memory.
"""

from typing import NamedTuple

import tensorflow as tf


class TripletSums(NamedTuple):
    """Sums over all triplets of a batch.

    Attributes:
        total: sum of the losses, scalar, in the dtype of the distances.
        active: number of active triplets, scalar int64.
        gradient: derivative of `total` with respect to each distance, (n, n), row = anchor.
    """

    total: tf.Tensor
    active: tf.Tensor
    gradient: tf.Tensor


def hinge_sums(distances: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor, margin: float) -> TripletSums:
    """Sums max(d(a, p) - d(a, n) + margin, 0) over the triplets; a triplet with a loss above 0 is active.

    Args:
        distances: distances, (n, n) float, row = anchor, lower is more similar.
        positive, negative: masks from `triplet_masks`, (n, n) bool.
        margin: margin in the unit of the distances.
    """
    largest = distances.dtype.max
    limit = distances + tf.cast(margin, distances.dtype)  # a negative below the limit of a positive is active
    negatives = tf.sort(tf.where(negative, distances, largest), axis=1)
    below = tf.searchsorted(negatives, tf.where(positive, limit, -largest))  # (n, n) int32: negatives below the limit
    prefix = tf.cumsum(tf.where(negatives < largest, negatives, 0), axis=1)
    prefix = tf.pad(prefix, [[0, 0], [1, 0]])  # (n, n + 1): prefix[a, k] is the sum of the first k
    count = tf.cast(below, distances.dtype)
    losses = tf.where(positive, count * limit - tf.gather(prefix, below, batch_dims=1), 0)
    limits = tf.sort(tf.where(positive, limit, -largest), axis=1)
    above = tf.shape(distances)[1] - tf.searchsorted(limits, distances, side="right")  # limits above each distance
    gradient = tf.where(positive, count, 0) - tf.where(negative, tf.cast(above, distances.dtype), 0)
    return TripletSums(tf.reduce_sum(losses), tf.reduce_sum(tf.cast(below, tf.int64)), gradient)


def softplus_sums(distances: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor) -> TripletSums:
    """Sums log(1 + exp(d(a, p) - d(a, n))); a triplet is active if its negative is nearer than its positive.

    Each triplet has a separate term, so the time is proportional to the number of triplets; the memory is not, since
    anchors are processed one at a time.

    Args:
        distances, positive, negative: arguments of `hinge_sums`.
    """

    def anchor_sums(row: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        row_distances, is_positive, is_negative = row  # (n,) each
        p, n = tf.where(is_positive), tf.where(is_negative)  # (P, 1), (N, 1)
        excess = tf.gather_nd(row_distances, p)[:, tf.newaxis] - tf.gather_nd(row_distances, n)[tf.newaxis, :]  # (P, N)
        derivative = tf.sigmoid(excess)  # of softplus
        gradient = tf.scatter_nd(p, tf.reduce_sum(derivative, axis=1), tf.shape(row_distances, tf.int64))
        gradient -= tf.scatter_nd(n, tf.reduce_sum(derivative, axis=0), tf.shape(row_distances, tf.int64))
        return tf.reduce_sum(tf.nn.softplus(excess)), tf.math.count_nonzero(excess > 0), gradient

    dtype = distances.dtype
    signature = (tf.TensorSpec((), dtype), tf.TensorSpec((), tf.int64), tf.TensorSpec((None,), dtype))
    totals, active, gradient = tf.map_fn(anchor_sums, (distances, positive, negative), fn_output_signature=signature)
    return TripletSums(tf.reduce_sum(totals), tf.reduce_sum(active), gradient)
