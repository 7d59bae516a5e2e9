"""Contrastive loss: similar pairs are drawn together, dissimilar ones pushed out to a margin."""

from typing import Any

import tensorflow as tf
from tensorflow import keras

from siamese_tf.losses.half_precision import HalfPrecisionLoss, at_least_float32, in_dtype_of
from siamese_tf.losses.pairs import flat_pairs


def contrastive_loss(similarity: tf.Tensor, distance: tf.Tensor, margin: float = 1.0) -> tf.Tensor:
    """y d^2 + (1 - y) max(margin - d, 0)^2, one number per pair.

    Args:
        similarity: y, any shape, 1 = same, 0 = different. (Hadsell's paper writes them the other way round.)
        distance: d, same shape, >= 0, lower is more similar; it must be able to exceed the margin.
        margin: the distance beyond which a dissimilar pair costs nothing, in the distance's unit.

    Returns:
        The loss of each pair, same shape and dtype as `distance`, >= 0; of float16 and bfloat16 computed in float32.

    Reference:
        Hadsell, Chopra and LeCun 2006, "Dimensionality reduction by learning an invariant mapping", equation 4.
    """
    distance = tf.convert_to_tensor(distance)
    d = at_least_float32(distance)
    y = tf.cast(similarity, d.dtype)
    return in_dtype_of(distance, y * tf.square(d) + (1.0 - y) * tf.square(tf.maximum(margin - d, 0.0)))


@keras.utils.register_keras_serializable(package="siamese_tf")
class ContrastiveLoss(HalfPrecisionLoss):
    """`contrastive_loss` for `compile` and `fit`: `y_true` is the similarity, `y_pred` the distance, (n,) or (n, 1)."""

    def __init__(self, margin: float = 1.0, name: str = "contrastive_loss", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.margin = margin

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return contrastive_loss(*flat_pairs(y_true, y_pred), self.margin)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin}
