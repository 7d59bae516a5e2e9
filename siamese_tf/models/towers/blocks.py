"""What towers are built of."""

import tensorflow as tf
from tensorflow import keras

from siamese_tf.errors import ConfigError

# Keras' default of 0.99 leaves the moving statistics behind in runs of a few hundred steps.
BATCH_NORM_MOMENTUM = 0.9
# Enough for 256x256 images and 128 dimensions, and for the tower `koch` as published (37.7 million); far from what a
# machine cannot hold (160 MiB, in training six times that).
MAX_DENSE_WEIGHTS = 5 * 2**23
SMALLEST_OF_ALL = 6  # pixels, what the tower `reference` takes


def check_size(tower: str, input_size: tuple[int, int, int], least: int) -> None:
    height, width = input_size[:2]
    if min(height, width) < least:
        others = ", or another tower" if least > SMALLEST_OF_ALL else ""
        raise ConfigError(
            f"tower {tower} needs images of at least {least}x{least} pixels; got {height}x{width}."
            f" Take larger images{others}"
        )


def flat(x: tf.Tensor, embedding_dim: int, tower: str) -> tf.Tensor:
    """Flattened, as long as a Dense layer on it stays within what a machine can hold."""
    x = keras.layers.Flatten(name="flatten")(x)
    weights = x.shape[-1] * embedding_dim
    if weights > MAX_DENSE_WEIGHTS:
        raise ConfigError(
            f"tower {tower} would need {weights:,} weights for these images and {embedding_dim} dimensions; at most"
            f" {MAX_DENSE_WEIGHTS:,} are allowed. Use the tower small_cnn, or smaller images"
        )
    return x


def convolution(
    x: tf.Tensor, filters: int, size: int, name: str, strides: int = 1, activation: bool = True
) -> tf.Tensor:
    """Convolution, batch normalisation and, unless told otherwise, ReLU."""
    x = keras.layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if activation else x


def residual(x: tf.Tensor, filters: int, name: str, strides: int = 1) -> tf.Tensor:
    """Two 3x3 convolutions beside a shortcut, which is averaged and projected where the shape changes.

    Reference:
        He et al. 2016, "Deep residual learning for image recognition"; the shortcut after He et al. 2019, "Bag of
        tricks for image classification", ResNet-D.
    """
    y = convolution(x, filters, 3, f"{name}_1", strides)
    y = convolution(y, filters, 3, f"{name}_2", activation=False)
    if strides > 1:
        x = keras.layers.AveragePooling2D(strides, padding="same", name=f"{name}_average")(x)
    if x.shape[-1] != filters:
        x = convolution(x, filters, 1, f"{name}_shortcut", activation=False)
    return keras.layers.ReLU(name=name)(keras.layers.Add(name=f"{name}_sum")([x, y]))


def embedding(x: tf.Tensor, embedding_dim: int, activation: str | None = None) -> tf.Tensor:
    """The last layer of a tower, in float32 whatever the layers before it compute in."""
    return keras.layers.Dense(embedding_dim, activation=activation, dtype="float32", name="embedding")(x)
