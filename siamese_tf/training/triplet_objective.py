"""What a training step of the triplet objective measures."""

from functools import partial

import tensorflow as tf

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.losses.labelled_batch import triplet_masks
from siamese_tf.losses.triplet import triplet_counts
from siamese_tf.models.heads import Head
from siamese_tf.training.triplets import METRIC, triplet_loss


class TripletObjective:
    """From the embeddings of a batch to its measures.

    Attributes:
        names: of the measures, the loss first.
    """

    names = ("loss", "active_fraction", "positive_distance", "negative_distance")

    def __init__(self, config: TrainConfig, head: Head):
        self.head = head
        self.loss = triplet_loss(config)
        self.counts = partial(
            triplet_counts, margin=config.numeric_margin, soft=config.soft, distance_metric=METRIC[str(config.head)]
        )

    def __call__(self, embeddings: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Of the (n, d) embeddings of a batch of `training_batches`.

        Returns:
            Scalars: `loss`; `active_fraction`, the share of all triplets of the batch that are active, whichever of
            them the loss looks at; `positive_distance` and `negative_distance`, means over the pairs of images.
        """
        labels = batch["labels"]
        known = tf.logical_or(labels[:, tf.newaxis] >= 0, labels[tf.newaxis, :] >= 0)  # two of the rest: nobody knows
        # An image of the rest is of nobody's class but its own.
        labels = tf.where(labels < 0, -1 - tf.range(tf.size(labels, labels.dtype)), labels)
        unit = tf.math.l2_normalize(embeddings, axis=-1, epsilon=1e-12)
        active, valid = self.counts(labels, tf.stop_gradient(unit))
        distances = tf.stop_gradient(self.head.distance_matrix(embeddings, embeddings))
        positive, negative = triplet_masks(labels)
        return {
            "loss": self.loss(labels, unit),
            "active_fraction": tf.cast(active / tf.maximum(valid, 1), tf.float32),
            "positive_distance": _mean(distances, positive),
            "negative_distance": _mean(distances, tf.logical_and(negative, known)),
        }


def _mean(values: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    weights = tf.cast(counted, values.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights), tf.reduce_sum(weights))
