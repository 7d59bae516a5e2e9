"""The one table where head and loss meet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.losses.bce import binary_cross_entropy
from siamese_tf.losses.contrastive import contrastive_loss
from siamese_tf.losses.mse import squared_error
from siamese_tf.models.heads import Head
from siamese_tf.training.pair_objective import PairObjective
from siamese_tf.training.triplet_objective import TripletObjective


@dataclass(frozen=True)
class Objective:
    """What a network is trained for.

    Attributes:
        head: the head it meets unless another is asked for.
        step: what a training step of a settled config measures with a head.
        margins: by the head, unless another is asked for; empty where the loss has none.
    """

    head: str
    step: Callable[[TrainConfig, Head], PairObjective | TripletObjective]
    margins: Mapping[str, float] = field(default_factory=dict)


OBJECTIVES = {
    "bce": Objective(
        "cosine", partial(PairObjective, "logit", lambda similarity, logit, _: binary_cross_entropy(similarity, logit))
    ),
    "mse": Objective(
        "cosine", partial(PairObjective, "logit", lambda similarity, logit, _: squared_error(similarity, logit))
    ),
    "contrastive": Objective(
        "cosine",
        partial(
            PairObjective,
            "distance",
            lambda similarity, distance, config: contrastive_loss(similarity, distance, config.numeric_margin),
        ),
        margins={"cosine": 0.5, "euclidean": 1.0, "concat": 1.0},
    ),
    "triplet": Objective("euclidean", TripletObjective, margins={"euclidean": 0.5, "cosine": 0.5}),
}
