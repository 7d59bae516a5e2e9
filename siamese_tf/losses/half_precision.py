"""Loss precision: losses of float16 and bfloat16 outputs are computed in float32 and cast back."""

from typing import Any

import tensorflow as tf
from tensorflow import keras

HALF = (tf.float16, tf.bfloat16)


def upcast_half(outputs: tf.Tensor) -> tf.Tensor:
    """Casts float16 and bfloat16 outputs to float32; returns other dtypes unchanged."""
    return tf.cast(outputs, tf.float32) if outputs.dtype in HALF else outputs


def restore_dtype(outputs: tf.Tensor, loss: tf.Tensor) -> tf.Tensor:
    """Casts a loss back to the dtype of the outputs if that is float16 or bfloat16; otherwise returns it unchanged."""
    return tf.cast(loss, outputs.dtype) if outputs.dtype in HALF else loss


class HalfPrecisionLoss(keras.losses.Loss):
    """Base class of losses that reduce in float32 and return the dtype of `y_pred`, as in TensorFlow Addons."""

    def __call__(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: Any = None) -> tf.Tensor:
        outputs = tf.convert_to_tensor(y_pred)
        return restore_dtype(outputs, super().__call__(y_true, upcast_half(outputs), sample_weight))
