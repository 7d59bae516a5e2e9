"""Triplet losses: an anchor should be closer to images of its class than to images of other classes, by a margin.

Each loss takes a batch of labels and embeddings and mines the triplets in it. d(a, p) is the distance of an anchor to a
positive (another image of its class), d(a, n) to a negative (an image of another class). The soft margin (`soft`)
replaces the hinge by log(1 + exp(d(a, p) - d(a, n))), whose gradient never vanishes.

`TripletSemiHardLoss` and `TripletHardLoss` have the names, arguments and values of the losses in TensorFlow Addons,
except for batches without a positive pair, where the semi-hard loss of Addons is NaN and this one is 0. They run on
Keras 2 and Keras 3.

References:
    Schroff, Kalenichenko and Philbin 2015, "FaceNet" (semi-hard); Hermans, Beyer and Leibe 2017, "In defense of the
    triplet loss for person re-identification" (batch-hard, batch-all, soft margin).
"""

from typing import Any

import tensorflow as tf

from siamese_tf.losses.half_precision import restore_dtype
from siamese_tf.losses.labeled_batch import Metric, batch_distances, triplet_masks
from siamese_tf.losses.triplet_sums import TripletSums, hinge_sums, softplus_sums

AVERAGES = ("active", "valid")


def triplet_semihard_loss(
    y_true: tf.Tensor, y_pred: tf.Tensor, margin: float = 1.0, distance_metric: Metric = "L2", soft: bool = False
) -> tf.Tensor:
    """Returns the triplet loss with semi-hard negatives.

    max(d(a, p) - d(a, n) + margin, 0), averaged over the positive pairs (in both orders). The negative is the nearest
    negative that is farther from the anchor than the positive, or else the farthest negative. In a batch of one class,
    the anchor itself is the negative. O(n^2 log n) time, O(n^2) memory.

    Args:
        y_true: class labels, (n,) or (n, 1).
        y_pred: embeddings, (n, d) float, usually L2-normalized.
        margin: required difference between the two distances, in the unit of the distance.
        distance_metric: `L2`, `squared-L2`, `angular` or a function; `batch_distances` describes them.
        soft: if True, uses log(1 + exp(d(a, p) - d(a, n))) instead of the hinge and ignores `margin`.

    Returns:
        Scalar >= 0 in the dtype of the embeddings, computed in at least float32; 0 without a positive pair.
    """
    distances, positive, negative = _batch(y_true, y_pred, distance_metric)
    largest = distances.dtype.max
    candidates = tf.where(negative, distances, largest)
    order = tf.argsort(candidates, axis=1)  # negatives of each anchor, nearest first, then the other images
    nearest_first = tf.gather(candidates, order, batch_dims=1)
    farther = tf.searchsorted(nearest_first, tf.where(positive, distances, -largest), side="right")  # (n, n) int32
    last = tf.reduce_sum(tf.cast(negative, tf.int32), axis=1, keepdims=True) - 1
    chosen = tf.gather(order, tf.maximum(tf.minimum(farther, last), 0), batch_dims=1)
    to_negative = tf.gather(distances, chosen, batch_dims=1)
    to_negative = tf.where(last < 0, tf.reduce_min(distances, axis=1, keepdims=True), to_negative)
    losses = tf.where(positive, _triplet_cost(distances - to_negative, margin, soft), 0)
    mean = tf.math.divide_no_nan(tf.reduce_sum(losses), tf.reduce_sum(tf.cast(positive, losses.dtype)))
    return restore_dtype(tf.convert_to_tensor(y_pred), mean)


def triplet_hard_loss(
    y_true: tf.Tensor, y_pred: tf.Tensor, margin: float = 1.0, soft: bool = False, distance_metric: Metric = "L2"
) -> tf.Tensor:
    """Returns the batch-hard triplet loss: the mean of `triplet_hard_costs`.

    Args:
        y_true, y_pred, margin, soft, distance_metric: as for `triplet_semihard_loss`.

    Returns:
        Scalar >= 0 in the dtype of the embeddings, computed in at least float32.
    """
    mean = tf.reduce_mean(triplet_hard_costs(y_true, y_pred, margin, soft, distance_metric))
    return restore_dtype(tf.convert_to_tensor(y_pred), mean)


