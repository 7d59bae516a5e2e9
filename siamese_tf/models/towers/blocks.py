"""Layers and checks shared by several towers."""

from typing import Any

import tensorflow as tf
from tensorflow import keras

from siamese_tf.errors import ConfigError

# With the Keras default of 0.99, the moving statistics lag behind in runs of a few hundred steps.
BATCH_NORM_MOMENTUM = 0.9
# Sufficient for 256x256 images and 128 dimensions, and for the published tower `koch` (37.7 million). The kernel takes
# 160 MiB, six times that in training.
MAX_DENSE_WEIGHTS = 5 * 2**23
SMALLEST_MIN_SIZE = 6  # pixels; the minimum size of the tower `reference`


def check_size(tower: str, input_size: tuple[int, int, int], min_size: int) -> None:
    """Raises a ConfigError if the shorter side of the images is below `min_size` pixels."""
    height, width = input_size[:2]
    if min(height, width) < min_size:
        another = ", or another tower" if min_size > SMALLEST_MIN_SIZE else ""
        raise ConfigError(
            f"tower {tower} needs images of at least {min_size}x{min_size} pixels; got {height}x{width}."
            f" Use larger images{another}"
        )


def flatten(x: tf.Tensor, embedding_dim: int, tower: str) -> tf.Tensor:
    """Flattens (n, h, w, c) features for a Dense layer of `embedding_dim` units.

    Raises:
        ConfigError: if the layer would have more than `MAX_DENSE_WEIGHTS` weights.
    """
    x = keras.layers.Flatten(name="flatten")(x)
    weights = x.shape[-1] * embedding_dim
    if weights > MAX_DENSE_WEIGHTS:
        raise ConfigError(
            f"tower {tower} must have at most {MAX_DENSE_WEIGHTS:,} weights in its last layer; got {weights:,} for"
            f" these images and {embedding_dim} dimensions. Use the tower small_cnn, or smaller images"
        )
    return x


def convolution(
    x: tf.Tensor, filters: int, size: int, name: str, strides: int = 1, activation: bool = True, pool: str | None = None
) -> tf.Tensor:
    """Applies a convolution, a 2x2 max-pool named `pool`, if given, batch normalization and, if `activation`, ReLU."""
    x = keras.layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    if pool is not None:
        x = keras.layers.MaxPooling2D(2, name=pool)(x)
    x = keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if activation else x


def convolution_parameters(size: int, channels: int, filters: int) -> int:
    """Returns the number of weights of `convolution`: a kernel without bias, and four batch normalization vectors."""
    return (size * size * channels + 4) * filters


def residual(x: tf.Tensor, filters: int, name: str, strides: int = 1) -> tf.Tensor:
    """Applies two 3x3 convolutions with a shortcut, average-pooled and projected where the shape changes.

    Reference:
        He et al. 2016, "Deep residual learning for image recognition"; for the shortcut, He et al. 2019, "Bag of tricks
        for image classification", ResNet-D.
    """
    y = convolution(x, filters, 3, f"{name}_1", strides)
    y = convolution(y, filters, 3, f"{name}_2", activation=False)
    if strides > 1:
        x = keras.layers.AveragePooling2D(strides, padding="same", name=f"{name}_average")(x)
    if x.shape[-1] != filters:
        x = convolution(x, filters, 1, f"{name}_shortcut", activation=False)
    return keras.layers.ReLU(name=name)(keras.layers.Add(name=f"{name}_sum")([x, y]))


def embedding(x: tf.Tensor, embedding_dim: int, activation: str | None = None, **options: Any) -> tf.Tensor:
    """Applies the last layer of a tower: Dense, with its keyword `options`, in float32 for any precision."""
    return keras.layers.Dense(embedding_dim, activation=activation, dtype="float32", name="embedding", **options)(x)
