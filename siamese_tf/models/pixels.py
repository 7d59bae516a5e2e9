"""Pixel values of arrays and tensors: integers from 0 (black) to 255 (white), floats from 0 to 1."""

import numpy as np
import tensorflow as tf

from siamese_tf.errors import ImageError

TOLERANCE = 1e-3  # accepted outside [0, 1], for rounding errors of floats


def as_pixels(images: np.ndarray) -> np.ndarray:
    """Checks pixel values and converts them to uint8 or float32.

    Args:
        images: array of any shape; integers of any width from 0 to 255, floats from 0 to 1, or bool (False is black).

    Returns:
        uint8 from 0 to 255 for integers and bool, float32 in [0, 1] for floats.

    Raises:
        ImageError: if the dtype is another one, or a value is out of range or NaN.
    """
    if images.dtype == np.uint8:
        return images
    kind = "f" if images.dtype.name == "bfloat16" else images.dtype.kind
    if kind == "b":
        return np.where(images, np.uint8(255), np.uint8(0))
    if kind in "iu":
        return _as_bytes(images)
    if kind == "f":
        return _as_floats(images)
    raise ImageError(
        f"images must be integers (0 to 255) or floats (0 to 1); got the dtype {images.dtype}. Convert them first"
    )


def scale_pixels(images: tf.Tensor) -> tf.Tensor:
    """Converts pixels to float32 in [0, 1], the input range of every tower; values are not checked."""
    images = tf.convert_to_tensor(images)
    pixels = tf.cast(images, tf.float32)
    return pixels / 255.0 if images.dtype.is_integer else pixels


def valid_images(images: tf.Tensor) -> tf.Tensor:
    """Returns an (n,) bool mask of the (n, h, w, c) images whose values are all in the range of their dtype."""
    images = tf.convert_to_tensor(images)
    values = tf.cast(images, tf.float32)
    low, high = (0.0, 255.0) if images.dtype.is_integer else (-TOLERANCE, 1 + TOLERANCE)
    return tf.reduce_all((values >= low) & (values <= high), axis=[1, 2, 3])


def _as_bytes(images: np.ndarray) -> np.ndarray:
    low, high = (images.min(), images.max()) if images.size else (0, 0)
    if low < 0 or high > 255:
        hint = "Divide by 257 if they have 16 bits" if images.dtype.itemsize > 1 and low >= 0 else "Scale them"
        raise ImageError(
            f"integer images must lie in 0 to 255; got {images.dtype} values from {low} to {high}. {hint}, and convert"
            " them to uint8"
        )
    return images.astype(np.uint8)


def _as_floats(images: np.ndarray) -> np.ndarray:
    low, high = (float(images.min()), float(images.max())) if images.size else (0.0, 1.0)
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
        raise ImageError(
            f"float images must lie in [0, 1]; got values from {low:g} to {high:g}. Divide by 255, or pass uint8"
        )
    floats = images.astype(np.float32)
    return floats if low >= 0 and high <= 1 else np.clip(floats, 0, 1)