def triplet_hard_costs(
    y_true: tf.Tensor, y_pred: tf.Tensor, margin: float = 1.0, soft: bool = False, distance_metric: Metric = "L2"
) -> tf.Tensor:
    """Returns max(d(a, p) - d(a, n) + margin, 0) of each anchor with its farthest positive and nearest negative.

    An anchor without a positive uses itself; an anchor without a negative uses the farthest image of the batch. O(n^2)
    time and memory.

    Args:
        y_true, y_pred, margin, soft, distance_metric: as for `triplet_semihard_loss`.

    Returns:
        Losses >= 0, (n,) float32 (float64 for float64 embeddings).
    """
    distances, positive, negative = _batch(y_true, y_pred, distance_metric)
    largest = distances.dtype.max
    to_positive = tf.reduce_max(tf.where(positive, distances, -largest), axis=1)
    to_negative = tf.reduce_min(tf.where(negative, distances, largest), axis=1)
    to_positive = tf.where(tf.reduce_any(positive, axis=1), to_positive, tf.reduce_min(distances, axis=1))
    to_negative = tf.where(tf.reduce_any(negative, axis=1), to_negative, tf.reduce_max(distances, axis=1))
    return _triplet_cost(to_positive - to_negative, margin, soft)


def triplet_batch_all_loss(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    soft: bool = False,
    distance_metric: Metric = "L2",
    average: str = "active",
) -> tf.Tensor:
    """Returns the batch-all triplet loss, computed from every triplet of the batch.

    max(d(a, p) - d(a, n) + margin, 0), averaged over the active triplets (those above 0) or over all valid ones, in
    O(n^2 log n) time and O(n^2) memory. The soft margin is never 0, so it is averaged over all valid triplets, in time
    proportional to their number.

    Args:
        y_true, y_pred, margin, soft, distance_metric: as for `triplet_semihard_loss`.
        average: triplets to average over, `active` or `valid`.

    Returns:
        Scalar >= 0 in the dtype of the embeddings, computed in at least float32; 0 for a batch without a triplet.

    Raises:
        ValueError: if `average` is unknown.
    """
    if average not in AVERAGES:
        raise ValueError(f"average must be one of {', '.join(AVERAGES)}; got {average!r}")
    distances, positive, negative = _batch(y_true, y_pred, distance_metric)

    @tf.custom_gradient
    def total_and_active(distances: tf.Tensor) -> Any:
        sums = _sums(distances, positive, negative, margin, soft)
        return (sums.total, sums.active), lambda upstream, _: upstream * sums.gradient

    total, active = total_and_active(distances)
    count = active if average == "active" and not soft else _count_valid(positive, negative)
    mean = total / tf.cast(tf.maximum(count, 1), total.dtype)  # NaN if `total` is NaN
    return restore_dtype(tf.convert_to_tensor(y_pred), mean)


def triplet_counts(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    soft: bool = False,
    distance_metric: Metric = "L2",
    max_anchors: int | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Counts the active and the valid triplets of a batch.

    A triplet is active if the positive is not closer than the negative by the margin; with `soft`, if the negative is
    closer than the positive.

    Args:
        y_true, y_pred, margin, soft, distance_metric: as for `triplet_semihard_loss`.
        max_anchors: counts the triplets of at most this many evenly spaced anchors; None counts those of all.

    Returns:
        Two int64 scalars: active, valid.
    """
    batch = _batch(y_true, y_pred, distance_metric)
    if max_anchors is not None:
        step = tf.maximum(1, -(-tf.shape(batch[0])[0] // max_anchors))
        batch = tuple(part[::step] for part in batch)
    distances, positive, negative = batch
    sums = hinge_sums(distances, positive, negative, 0.0 if soft else margin)
    return sums.active, _count_valid(positive, negative)


def _batch(y_true: Any, y_pred: Any, metric: Metric) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    embeddings = tf.convert_to_tensor(y_pred)
    return batch_distances(embeddings, metric), *triplet_masks(tf.convert_to_tensor(y_true), embeddings.shape[0])


def _triplet_cost(excess: tf.Tensor, margin: float, soft: bool) -> tf.Tensor:
    """Returns the loss of triplets whose positive is farther than their negative by `excess`."""
    return tf.nn.softplus(excess) if soft else tf.nn.relu(excess + tf.cast(margin, excess.dtype))


def _sums(distances: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor, margin: float, soft: bool) -> TripletSums:
    if soft:
        return softplus_sums(distances, positive, negative)
    return hinge_sums(distances, positive, negative, margin)


def _count_valid(positive: tf.Tensor, negative: tf.Tensor) -> tf.Tensor:
    """Returns the number of triplets, an int64 scalar."""
    per_anchor = [tf.math.count_nonzero(kind, axis=1) for kind in (positive, negative)]
    return tf.reduce_sum(per_anchor[0] * per_anchor[1])
