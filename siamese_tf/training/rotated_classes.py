"""Rotated and mirrored images as new classes: a rotated character is another character."""

import tensorflow as tf

ROTATED_SHARE = 0.6  # of the parts of a batch


def rotate_parts(images: tf.Tensor, parts: int, seed: tf.Tensor) -> tf.Tensor:
    """Rotates by quarter turns or mirrors all images of a part of a batch alike, so that their classes stay apart.

    A part is left as it is with probability 0.4; otherwise one of the seven other symmetries of the square is drawn.

    Args:
        images: (n, h, h, c) float, square; each n / parts consecutive images are a part.
        parts: number of parts.
        seed: (2,) int32; equal seeds give equal results.

    Returns:
        Images of the same shape and dtype.
    """
    count, side, _, channels = images.shape
    of_parts = tf.reshape(images, [parts, count // parts, side, side, channels])
    changed = tf.random.stateless_uniform([parts], seed + [0, 9]) < ROTATED_SHARE
    drawn = tf.random.stateless_uniform([parts], seed + [0, 10], 1, 8, tf.int32)
    symmetry = tf.where(changed, drawn, 0)  # bit 0: transpose, bit 1: mirror, bit 2: flip vertically
    for bit, change in enumerate((_transpose, _mirror, _flip)):
        chosen = tf.bitwise.bitwise_and(symmetry, 1 << bit) > 0
        of_parts = tf.where(tf.reshape(chosen, [parts, 1, 1, 1, 1]), change(of_parts), of_parts)
    return tf.reshape(of_parts, [count, side, side, channels])


def _transpose(images: tf.Tensor) -> tf.Tensor:
    return tf.transpose(images, [0, 1, 3, 2, 4])


def _mirror(images: tf.Tensor) -> tf.Tensor:
    return tf.reverse(images, axis=[3])


def _flip(images: tf.Tensor) -> tf.Tensor:
    return tf.reverse(images, axis=[2])
