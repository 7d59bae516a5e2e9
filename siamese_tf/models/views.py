"""Views: what a model looks at of an image. Its embedding is the mean over them, which is test-time augmentation."""

import math

import tensorflow as tf

SHIFT = 1 / 32  # of the longer side
TURN = math.radians(12)  # either way; as far as the augmentation `affine` turns


def make_views(images: tf.Tensor, kind: str) -> list[tf.Tensor]:
    """The views of each image of a batch; the first is the image as it is.

    Args:
        images: (n, h, w, c) float32 in [0, 1], with static h, w and c.
        kind: `one` adds nothing, `mirror` the mirror image, `turn` the image turned by 12 degrees to either side,
            `shift` the image moved by a thirty-second of its longer side in four directions, and the mirror images of
            all five; what moves in from outside is the reflection at the edge.

    Returns:
        Stacks of the same shape, as many as there are views.
    """
    if kind == "mirror":
        return [images, tf.reverse(images, axis=[2])]
    if kind == "turn":
        return [images, _turned(images, TURN), _turned(images, -TURN)]
    if kind == "shift":
        shifted = [images, *_shifted(images)]
        return [*shifted, *(tf.reverse(view, axis=[2]) for view in shifted)]
    return [images]


def rotation_about_center(
    images: tf.Tensor, x_from: tuple[tf.Tensor, tf.Tensor], y_from: tuple[tf.Tensor, tf.Tensor]
) -> tf.Tensor:
    """Each image under a linear map about its centre, with bilinear interpolation; black comes in from outside.

    Args:
        images: (n, h, w, c) float, with static h, w and c.
        x_from, y_from: two (n,) tensors each: the pixel (x, y) of the result, seen from the centre, comes from
            (x_from[0] x + x_from[1] y, y_from[0] x + y_from[1] y).

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
    around = tf.pad(images, [[0, 0], [by, by], [by, by], [0, 0]], "SYMMETRIC")
    places = ((0, by), (2 * by, by), (by, 0), (by, 2 * by))
    return [around[:, top : top + height, left : left + width] for top, left in places]


def _turned(images: tf.Tensor, angle: float) -> tf.Tensor:
    one = tf.ones([tf.shape(images)[0]])
    cosine, sine = math.cos(angle) * one, math.sin(angle) * one
    return rotation_about_center(images, (cosine, -sine), (sine, cosine))
