"""Random changes that keep what an image shows; a function of the seed, without state."""

import tensorflow as tf


def augment(images: tf.Tensor, kind: str, seed: tf.Tensor) -> tf.Tensor:
    """Changes each image of a batch in its own way.

    Args:
        images: (n, h, w, c) float, with static h and w.
        kind: `shift` by up to a tenth of each side, in whole pixels, black moving in; `flip` mirrors half of them;
            `shift-flip` does both; `none` neither.
        seed: (2,) int32; the same seed makes the same changes.

    Returns:
        The changed images, same shape and dtype.
    """
    if kind in ("flip", "shift-flip"):
        images = _flip(images, seed)
    if kind in ("shift", "shift-flip"):
        images = _shift(images, seed)
    return images


def _flip(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    draws = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed=seed)
    return tf.where(draws < 0.5, tf.reverse(images, axis=[2]), images)


def _shift(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Each image is a window, placed at random, of itself in a black frame."""
    height, width = images.shape[1:3]
    down, right = round(0.1 * height), round(0.1 * width)
    framed = tf.pad(images, [[0, 0], [down, down], [right, right], [0, 0]])
    count = tf.shape(images)[0]
    top = tf.random.stateless_uniform([count, 1], seed + [0, 1], 0, 2 * down + 1, tf.int32)
    left = tf.random.stateless_uniform([count, 1], seed + [0, 2], 0, 2 * right + 1, tf.int32)
    framed = tf.gather(framed, top + tf.range(height), axis=1, batch_dims=1)  # (n, h, w + 2 right, c)
    return tf.gather(framed, left + tf.range(width), axis=2, batch_dims=1)  # (n, h, w, c)
