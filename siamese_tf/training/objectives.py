"""The one table where head and loss meet."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from siamese_tf.config import TrainConfig
from siamese_tf.losses.bce import binary_cross_entropy
from siamese_tf.losses.contrastive import contrastive_loss
from siamese_tf.losses.mse import squared_error


@dataclass(frozen=True)
class Objective:
    """What a network is trained for.

    Attributes:
        head: the head it meets unless another is asked for.
        measure: what of the head its loss reads: `logit` (higher is more similar) or `distance` (lower is).
        loss: (similarity, measure, config) to one number per pair, all of one shape.
    """

    head: str
    measure: str
    loss: Callable[[tf.Tensor, tf.Tensor, TrainConfig], tf.Tensor]


OBJECTIVES = {
    "bce": Objective("cosine", "logit", lambda similarity, logit, _: binary_cross_entropy(similarity, logit)),
    "mse": Objective("cosine", "logit", lambda similarity, logit, _: squared_error(similarity, logit)),
    "contrastive": Objective(
        "euclidean",
        "distance",
        lambda similarity, distance, config: contrastive_loss(similarity, distance, config.margin),
    ),
}
