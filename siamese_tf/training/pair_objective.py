"""What a training step of an objective on pairs measures: its loss on the pairs of the step."""

from collections.abc import Callable

import tensorflow as tf

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.losses.pairs import balanced_mean
from siamese_tf.models.heads import Head

PairLoss = Callable[[tf.Tensor, tf.Tensor, TrainConfig], tf.Tensor]


class PairObjective:
    """From the embeddings of a batch to its measures.

    Attributes:
        names: of the measures, the loss first.
    """

    names = ("loss",)

    def __init__(self, measure: str, loss: PairLoss, config: TrainConfig, head: Head):
        """Sets up the step.

        Args:
            measure: what of the head the loss reads: `logit` (higher is more similar) or `distance` (lower is).
            loss: (similarity, measure, config) to one number per pair, all of one shape.
            config: of the run, settled.
            head: of the model.
        """
        self.loss, self.config = loss, config
        self.row_by_row = head.logit if measure == "logit" else head.distance
        self.matrix = head.logit_matrix if measure == "logit" else head.distance_matrix

    def __call__(self, embeddings: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Of the (n, d) embeddings of a batch of `training_batches`: `loss`, a scalar."""
        all_pairs = self.config.pairs_per_step == "all"
        return {"loss": self._all_pairs(embeddings, batch) if all_pairs else self._listed(embeddings, batch)}

    def _all_pairs(self, embeddings: tf.Tensor, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """Every image of the step against every other; the pair file knows the labels of them all."""
        labels, index = batch["labels"], batch["index"]
        similar = labels[:, tf.newaxis] == labels[tf.newaxis, :]  # (n, n)
        known = tf.logical_or(labels[:, tf.newaxis] >= 0, labels[tf.newaxis, :] >= 0)  # two of the rest: nobody knows
        others = index[:, tf.newaxis] != index[tf.newaxis, :]  # no image with itself
        similarity = tf.cast(similar, tf.float32)
        counted = tf.cast(tf.logical_and(known, others), tf.float32)
        return balanced_mean(
            self.loss(similarity, self.matrix(embeddings, embeddings), self.config), similarity, counted
        )

    def _listed(self, embeddings: tf.Tensor, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """Only the pairs the file lists, weighted alike."""
        a, b = tf.split(embeddings, 2)  # (m, d) each
        return tf.reduce_mean(self.loss(batch["similarity"], self.row_by_row(a, b), self.config))
