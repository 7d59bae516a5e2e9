"""Batch normalization by one TensorFlow kernel, for training with Keras 3, whose own layer takes many operations."""

import math
from importlib.metadata import version

import tensorflow as tf
from tensorflow import keras


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`BatchNormalization` of Keras 3 that normalizes a training batch with the kernel that Keras 2 uses.

    For (n, h, w, c) images with static h, w and c, the last axis normalized; with the same weights and statistics.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            tf.convert_to_tensor(self.gamma),
            tf.convert_to_tensor(self.beta),
            epsilon=self.epsilon,
            is_training=True,
        )
        count = tf.cast(tf.shape(inputs)[0] * math.prod(inputs.shape[1:3]), tf.float32)
        variance *= (count - 1.0) / count  # the kernel returns the unbiased one
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + value * (1.0 - self.momentum))
        return outputs


def with_fused_batch_norm(tower: keras.Model) -> keras.Model:
    """Returns a tower with the same weights whose batch normalization is fused; with Keras 2, the tower itself."""
    if version("keras").startswith("2.") or not any(map(_can_fuse, tower.layers)):
        return tower
    fused = keras.models.clone_model(tower, clone_function=_fused)
    fused.set_weights(tower.get_weights())
    return fused


def _can_fuse(layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.BatchNormalization
        and len(layer.input.shape) == 4
        and layer.axis in (-1, 3)
        and layer.scale
        and layer.center
    )


def _fused(layer: keras.layers.Layer) -> keras.layers.Layer:
    kind = FusedBatchNormalization if _can_fuse(layer) else type(layer)
    return kind.from_config(layer.get_config())
