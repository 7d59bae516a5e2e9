"""Training step of objectives on pairs: the mean loss over the pairs of a batch."""

from collections.abc import Mapping

import tensorflow as tf

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import OBJECTIVES
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.losses.pairs import balanced_mean
from siamese_tf.models.heads import Head


class PairObjective:
    """Training step of an objective whose loss depends on the distance or the logit of a pair.

    Attributes:
        names: names of the metrics, `loss` first.
    """

    names: tuple[str, ...] = ("loss",)

    def __init__(self, config: TrainConfig, head: Head):
        """Creates the step.

        Args:
            config: resolved config of the run.
            head: head of the model.
        """
        row = OBJECTIVES[config.objective]
        self.config = config
        self._loss = load_builder(row.loss)
        self._margin = (config.numeric_margin,) if row.margins else ()
        self.paired, self.matrix = (
            (head.logit, head.logit_matrix) if row.reads == "logit" else (head.distance, head.distance_matrix)
        )

    def __call__(self, embeddings: tf.Tensor, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns `loss`, a scalar, for the (n, d) embeddings of a batch of `training_batches`."""
        all_pairs = self.config.pairs_per_step == "all"
        return {"loss": self._all_pairs(embeddings, batch) if all_pairs else self._listed_pairs(embeddings, batch)}

    def loss(self, similarity: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each pair.

        Args:
            similarity: 1 for the same class, 0 for different classes; any shape.
            values: distances or logits, of the same shape.
        """
        return self._loss(similarity, values, *self._margin)

    def _all_pairs(self, embeddings: tf.Tensor, batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the mean loss over all pairs of images of the batch, weighting both similarities equally."""
        labels, index = batch["labels"], batch["index"]
        similar = labels[:, tf.newaxis] == labels[tf.newaxis, :]  # (n, n)
        # Two images without a known class (label -1) may or may not be of the same class.
        known = tf.logical_or(labels[:, tf.newaxis] >= 0, labels[tf.newaxis, :] >= 0)
        distinct = index[:, tf.newaxis] != index[tf.newaxis, :]
        similarity = tf.cast(similar, tf.float32)
        weights = tf.cast(tf.logical_and(known, distinct), tf.float32)
        return balanced_mean(self.loss(similarity, self.matrix(embeddings, embeddings)), similarity, weights)

    def _listed_pairs(self, embeddings: tf.Tensor, batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the mean loss over the listed pairs of the batch."""
        first, second = tf.split(embeddings, 2)  # (m, d) each
        return tf.reduce_mean(self.loss(batch["similarity"], self.paired(first, second)))
