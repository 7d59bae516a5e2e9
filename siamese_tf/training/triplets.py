"""The triplet objective: which loss a config means, and where it is from."""

import importlib.util
import warnings
from collections.abc import Callable

import tensorflow as tf

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError
from siamese_tf.losses.triplet import (
    triplet_batch_all_loss,
    triplet_hard_costs,
    triplet_hard_loss,
    triplet_semihard_loss,
)

TripletLoss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

METRIC = {"euclidean": "L2", "cosine": "angular"}  # what a head's distance is called among triplet losses
ADDONS = "tensorflow_addons"


def losses_from(config: TrainConfig) -> str:
    """Where the loss of a config is from: `addons` where it has it, unless `native` is asked for.

    Raises:
        ConfigError: `addons` is asked for, and is not installed or does not have the loss.
    """
    installed = importlib.util.find_spec(ADDONS) is not None
    lacking = _what_addons_lacks(config)
    if config.losses is not None:
        if config.losses == "addons" and (lacking or not installed):
            why = f"TensorFlow Addons has no {lacking}" if lacking else "TensorFlow Addons is not installed"
            cure = "Use 'native'" if lacking else "Use 'native', whose values are the same"
            raise ConfigError(f"losses 'addons' cannot serve: {why}. {cure}")
        return config.losses
    return "addons" if installed and not lacking else "native"


def _what_addons_lacks(config: TrainConfig) -> str | None:
    if config.mining == "all":
        return "batch-all loss"
    if config.mining == "semi-hard" and config.soft:
        return "semi-hard loss with a soft margin"
    if config.mining == "hard" and config.one_vs_rest and not config.rest_is_a_class:
        return "hard loss that leaves out anchors of no known class"
    return None


def triplet_loss(config: TrainConfig) -> TripletLoss:
    """The loss of a settled config: (n,) labels and (n, d) embeddings to a scalar."""
    metric, soft, margin = METRIC[str(config.head)], config.soft, config.numeric_margin
    if config.losses == "addons":
        return _addons_loss(config.mining, margin, soft, metric)
    if config.mining == "semi-hard":
        return lambda labels, embeddings: triplet_semihard_loss(labels, embeddings, margin, metric, soft)
    if config.mining == "all":
        return lambda labels, embeddings: triplet_batch_all_loss(labels, embeddings, margin, soft, metric)
    if config.one_vs_rest and not config.rest_is_a_class:
        return lambda labels, embeddings: _hard_loss_of_the_class(labels, embeddings, margin, soft, metric)
    return lambda labels, embeddings: triplet_hard_loss(labels, embeddings, margin, soft, metric)


def _addons_loss(mining: str, margin: float, soft: bool, metric: str) -> TripletLoss:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that its development has ended: we know
        from tensorflow_addons.losses import triplet_hard_loss as addons_hard
        from tensorflow_addons.losses import triplet_semihard_loss as addons_semihard
    if mining == "semi-hard":
        return lambda labels, embeddings: addons_semihard(labels, embeddings, margin, metric)
    return lambda labels, embeddings: addons_hard(labels, embeddings, margin, soft, metric)


def _hard_loss_of_the_class(
    labels: tf.Tensor, embeddings: tf.Tensor, margin: float, soft: bool, metric: str
) -> tf.Tensor:
    """Only anchors of a known class: nobody knows which images the others should be near to."""
    costs = triplet_hard_costs(labels, embeddings, margin, soft, metric)
    known = tf.cast(labels >= 0, costs.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(costs * known), tf.reduce_sum(known))
