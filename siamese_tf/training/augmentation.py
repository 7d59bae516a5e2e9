"""Random augmentations of training images, which preserve their class; stateless functions of a seed.

Each function takes images, (n, h, w, c) float in [0, 1] with static h, w and c, and a seed, (2,) int32, and returns
images of the same shape and dtype. Exposed borders are filled with black.
"""

import math

import tensorflow as tf

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import AUGMENTATIONS
from siamese_tf.models.views import MAX_ROTATION, rotation_about_center

MAX_SHEAR = 0.2  # horizontal displacement per unit of height
MAX_ZOOM = math.log(1.15)
MAX_ELASTIC = 1 / 16  # fraction of height and width
ELASTIC_GRID = (5, 5)
WARP_SHEAR = (0.3, 0.15)  # horizontal per unit of height, vertical per unit of width
WARP_SCALE = 0.2
WARP_SHIFT = 5 / 64  # fraction of height and width
ERASED_SHARE = 0.5  # fraction of the images
ERASED_AREA = (0.02, 0.33)  # range of the fraction of an image
MAX_ERASED_RATIO = 3.3  # height to width, or width to height
MAX_BRIGHTNESS = 0.2  # added or subtracted
MAX_CONTRAST = MAX_SATURATION = math.log(1.3)  # logarithm of the factor or its inverse
LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue, ITU-R 601


@tf.autograph.experimental.do_not_convert  # AutoGraph warns that it cannot convert the import in load_builder
def augment(images: tf.Tensor, augmentations: str, seed: tf.Tensor) -> tf.Tensor:
    """Augments each image of a batch independently.

    Args:
        images: (n, h, w, c) float in [0, 1], with static h, w and c.
        augmentations: keys of `siamese_tf.config.catalog.AUGMENTATIONS` joined by hyphens, in any order, as in
            `shift-flip`; or `none`. They are applied in the order of the catalog.
        seed: (2,) int32; equal seeds give equal results.

    Returns:
        The augmented images, of the same shape and dtype.
    """
    names = augmentations.split("-")
    for name, row in AUGMENTATIONS.items():
        if name in names:
            images = load_builder(row.function)(images, seed)
    return images


def flip(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors each image with probability 0.5."""
    draws = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed=seed)
    return tf.where(draws < 0.5, tf.reverse(images, axis=[2]), images)


def vflip(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Flips each image vertically with probability 0.5."""
    draws = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed + [0, 6])
    return tf.where(draws < 0.5, tf.reverse(images, axis=[1]), images)


