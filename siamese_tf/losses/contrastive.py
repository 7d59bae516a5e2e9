"""Contrastive loss: pulls similar pairs together and pushes dissimilar pairs apart, up to a margin."""

from typing import Any

import tensorflow as tf
from tensorflow import keras

from siamese_tf.losses.half_precision import HalfPrecisionLoss, restore_dtype, upcast_half
from siamese_tf.losses.pairs import flat_pairs


def contrastive_loss(similarity: tf.Tensor, distance: tf.Tensor, margin: float = 1.0) -> tf.Tensor:
    """Returns y d^2 + (1 - y) max(margin - d, 0)^2 for each pair.

    Args:
        similarity: y, any shape, 1 = same, 0 = different (Hadsell et al. use the opposite labels).
        distance: d, float, same shape, >= 0, lower is more similar; its range must extend beyond the margin.
        margin: distance beyond which a dissimilar pair has zero loss, in the unit of the distance.

    Returns:
        Losses >= 0, one per pair, in the shape and dtype of `distance`; float16 and bfloat16 are computed in float32.

    Reference:
        Hadsell, Chopra and LeCun 2006, "Dimensionality reduction by learning an invariant mapping", equation 4.
    """
    distance = tf.convert_to_tensor(distance)
    d = upcast_half(distance)
    y = tf.cast(similarity, d.dtype)
    return restore_dtype(distance, y * tf.square(d) + (1.0 - y) * tf.square(tf.maximum(margin - d, 0.0)))


@keras.utils.register_keras_serializable(package="siamese_tf")
class ContrastiveLoss(HalfPrecisionLoss):
    """Keras wrapper of `contrastive_loss`: `y_true` is the similarity, `y_pred` the distance, each (n,) or (n, 1)."""

    def __init__(self, margin: float = 1.0, name: str = "contrastive_loss", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.margin = margin

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return contrastive_loss(*flat_pairs(y_true, y_pred), self.margin)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin}
