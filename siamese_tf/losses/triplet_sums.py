"""The sum over all triplets of a batch, how many of them are active, and the slope, without a (n, n, n) array.

Each anchor's negatives are sorted once. The negatives that a positive at distance d(a, p) has inside d(a, p) + margin
are then the first so many, found by binary search; prefix sums give the sum of their distances. A second sort, of the
positives, gives the slope with respect to each negative. That is exact, in O(n^2 log n) time and O(n^2) memory.
"""

from typing import NamedTuple

import tensorflow as tf


class TripletSums(NamedTuple):
    """Over all triplets of a batch.

    Attributes:
        total: scalar, the sum of their losses, in the dtype of the distances.
        active: scalar int64, how many are active.
        slope: (n, n), what `total` grows by when a distance grows, row = anchor.
    """

    total: tf.Tensor
    active: tf.Tensor
    slope: tf.Tensor


def hinge_sums(distances: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor, margin: float) -> TripletSums:
    """Of max(d(a, p) - d(a, n) + margin, 0); a triplet is active where that is above 0.

    Args:
        distances: (n, n) float, row = anchor.
        positive, negative: (n, n) bool, see `triplet_masks`.
        margin: in the distances' unit.
    """
    highest = distances.dtype.max
    reach = distances + tf.cast(margin, distances.dtype)
    negatives = tf.sort(tf.where(negative, distances, highest), axis=1)
    inside = tf.searchsorted(negatives, tf.where(positive, reach, -highest))  # (n, n) int32: negatives below reach
    prefix = tf.cumsum(tf.where(negatives < highest, negatives, 0), axis=1)
    prefix = tf.pad(prefix, [[0, 0], [1, 0]])  # (n, n + 1): prefix[a, k] is the sum of the first k
    count = tf.cast(inside, distances.dtype)
    losses = tf.where(positive, count * reach - tf.gather(prefix, inside, batch_dims=1), 0)
    positives = tf.sort(tf.where(positive, reach, -highest), axis=1)
    beyond = tf.shape(distances)[1] - tf.searchsorted(positives, distances, side="right")  # positives reaching past d
    slope = tf.where(positive, count, 0) - tf.where(negative, tf.cast(beyond, distances.dtype), 0)
    return TripletSums(tf.reduce_sum(losses), tf.reduce_sum(tf.cast(inside, tf.int64)), slope)


def softplus_sums(distances: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor) -> TripletSums:
    """Of log(1 + exp(d(a, p) - d(a, n))); a triplet counts as active where the negative is nearer than the positive.

    Every triplet has a term of its own, so the time grows with their number; anchor after anchor, the memory does not.

    Args:
        distances, positive, negative: as for `hinge_sums`.
    """

    def of_anchor(row: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        to, is_positive, is_negative = row  # (n,) each
        p, n = tf.where(is_positive), tf.where(is_negative)  # (P, 1), (N, 1)
        excess = tf.gather_nd(to, p)[:, tf.newaxis] - tf.gather_nd(to, n)[tf.newaxis, :]  # (P, N)
        pull = tf.sigmoid(excess)
        slope = tf.scatter_nd(p, tf.reduce_sum(pull, axis=1), tf.shape(to, tf.int64))
        slope -= tf.scatter_nd(n, tf.reduce_sum(pull, axis=0), tf.shape(to, tf.int64))
        return tf.reduce_sum(tf.nn.softplus(excess)), tf.math.count_nonzero(excess > 0), slope

    dtype = distances.dtype
    signature = (tf.TensorSpec((), dtype), tf.TensorSpec((), tf.int64), tf.TensorSpec((None,), dtype))
    totals, active, slope = tf.map_fn(of_anchor, (distances, positive, negative), fn_output_signature=signature)
    return TripletSums(tf.reduce_sum(totals), tf.reduce_sum(active), slope)
