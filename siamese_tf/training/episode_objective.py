"""Training step of the objective `episode`."""

from collections.abc import Mapping

import tensorflow as tf

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import OBJECTIVES
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.models.heads import Head
from siamese_tf.training.embedding_objective import distinct_labels


class EpisodeObjective:
    """Training step of an objective on the logits of all pairs within each part of a batch.

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
        self.head, self.parts = head, config.parts_per_batch
        self.loss = load_builder(OBJECTIVES[config.objective].loss)

    def __call__(self, embeddings: tf.Tensor, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns `loss`, a scalar, for the (n, d) embeddings of a batch of `training_batches`."""
        parts = zip(tf.split(embeddings, self.parts), tf.split(batch["labels"], self.parts), strict=True)
        losses = [self.loss(distinct_labels(labels), self.head.logit_matrix(part, part)) for part, labels in parts]
        return {"loss": tf.add_n(losses) / self.parts}
