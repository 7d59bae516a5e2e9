"""Views: variants of an image whose embeddings a model averages, which is test-time augmentation."""

import math

import tensorflow as tf

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import VIEWS

MAX_ROTATION = math.radians(12)  # to either side; also of the augmentation `affine`
SHIFT = 1 / 32  # of the longer side


@tf.autograph.experimental.do_not_convert  # AutoGraph warns that it cannot convert the import of the function
def make_views(images: tf.Tensor, views: str) -> list[tf.Tensor]:
    """Returns the views of each image of a batch, the images themselves first.

    Args:
        images: (n, h, w, c) float32 in [0, 1], with static h, w and c.
        views: a key of `siamese_tf.config.catalog.VIEWS`.

    Returns:
        One (n, h, w, c) tensor per view.
    """
    return load_builder(VIEWS[views].function)(images)


def one(images: tf.Tensor) -> list[tf.Tensor]:
    """Returns the images alone."""
    return [images]


def mirror(images: tf.Tensor) -> list[tf.Tensor]:
    """Returns the images and their mirror images."""
    return [images, tf.reverse(images, axis=[2])]


def turn(images: tf.Tensor) -> list[tf.Tensor]:
    """Returns the images, and the images rotated by 12 degrees to either side."""
    return [images, _rotated(images, MAX_ROTATION), _rotated(images, -MAX_ROTATION)]


def shift(images: tf.Tensor) -> list[tf.Tensor]:
    """Returns the images, shifted in four directions by a thirty-second of the longer side, and all five mirrored.

    What moves in from outside is the reflection at the edge.
    """
    shifted = [images, *_shifted(images)]
    return [*shifted, *(tf.reverse(view, axis=[2]) for view in shifted)]


def rotation_about_center(
    images: tf.Tensor, x_from: tuple[tf.Tensor, tf.Tensor], y_from: tuple[tf.Tensor, tf.Tensor]
) -> tf.Tensor:
    """Applies a linear map about the center of each image, with bilinear interpolation and a black border.

    Args:
        images: (n, h, w, c) float, with static h, w and c.
        x_from, y_from: two (n,) tensors each. In coordinates relative to the center, the pixel (x, y) of the result is
            read at (x_from[0] x + x_from[1] y, y_from[0] x + y_from[1] y).

    Returns:
        The images, same shape and dtype.
    """
    height, width = images.shape[1:3]
    x, y = (width - 1) / 2, (height - 1) / 2
    zero = tf.zeros_like(x_from[0])
    transforms = tf.stack(
        [
            *(*x_from, x - x_from[0] * x - x_from[1] * y),
            *(*y_from, y - y_from[0] * x - y_from[1] * y),
            *(zero, zero),
        ],
        axis=1,
    )
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _shifted(images: tf.Tensor) -> list[tf.Tensor]:
    height, width = images.shape[1:3]
    by = min(max(1, round(SHIFT * max(height, width))), height, width)
    padded = tf.pad(images, [[0, 0], [by, by], [by, by], [0, 0]], "SYMMETRIC")
    corners = ((0, by), (2 * by, by), (by, 0), (by, 2 * by))
    return [padded[:, top : top + height, left : left + width] for top, left in corners]


def _rotated(images: tf.Tensor, angle: float) -> tf.Tensor:
    one = tf.ones([tf.shape(images)[0]])
    cosine, sine = math.cos(angle) * one, math.sin(angle) * one
    return rotation_about_center(images, (cosine, -sine), (sine, cosine))
