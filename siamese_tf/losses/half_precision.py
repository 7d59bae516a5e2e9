"""Losses of float16 and bfloat16 outputs: computed in float32, returned in the dtype of the outputs."""

from typing import Any

import tensorflow as tf
from tensorflow import keras

HALF = (tf.float16, tf.bfloat16)


def at_least_float32(outputs: tf.Tensor) -> tf.Tensor:
    """Returns float16 and bfloat16 outputs as float32, others unchanged."""
    return tf.cast(outputs, tf.float32) if outputs.dtype in HALF else outputs


def in_dtype_of(outputs: tf.Tensor, loss: tf.Tensor) -> tf.Tensor:
    """Returns a loss in the dtype of the outputs where that is float16 or bfloat16, otherwise unchanged."""
    return tf.cast(loss, outputs.dtype) if outputs.dtype in HALF else loss


class HalfPrecisionLoss(keras.losses.Loss):
    """A loss that reduces in float32 and returns the dtype of `y_pred`, as TensorFlow Addons' losses do."""

    def __call__(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: Any = None) -> tf.Tensor:
        outputs = tf.convert_to_tensor(y_pred)
        return in_dtype_of(outputs, super().__call__(y_true, at_least_float32(outputs), sample_weight))
