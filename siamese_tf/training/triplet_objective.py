"""Training step of the triplet objective."""

from collections.abc import Mapping
from functools import partial

import tensorflow as tf

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.losses.labeled_batch import triplet_masks
from siamese_tf.losses.triplet import triplet_counts
from siamese_tf.models.heads import Head
from siamese_tf.training.embedding_objective import EmbeddingObjective, distinct_labels, unit
from siamese_tf.training.triplets import triplet_metric

COUNTED_ANCHORS = 64  # per batch; counting all of 256 takes as long as the loss


class TripletObjective(EmbeddingObjective):
    """Training step that computes the triplet loss, and metrics of the distances between embeddings.

    Attributes:
        names: names of the metrics, `loss` first.
    """

    names = ("loss", "active_fraction", "positive_distance", "negative_distance")

    def __init__(self, config: TrainConfig, head: Head):
        super().__init__(config, head)
        self.counts = partial(
            triplet_counts,
            margin=config.numeric_margin,
            soft=config.soft,
            distance_metric=triplet_metric(config),
            max_anchors=COUNTED_ANCHORS,
        )

    def __call__(self, embeddings: tf.Tensor, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Computes the metrics of the (n, d) embeddings of a batch of `training_batches`.

        Returns:
            Scalars: `loss`; `active_fraction`, the fraction of active triplets among all valid triplets, mined or not,
            of up to `COUNTED_ANCHORS` anchors; `positive_distance` and `negative_distance`, the mean distances between
            images of the same class and of different classes.
        """
        labels = batch["labels"]
        # Two images without a known class (label -1) may or may not be of the same class.
        known = tf.logical_or(labels[:, tf.newaxis] >= 0, labels[tf.newaxis, :] >= 0)
        labels = distinct_labels(labels)
        normalized = unit(embeddings)
        active, valid = self.counts(labels, tf.stop_gradient(normalized))
        distances = tf.stop_gradient(self.head.distance_matrix(embeddings, embeddings))
        positive, negative = triplet_masks(labels)
        return {
            "loss": self.loss(labels, normalized),
            "active_fraction": tf.cast(active / tf.maximum(valid, 1), tf.float32),
            "positive_distance": _masked_mean(distances, positive),
            "negative_distance": _masked_mean(distances, tf.logical_and(negative, known)),
        }


def _masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    weights = tf.cast(mask, values.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights), tf.reduce_sum(weights))
