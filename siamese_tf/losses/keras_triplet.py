"""Keras wrappers of the triplet losses; `y_true` contains class labels, (n,), and `y_pred` embeddings, (n, d)."""

from typing import Any

import tensorflow as tf
from tensorflow import keras

from siamese_tf.losses.half_precision import HalfPrecisionLoss
from siamese_tf.losses.labeled_batch import METRICS, Metric, relabel_classes
from siamese_tf.losses.triplet import (
    AVERAGES,
    triplet_batch_all_loss,
    triplet_counts,
    triplet_hard_loss,
    triplet_semihard_loss,
)


class _ClassLabelLoss(HalfPrecisionLoss):
    """Base class of losses on class labels of any size; Keras 3 casts labels to float32, where 2^24 + 1 equals 2^24."""

    def __call__(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: None = None) -> tf.Tensor:
        return super().__call__(relabel_classes(tf.convert_to_tensor(y_true)), y_pred, sample_weight)


@keras.utils.register_keras_serializable(package="siamese_tf")
class TripletSemiHardLoss(_ClassLabelLoss):
    """Keras wrapper of `triplet_semihard_loss`; a drop-in replacement for the same class in TensorFlow Addons."""

    def __init__(
        self,
        margin: float = 1.0,
        distance_metric: Metric = "L2",
        name: str | None = "triplet_semihard_loss",
        soft: bool = False,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.margin, self.distance_metric, self.soft = margin, _deserialize_metric(distance_metric), soft

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return triplet_semihard_loss(y_true, y_pred, self.margin, self.distance_metric, self.soft)

    def get_config(self) -> dict[str, Any]:
        own = {"margin": self.margin, "distance_metric": _serialize_metric(self.distance_metric), "soft": self.soft}
        return {**super().get_config(), **own}


@keras.utils.register_keras_serializable(package="siamese_tf")
class TripletHardLoss(_ClassLabelLoss):
    """Keras wrapper of `triplet_hard_loss`; a drop-in replacement for the same class in TensorFlow Addons."""

    def __init__(
        self,
        margin: float = 1.0,
        soft: bool = False,
        distance_metric: Metric = "L2",
        name: str | None = "triplet_hard_loss",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.margin, self.soft, self.distance_metric = margin, soft, _deserialize_metric(distance_metric)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return triplet_hard_loss(y_true, y_pred, self.margin, self.soft, self.distance_metric)

    def get_config(self) -> dict[str, Any]:
        own = {"margin": self.margin, "soft": self.soft, "distance_metric": _serialize_metric(self.distance_metric)}
        return {**super().get_config(), **own}


@keras.utils.register_keras_serializable(package="siamese_tf")
class TripletBatchAllLoss(_ClassLabelLoss):
    """Keras wrapper of `triplet_batch_all_loss`; monitor it with `ActiveTriplets` and the same arguments."""

    def __init__(
        self,
        margin: float = 1.0,
        soft: bool = False,
        distance_metric: Metric = "L2",
        average: str = "active",
        name: str | None = "triplet_batch_all_loss",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.margin, self.soft, self.distance_metric = margin, soft, _deserialize_metric(distance_metric)
        if average not in AVERAGES:
            raise ValueError(f"average must be one of {', '.join(AVERAGES)}; got {average!r}")
        self.average = average

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return triplet_batch_all_loss(y_true, y_pred, self.margin, self.soft, self.distance_metric, self.average)

    def get_config(self) -> dict[str, Any]:
        own = {
            "margin": self.margin,
            "soft": self.soft,
            "distance_metric": _serialize_metric(self.distance_metric),
            "average": self.average,
        }
        return {**super().get_config(), **own}


@keras.utils.register_keras_serializable(package="siamese_tf")
class ActiveTriplets(keras.metrics.Metric):
    """Fraction of active triplets (`triplet_counts`) over all batches since the last reset, in [0, 1]."""

    def __init__(
        self,
        margin: float = 1.0,
        soft: bool = False,
        distance_metric: Metric = "L2",
        name: str = "active_triplets",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.margin, self.soft, self.distance_metric = margin, soft, _deserialize_metric(distance_metric)
        self.active = self.add_weight(name="active", shape=(), initializer="zeros", dtype="float64")
        self.valid = self.add_weight(name="valid", shape=(), initializer="zeros", dtype="float64")

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: None = None) -> None:
        active, valid = triplet_counts(y_true, y_pred, self.margin, self.soft, self.distance_metric)
        self.active.assign_add(tf.cast(active, tf.float64))
        self.valid.assign_add(tf.cast(valid, tf.float64))

    def result(self) -> tf.Tensor:
        return tf.math.divide_no_nan(tf.convert_to_tensor(self.active), tf.convert_to_tensor(self.valid))

    def get_config(self) -> dict[str, Any]:
        own = {"margin": self.margin, "soft": self.soft, "distance_metric": _serialize_metric(self.distance_metric)}
        return {**super().get_config(), **own}


def _deserialize_metric(metric: Metric) -> Metric:
    """Returns the metric for a name, a function, or a value returned by `_serialize_metric`."""
    if callable(metric) or metric in METRICS:
        return metric
    registered = keras.utils.get_registered_object(metric)
    if registered is None:
        raise ValueError(
            f"distance_metric must be one of {', '.join(METRICS)}, or a function; got {metric!r}. Register the"
            " function of that name before loading with keras.utils.register_keras_serializable or custom_objects"
        )
    return registered


def _serialize_metric(metric: Metric) -> str:
    """Returns the name under which a metric is stored in a config; for a function, its registered name."""
    return metric if isinstance(metric, str) else keras.utils.get_registered_name(metric)
