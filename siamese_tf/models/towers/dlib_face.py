"""Tower `dlib_face`: the residual network of dlib's published face recognition weights, layer by layer.

It is built with random weights, like any other tower; `siamese_tf.models.pretrained` assigns the published ones.
"""

import tensorflow as tf
from tensorflow import keras

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.blocks import check_size, embedding

MIN_SIZE = 103  # pixels; at less, the last block would have no output
MEAN = (122.782, 117.001, 104.298)  # red, green, blue, in [0, 255]
STEM = 32  # filters
STAGES = ((3, 32), (4, 64), (3, 128), (3, 256), (1, 256))  # blocks and filters; the first block of a later stage halves


def dlib_face(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Builds a residual network of 29 convolutions: 5,607,488 parameters for 128 dimensions.

    It has no batch normalization. The published weights are for aligned faces of 150x150 pixels.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 103, and 3 channels.
        embedding_dim: size of an embedding.

    Returns:
        A model that maps (n, h, w, 3) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: if the images are too small or not in color.

    Reference:
        D. King 2017, "High quality face recognition with deep metric learning", http://blog.dlib.net.
    """
    check_size("dlib_face", input_size, MIN_SIZE)
    if input_size[2] != 3:
        raise ConfigError(f"tower dlib_face needs color images with 3 channels; got {input_size[2]}. Use --color rgb")
    image = keras.Input(input_size, name="image")
    x = keras.layers.Rescaling(255.0 / 256.0, [-mean / 256.0 for mean in MEAN], name="normalization")(image)
    x = keras.layers.ReLU(name="stem_relu")(_convolution(x, STEM, 7, "stem", strides=2))
    x = keras.layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    number = 0
    for stage, (blocks, filters) in enumerate(STAGES):
        for block in range(blocks):
            number += 1
            x = _residual(x, filters, f"block{number}", halves=stage > 0 and block == 0)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, embedding(x, embedding_dim, use_bias=False), name="dlib_face")


def dlib_face_parameters(input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of weights of `dlib_face` without building it."""
    count, before = (49 * input_size[2] + 1) * STEM, STEM
    for blocks, filters in STAGES:
        count += (9 * before + 1) * filters + (2 * blocks - 1) * (9 * filters + 1) * filters
        before = filters
    return count + before * embedding_dim


def _residual(x: tf.Tensor, filters: int, name: str, halves: bool) -> tf.Tensor:
    """Applies two 3x3 convolutions with a shortcut, average-pooled if the block halves the size.

    The first convolution of such a block is not padded. The sum of different shapes has the larger of each side: zeros
    are added to the convolutions below and on the right, and to the shortcut as channels.
    """
    y = keras.layers.ReLU(name=f"{name}_1_relu")(_convolution(x, filters, 3, f"{name}_1", strides=2 if halves else 1))
    y = _convolution(y, filters, 3, f"{name}_2")
    if halves:
        x = keras.layers.AveragePooling2D(2, name=f"{name}_average")(x)
        missing = [(0, x.shape[axis] - y.shape[axis]) for axis in (1, 2)]
        if any(after for _, after in missing):
            y = keras.layers.ZeroPadding2D(missing, name=f"{name}_pad")(y)
        if x.shape[-1] < filters:
            zeros = keras.layers.Rescaling(0.0, name=f"{name}_zeros")(x)
            x = keras.layers.Concatenate(name=f"{name}_channels")([x, zeros])
    return keras.layers.ReLU(name=name)(keras.layers.Add(name=f"{name}_sum")([x, y]))


def _convolution(x: tf.Tensor, filters: int, size: int, name: str, strides: int = 1) -> tf.Tensor:
    return keras.layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same" if strides == 1 else "valid",
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
