"""Training step of objectives on labeled embeddings."""

from collections.abc import Mapping

import tensorflow as tf

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import OBJECTIVES
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.models.heads import Head


class EmbeddingObjective:
    """Training step of an objective whose loss depends on L2-normalized embeddings and their class labels.

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
        self.head = head
        self.loss = load_builder(OBJECTIVES[config.objective].loss)(config)

    def __call__(self, embeddings: tf.Tensor, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns `loss`, a scalar, for the (n, d) embeddings of a batch of `training_batches`."""
        return {"loss": self.loss(distinct_labels(batch["labels"]), unit(embeddings))}


def distinct_labels(labels: tf.Tensor) -> tf.Tensor:
    """Replaces the label -1 of each image without a known class with a unique negative label."""
    return tf.where(labels < 0, -1 - tf.range(tf.size(labels, labels.dtype)), labels)


def unit(embeddings: tf.Tensor) -> tf.Tensor:
    """Returns (n, d) embeddings after L2 normalization."""
    return tf.math.l2_normalize(embeddings, axis=-1, epsilon=1e-12)