def shift(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shifts each image by an integer number of pixels, up to a tenth of its height and width."""
    height, width = images.shape[1:3]
    down, right = round(0.1 * height), round(0.1 * width)
    framed = tf.pad(images, [[0, 0], [down, down], [right, right], [0, 0]])
    count = tf.shape(images)[0]
    top = tf.random.stateless_uniform([count, 1], seed + [0, 1], 0, 2 * down + 1, tf.int32)
    left = tf.random.stateless_uniform([count, 1], seed + [0, 2], 0, 2 * right + 1, tf.int32)
    framed = tf.gather(framed, top + tf.range(height), axis=1, batch_dims=1)  # (n, h, w + 2 right, c)
    return tf.gather(framed, left + tf.range(width), axis=2, batch_dims=1)  # (n, h, w, c)


def affine(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Rotates each image by up to 12 degrees and shears and zooms it about its center, with bilinear interpolation."""
    draws = tf.random.stateless_uniform([4, tf.shape(images)[0]], seed + [0, 3], -1.0, 1.0)
    angle, shear, wide, high = (
        MAX_ROTATION * draws[0],
        MAX_SHEAR * draws[1],
        tf.exp(MAX_ZOOM * draws[2]),
        tf.exp(MAX_ZOOM * draws[3]),
    )
    cosine, sine = tf.cos(angle), tf.sin(angle)
    x_from_x, x_from_y = wide * cosine, wide * (shear * cosine - sine)
    y_from_x, y_from_y = high * sine, high * (shear * sine + cosine)
    return rotation_about_center(images, (x_from_x, x_from_y), (y_from_x, y_from_y))


def warp(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Warps each image as handwriting varies: rotation, shear, scale in each direction and shift, in one map.

    Rotates by up to 12 degrees, shears by up to 0.3 horizontally and 0.15 vertically, scales height and width by 0.8 to
    1.2 independently, and shifts by up to 5/64 of height and width, with bilinear interpolation.
    """
    draws = tf.random.stateless_uniform([7, tf.shape(images)[0]], seed + [0, 8], -1.0, 1.0)
    angle, shear_x, shear_y = MAX_ROTATION * draws[0], WARP_SHEAR[0] * draws[1], WARP_SHEAR[1] * draws[2]
    wide, high = 1.0 + WARP_SCALE * draws[3], 1.0 + WARP_SCALE * draws[4]
    cosine, sine = tf.cos(angle), tf.sin(angle)
    height, width = images.shape[1:3]
    return rotation_about_center(
        images,
        ((cosine - sine * shear_y) / wide, (cosine * shear_x - sine) / wide),
        ((sine + cosine * shear_y) / high, (sine * shear_x + cosine) / high),
        shift=(WARP_SHIFT * width * draws[5], WARP_SHIFT * height * draws[6]),
    )


def elastic(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Displaces the pixels of each image smoothly, by up to 1/16 of its height and width, with bilinear interpolation.

    The displacements are drawn on a grid of 5x5 points and interpolated.

    Reference:
        Simard et al. 2003, "Best practices for convolutional neural networks applied to visual document analysis".
    """
    count, (height, width, channels) = tf.shape(images)[0], images.shape[1:]
    draws = tf.random.stateless_uniform([count, *ELASTIC_GRID, 2], seed + [0, 11], -MAX_ELASTIC, MAX_ELASTIC)
    moved = tf.image.resize(draws, (height, width), "bilinear") * [height, width]  # (n, h, w, 2)
    framed = tf.reshape(tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]]), [count, -1, channels])
    row = tf.clip_by_value(moved[..., 0] + tf.range(height, dtype=tf.float32)[:, tf.newaxis], -1.0, float(height))
    column = tf.clip_by_value(moved[..., 1] + tf.range(width, dtype=tf.float32), -1.0, float(width))
    top, left = tf.minimum(tf.floor(row), height - 1.0), tf.minimum(tf.floor(column), width - 1.0)
    first = (tf.cast(top, tf.int32) + 1) * (width + 2) + tf.cast(left, tf.int32) + 1
    down, right = (row - top)[..., tf.newaxis], (column - left)[..., tf.newaxis]
    corners = [tf.gather(framed, first + step, batch_dims=1) for step in (0, 1, width + 2, width + 3)]  # (n, h, w, c)
    upper, lower = ((1.0 - right) * one + right * other for one, other in (corners[:2], corners[2:]))
    return (1.0 - down) * upper + down * lower


def color(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Changes the brightness, the contrast about the mean of each image and, for RGB images, the saturation."""
    draws = tf.random.stateless_uniform([3, tf.shape(images)[0], 1, 1, 1], seed + [0, 7], -1.0, 1.0, images.dtype)
    if images.shape[3] == 3:
        gray = tf.tensordot(images, tf.constant(LUMA, images.dtype), axes=1)[..., tf.newaxis]
        images = gray + tf.exp(MAX_SATURATION * draws[2]) * (images - gray)
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    images = mean + tf.exp(MAX_CONTRAST * draws[1]) * (images - mean) + MAX_BRIGHTNESS * draws[0]
    return tf.clip_by_value(images, 0.0, 1.0)


def erase(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Fills a random rectangle of each image with noise, with probability 0.5.

    Reference:
        Zhong et al. 2020, "Random erasing data augmentation".
    """
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]
    draws = tf.random.stateless_uniform([5, count, 1], seed + [0, 4])
    min_area, max_area = ERASED_AREA
    area = height * width * (min_area + (max_area - min_area) * draws[0])
    ratio = tf.exp(math.log(MAX_ERASED_RATIO) * (2.0 * draws[1] - 1.0))
    high, wide = tf.minimum(tf.sqrt(area * ratio), height), tf.minimum(tf.sqrt(area / ratio), width)  # (n, 1) each
    rows = tf.range(height, dtype=tf.float32) + 0.5 - draws[2] * (height - high)
    columns = tf.range(width, dtype=tf.float32) + 0.5 - draws[3] * (width - wide)
    inside_rows = tf.logical_and(rows >= 0, rows < high)[:, :, tf.newaxis, tf.newaxis]
    inside_columns = tf.logical_and(columns >= 0, columns < wide)[:, tf.newaxis, :, tf.newaxis]
    chosen = (draws[4] < ERASED_SHARE)[:, tf.newaxis, tf.newaxis]
    erased = tf.logical_and(tf.logical_and(inside_rows, inside_columns), chosen)
    noise = tf.random.stateless_uniform(tf.shape(images), seed + [0, 5], dtype=images.dtype)
    return tf.where(erased, noise, images)
