"""Builder of the training step of an objective: the computation from the embeddings of a batch to the loss."""

from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import OBJECTIVES
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.models.heads import Head

STEPS = {
    "distance": "siamese_tf.training.pair_objective:PairObjective",
    "logit": "siamese_tf.training.pair_objective:PairObjective",
    "logit matrix": "siamese_tf.training.episode_objective:EpisodeObjective",
    "embeddings": "siamese_tf.training.embedding_objective:EmbeddingObjective",
}


class Step(Protocol):
    """Protocol of a training step, which is built from a resolved config and the head of the model.

    Attributes:
        names: names of the metrics, `loss` first.
    """

    names: tuple[str, ...]

    def __call__(self, embeddings: tf.Tensor, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns scalar metrics of the (n, d) embeddings of a batch of `training_batches`."""


def build_step(config: TrainConfig, head: Head) -> Step:
    """Builds the training step of the objective of a resolved config."""
    row = OBJECTIVES[config.objective]
    return load_builder(row.step or STEPS[row.reads])(config, head)
