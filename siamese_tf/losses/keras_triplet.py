"""The triplet losses for `compile` and `fit`: `y_true` are class numbers (n,), `y_pred` embeddings (n, d)."""

from typing import Any

import tensorflow as tf
from tensorflow import keras

from siamese_tf.losses.half_precision import HalfPrecisionLoss
from siamese_tf.losses.labelled_batch import METRICS, Metric, first_of_class
from siamese_tf.losses.triplet import (
    AVERAGES,
    triplet_batch_all_loss,
    triplet_counts,
    triplet_hard_loss,
    triplet_semihard_loss,
)


class _OfLabels(HalfPrecisionLoss):
    """A loss whose `y_true` are class numbers, however large: Keras 3 makes them float32, where 2^24 is 2^24 + 1."""

    def __call__(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: None = None) -> tf.Tensor:
        return super().__call__(first_of_class(tf.convert_to_tensor(y_true)), y_pred, sample_weight)


@keras.utils.register_keras_serializable(package="siamese_tf")
class TripletSemiHardLoss(_OfLabels):
    """`triplet_semihard_loss`; in place of TensorFlow Addons' class of this name."""

    def __init__(
        self,
        margin: float = 1.0,
        distance_metric: Metric = "L2",
        name: str | None = "triplet_semihard_loss",
        soft: bool = False,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.margin, self.distance_metric, self.soft = margin, _known(distance_metric), soft

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return triplet_semihard_loss(y_true, y_pred, self.margin, self.distance_metric, self.soft)

    def get_config(self) -> dict[str, Any]:
        own = {"margin": self.margin, "distance_metric": _written(self.distance_metric), "soft": self.soft}
        return {**super().get_config(), **own}


@keras.utils.register_keras_serializable(package="siamese_tf")
class TripletHardLoss(_OfLabels):
    """`triplet_hard_loss`; in place of TensorFlow Addons' class of this name."""

    def __init__(
        self,
        margin: float = 1.0,
        soft: bool = False,
        distance_metric: Metric = "L2",
        name: str | None = "triplet_hard_loss",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.margin, self.soft, self.distance_metric = margin, soft, _known(distance_metric)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return triplet_hard_loss(y_true, y_pred, self.margin, self.soft, self.distance_metric)

    def get_config(self) -> dict[str, Any]:
        own = {"margin": self.margin, "soft": self.soft, "distance_metric": _written(self.distance_metric)}
        return {**super().get_config(), **own}


@keras.utils.register_keras_serializable(package="siamese_tf")
class TripletBatchAllLoss(_OfLabels):
    """`triplet_batch_all_loss`; `ActiveTriplets` with the same arguments is the metric to watch beside it."""

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
        self.margin, self.soft, self.distance_metric = margin, soft, _known(distance_metric)
        if average not in AVERAGES:
            raise ValueError(f"average must be one of {', '.join(AVERAGES)}; got {average!r}")
        self.average = average

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return triplet_batch_all_loss(y_true, y_pred, self.margin, self.soft, self.distance_metric, self.average)

    def get_config(self) -> dict[str, Any]:
        own = {
            "margin": self.margin,
            "soft": self.soft,
            "distance_metric": _written(self.distance_metric),
            "average": self.average,
        }
        return {**super().get_config(), **own}


@keras.utils.register_keras_serializable(package="siamese_tf")
class ActiveTriplets(keras.metrics.Metric):
    """The share of the triplets of all batches so far that are active, in [0, 1]; see `triplet_counts`."""

    def __init__(
        self,
        margin: float = 1.0,
        soft: bool = False,
        distance_metric: Metric = "L2",
        name: str = "active_triplets",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.margin, self.soft, self.distance_metric = margin, soft, _known(distance_metric)
        self.active = self.add_weight(name="active", shape=(), initializer="zeros", dtype="float64")
        self.valid = self.add_weight(name="valid", shape=(), initializer="zeros", dtype="float64")

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: None = None) -> None:
        active, valid = triplet_counts(y_true, y_pred, self.margin, self.soft, self.distance_metric)
        self.active.assign_add(tf.cast(active, tf.float64))
        self.valid.assign_add(tf.cast(valid, tf.float64))

    def result(self) -> tf.Tensor:
        return tf.math.divide_no_nan(tf.convert_to_tensor(self.active), tf.convert_to_tensor(self.valid))

    def get_config(self) -> dict[str, Any]:
        own = {"margin": self.margin, "soft": self.soft, "distance_metric": _written(self.distance_metric)}
        return {**super().get_config(), **own}


def _known(metric: Metric) -> Metric:
    """A metric as the user gave it, or as `_written` into a config."""
    if callable(metric) or metric in METRICS:
        return metric
    registered = keras.utils.get_registered_object(metric)
    if registered is None:
        raise ValueError(
            f"distance_metric must be one of {', '.join(METRICS)}, or a function; got {metric!r}. Where that names a "
            "function, make it known before loading: keras.utils.register_keras_serializable, or custom_objects"
        )
    return registered


def _written(metric: Metric) -> str:
    """A function stands in a config by the name it is registered under."""
    return metric if isinstance(metric, str) else keras.utils.get_registered_name(metric)
