"""Selection of the triplet loss of a config and of its implementation."""

import importlib.util
import math
import warnings
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from siamese_tf.config.catalog import HEADS
from siamese_tf.config.settings import AUTO
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError
from siamese_tf.losses.triplet import (
    triplet_batch_all_loss,
    triplet_hard_costs,
    triplet_hard_loss,
    triplet_semihard_loss,
)
from siamese_tf.training.run_data import RunData

TripletLoss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

ADDONS = "tensorflow_addons"
ADDONS_IMAGES = 128  # per batch; its semi-hard loss takes ten times as long for twice as many images


def losses_from(config: TrainConfig) -> str:
    """Returns the implementation of a triplet loss: `native` or `addons`.

    If the config leaves it open, TensorFlow Addons is used if it is installed and has the loss, for batches of up to
    `ADDONS_IMAGES`; time and memory of its semi-hard loss are cubic in the batch size.

    Args:
        config: config with its batch shape resolved.

    Raises:
        ConfigError: if the config sets `addons`, which is not installed or does not have the loss.
    """
    installed = importlib.util.find_spec(ADDONS) is not None
    missing = _missing_from_addons(config)
    if config.losses in (None, AUTO):
        small = config.parts_per_batch * math.prod(config.batch_shape) <= ADDONS_IMAGES
        return "addons" if installed and not missing and small else "native"
    if config.losses == "addons" and (missing or not installed):
        reason = f"TensorFlow Addons has no {missing}" if missing else "TensorFlow Addons is not installed"
        hint = "Use 'native'" if missing else "Use 'native', which gives the same values"
        raise ConfigError(f"losses must be 'native' here; got 'addons': {reason}. {hint}")
    return config.losses


def triplet_metric(config: TrainConfig) -> str:
    """Returns the `distance_metric` argument of the triplet losses for the head of a resolved config."""
    metric = HEADS[str(config.head)].triplet_metric
    assert metric is not None  # the objective allows no other head
    return metric


def triplet_loss(config: TrainConfig) -> TripletLoss:
    """Returns the loss of a resolved config: a function from (n,) labels and (n, d) unit embeddings to a scalar."""
    metric, soft, margin = triplet_metric(config), config.soft, config.numeric_margin
    if config.losses == "addons":
        return _addons_loss(config.mining, margin, soft, metric)
    if config.mining == "semi-hard":
        return lambda labels, embeddings: triplet_semihard_loss(labels, embeddings, margin, metric, soft)
    if config.mining == "all":
        return lambda labels, embeddings: triplet_batch_all_loss(labels, embeddings, margin, soft, metric)
    if _has_unknown_classes(config):
        return lambda labels, embeddings: _known_anchors_hard_loss(labels, embeddings, margin, soft, metric)
    return lambda labels, embeddings: triplet_hard_loss(labels, embeddings, margin, soft, metric)


def triplet_record(config: TrainConfig, pairs: RunData) -> dict[str, Any]:
    """Returns the entries of `record.json` about the triplets of a run with a resolved config."""
    return {
        "mining": config.mining,
        "margin": config.margin,
        "losses": config.losses,
        "classes_per_batch": config.classes_per_batch,
        "images_per_class": config.images_per_class,
        "short_classes": pairs.short_classes(config),
    }


def _has_unknown_classes(config: TrainConfig) -> bool:
    return config.one_vs_rest is not None and not config.rest_is_a_class


def _missing_from_addons(config: TrainConfig) -> str | None:
    if config.mining == "all":
        return "batch-all loss"
    if config.mining == "semi-hard" and config.soft:
        return "semi-hard loss with a soft margin"
    if config.mining == "hard" and _has_unknown_classes(config):
        return "hard loss without anchors of unknown class"
    return None


def _addons_loss(mining: str, margin: float, soft: bool, metric: str) -> TripletLoss:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # TensorFlow Addons announces its end of life
        from tensorflow_addons.losses import triplet_hard_loss as addons_hard
        from tensorflow_addons.losses import triplet_semihard_loss as addons_semihard
    if mining == "semi-hard":
        return lambda labels, embeddings: addons_semihard(labels, embeddings, margin, metric)
    return lambda labels, embeddings: addons_hard(labels, embeddings, margin, soft, metric)


def _known_anchors_hard_loss(
    labels: tf.Tensor, embeddings: tf.Tensor, margin: float, soft: bool, metric: str
) -> tf.Tensor:
    """Computes the mean loss over anchors of known class only, because the positives of the others are unknown."""
    costs = triplet_hard_costs(labels, embeddings, margin, soft, metric)
    known = tf.cast(labels >= 0, costs.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(costs * known), tf.reduce_sum(known))
