"""Views: variants of an image whose embeddings the model averages (test-time augmentation)."""

import math

import tensorflow as tf

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import VIEWS

MAX_ROTATION = math.radians(12)  # in either direction; also used by the augmentation `affine`
SHIFT = 1 / 32  # fraction of the longer side
STRETCH = 1.12
Matrix = tuple[tuple[float, float], tuple[float, float]]


def _rotation(angle: float) -> Matrix:
    return (math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle))


AFFINE_MAPS: tuple[Matrix, ...] = (
    *(_rotation(math.radians(angle)) for angle in (8, -8)),
    *(((1, shear), (0, 1)) for shear in (0.15, -0.15)),
    *(((factor, 0), (0, 1)) for factor in (STRETCH, 1 / STRETCH)),
    *(((1, 0), (0, factor)) for factor in (STRETCH, 1 / STRETCH)),
)


@tf.autograph.experimental.do_not_convert  # AutoGraph warns that it cannot convert the import in load_builder
def make_views(images: tf.Tensor, views: str) -> list[tf.Tensor]:
    """Returns the views of a batch of images; the first view is the original images.

    Args:
        images: (n, h, w, c) float32 in [0, 1], with static h, w and c.
        views: a key of `siamese_tf.config.catalog.VIEWS`.

    Returns:
        One (n, h, w, c) tensor per view.
    """
    return load_builder(VIEWS[views].function)(images)


def one(images: tf.Tensor) -> list[tf.Tensor]:
    """Returns the images only."""
    return [images]


def mirror(images: tf.Tensor) -> list[tf.Tensor]:
    """Returns the images and their mirror images."""
    return [images, tf.reverse(images, axis=[2])]


def turn(images: tf.Tensor) -> list[tf.Tensor]:
    """Returns the images, and the images rotated by 12 degrees in either direction."""
    return [images, _rotated(images, MAX_ROTATION), _rotated(images, -MAX_ROTATION)]


def shift(images: tf.Tensor) -> list[tf.Tensor]:
    """Returns the images, their shifts in four directions by 1/32 of the longer side, and all five mirrored.

    Borders are filled by reflection.
    """
    shifted = [images, *_shifted(images)]
    return [*shifted, *(tf.reverse(view, axis=[2]) for view in shifted)]


def affine(images: tf.Tensor) -> list[tf.Tensor]:
    """Returns the images, and eight affine variants of handwriting.

    They are rotated by 8 degrees in either direction, sheared horizontally by 0.15 in either direction, and wider,
    narrower, taller or shorter by a factor of 1.12.
    """
    count = tf.ones([tf.shape(images)[0]])
    return [images, *(rotation_about_center(images, *_scaled(one, count)) for one in AFFINE_MAPS)]


def rotation_about_center(
    images: tf.Tensor,
    x_from: tuple[tf.Tensor, tf.Tensor],
    y_from: tuple[tf.Tensor, tf.Tensor],
    shift: tuple[tf.Tensor, tf.Tensor] | None = None,
) -> tf.Tensor:
    """Applies a linear map about the center of each image, with bilinear interpolation and a black border.

    Args:
        images: (n, h, w, c) float, with static h, w and c.
        x_from, y_from: two (n,) tensors each. In coordinates relative to the center, the output pixel (x, y) is sampled
            at (x_from[0] x + x_from[1] y, y_from[0] x + y_from[1] y) in the input.
        shift: two (n,) tensors, added to these x and y, in pixels; None adds nothing.

    Returns:
        The transformed images, of the same shape and dtype.
    """
    height, width = images.shape[1:3]
    x, y = (width - 1) / 2, (height - 1) / 2
    zero = tf.zeros_like(x_from[0])
    right, down = (zero, zero) if shift is None else shift
    transforms = tf.stack(
        [
            *(*x_from, x + right - x_from[0] * x - x_from[1] * y),
            *(*y_from, y + down - y_from[0] * x - y_from[1] * y),
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


def _scaled(matrix: Matrix, count: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    (a, b), (c, d) = matrix
    return (a * count, b * count), (c * count, d * count)


def _rotated(images: tf.Tensor, angle: float) -> tf.Tensor:
    count = tf.ones([tf.shape(images)[0]])
    return rotation_about_center(images, *_scaled(_rotation(angle), count))
