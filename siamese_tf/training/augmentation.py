"""Random changes that keep what an image shows; functions of the seed, without state."""

import math

import tensorflow as tf

from siamese_tf.models.views import TURN, rotation_about_center

MAX_SHEAR = 0.2  # of the height, sideways
MAX_ZOOM = math.log(1.15)
ERASED = 0.5  # of the images
ERASED_AREA = (0.02, 0.33)  # of the image
MAX_BRIGHTNESS = 0.2  # or darker, of white
MAX_CONTRAST = MAX_SATURATION = math.log(1.3)  # of the factor, which is as often its inverse
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R 601
ERASED_RATIO = 3.3  # height to width, or width to height, at most


def augment(images: tf.Tensor, kind: str, seed: tf.Tensor) -> tf.Tensor:
    """Changes each image of a batch in its own way.

    Args:
        images: (n, h, w, c) float in [0, 1], with static h, w and c.
        kind: names of CHANGES with hyphens between them, in any order; `none` changes nothing. `flip` mirrors half of
            the images, `vflip` turns half upside down. `affine` turns each by up to 12 degrees, stretches and slants
            it a little. `shift` moves it by up to a tenth of each side, in whole pixels. `color` changes brightness,
            contrast and, of colour images, saturation. `erase` covers a rectangle of half of them with noise. What
            moves in from outside is black.
        seed: (2,) int32; the same seed makes the same changes.

    Returns:
        The changed images, same shape and dtype.
    """
    names = kind.split("-")
    for name, change in CHANGES.items():
        if name in names:
            images = change(images, seed)
    return images


def _flip(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    draws = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed=seed)
    return tf.where(draws < 0.5, tf.reverse(images, axis=[2]), images)


def _vflip(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    draws = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed + [0, 6])
    return tf.where(draws < 0.5, tf.reverse(images, axis=[1]), images)


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


def _affine(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Turned, slanted and stretched about the centre, with bilinear interpolation."""
    draws = tf.random.stateless_uniform([4, tf.shape(images)[0]], seed + [0, 3], -1.0, 1.0)
    angle, shear, wide, high = (
        TURN * draws[0],
        MAX_SHEAR * draws[1],
        tf.exp(MAX_ZOOM * draws[2]),
        tf.exp(MAX_ZOOM * draws[3]),
    )
    cosine, sine = tf.cos(angle), tf.sin(angle)
    x_from_x, x_from_y = wide * cosine, wide * (shear * cosine - sine)
    y_from_x, y_from_y = high * sine, high * (shear * sine + cosine)
    return rotation_about_center(images, (x_from_x, x_from_y), (y_from_x, y_from_y))


def _color(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Each image's distance to its own mean grows or shrinks, and so does that of its colours to their grey."""
    draws = tf.random.stateless_uniform([3, tf.shape(images)[0], 1, 1, 1], seed + [0, 7], -1.0, 1.0, images.dtype)
    if images.shape[3] == 3:
        grey = tf.tensordot(images, tf.constant(LUMA, images.dtype), axes=1)[..., tf.newaxis]
        images = grey + tf.exp(MAX_SATURATION * draws[2]) * (images - grey)
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    images = mean + tf.exp(MAX_CONTRAST * draws[1]) * (images - mean) + MAX_BRIGHTNESS * draws[0]
    return tf.clip_by_value(images, 0.0, 1.0)


def _erase(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Random erasing, after Zhong et al. 2020, "Random erasing data augmentation"."""
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]
    draws = tf.random.stateless_uniform([5, count, 1], seed + [0, 4])
    least, most = ERASED_AREA
    area = height * width * (least + (most - least) * draws[0])
    ratio = tf.exp(math.log(ERASED_RATIO) * (2.0 * draws[1] - 1.0))
    high, wide = tf.minimum(tf.sqrt(area * ratio), height), tf.minimum(tf.sqrt(area / ratio), width)  # (n, 1) each
    rows = tf.range(height, dtype=tf.float32) + 0.5 - draws[2] * (height - high)
    columns = tf.range(width, dtype=tf.float32) + 0.5 - draws[3] * (width - wide)
    inside_rows = tf.logical_and(rows >= 0, rows < high)[:, :, tf.newaxis, tf.newaxis]
    inside_columns = tf.logical_and(columns >= 0, columns < wide)[:, tf.newaxis, :, tf.newaxis]
    chosen = (draws[4] < ERASED)[:, tf.newaxis, tf.newaxis]
    erased = tf.logical_and(tf.logical_and(inside_rows, inside_columns), chosen)
    noise = tf.random.stateless_uniform(tf.shape(images), seed + [0, 5], dtype=images.dtype)
    return tf.where(erased, noise, images)


# In the order in which they are made: what moves in from outside comes after the colours change, and stays black.
CHANGES = {"flip": _flip, "vflip": _vflip, "color": _color, "affine": _affine, "shift": _shift, "erase": _erase}
