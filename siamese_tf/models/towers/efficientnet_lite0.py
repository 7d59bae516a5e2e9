"""Tower `efficientnet_lite0`: EfficientNet-Lite0, whose published ImageNet weights can be imported from a package.

It is built with random weights, like any other tower; `siamese_tf.models.pretrained` assigns the published ones.
"""

from typing import NamedTuple

import tensorflow as tf
from tensorflow import keras

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.blocks import BATCH_NORM_MOMENTUM, check_size, embedding

MIN_SIZE = 32  # pixels
FEATURES = 1280
SCALE, OFFSET = 255.0 / 128.0, -127.0 / 128.0  # of pixels in [0, 1], to the input range of the weights
STEM = 32  # filters


class Stage(NamedTuple):
    """Inverted residual blocks of equal width.

    Attributes:
        blocks: number of blocks.
        filters: output channels.
        kernel: side of the depthwise kernels.
        strides: strides of the first block.
        expansion: factor of the channels within a block; 1 omits the convolution that expands them.
    """

    blocks: int
    filters: int
    kernel: int
    strides: int
    expansion: int


STAGES = (
    Stage(1, 16, 3, 1, 1),
    Stage(2, 24, 3, 2, 6),
    Stage(2, 40, 5, 2, 6),
    Stage(3, 80, 3, 2, 6),
    Stage(3, 112, 5, 1, 6),
    Stage(4, 192, 5, 2, 6),
    Stage(1, 320, 3, 1, 6),
)


def efficientnet_lite0(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Builds EfficientNet-Lite0: 3,413,024 parameters, with its 1,280 pooled features as the embedding.

    Another embedding size adds a Dense layer. The published weights are for images of 224x224 pixels.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 32, and 3 channels.
        embedding_dim: size of an embedding.

    Returns:
        A model that maps (n, h, w, 3) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: if the images are too small or not in color.

    Reference:
        Tan and Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks"; the Lite variants
        of TensorFlow (2020) have no squeeze-and-excitation, and ReLU6.
    """
    check_size("efficientnet_lite0", input_size, MIN_SIZE)
    if input_size[2] != 3:
        raise ConfigError(f"tower efficientnet_lite0 needs color images with 3 channels; got {input_size[2]}. Use rgb")
    image = keras.Input(input_size, name="image")
    x = keras.layers.Rescaling(SCALE, OFFSET, name="normalization")(image)
    x = _convolution(x, STEM, 3, "stem", strides=2)
    number = 0
    for stage in STAGES:
        for block in range(stage.blocks):
            number += 1
            x = _inverted_residual(x, stage, f"block{number}", strides=stage.strides if block == 0 else 1)
    x = _convolution(x, FEATURES, 1, "top")
    x = keras.layers.GlobalAveragePooling2D(dtype="float32", name="average")(x)
    if embedding_dim != FEATURES:
        x = embedding(x, embedding_dim)
    return keras.Model(image, x, name="efficientnet_lite0")


def efficientnet_lite0_parameters(input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of weights of `efficientnet_lite0` without building it."""
    count, before = (9 * input_size[2] + 4) * STEM, STEM
    for stage in STAGES:
        for _ in range(stage.blocks):
            inner = before * stage.expansion
            expanding = (before + 4) * inner if stage.expansion > 1 else 0
            count += expanding + (stage.kernel**2 + 4) * inner + (inner + 4) * stage.filters
            before = stage.filters
    count += (before + 4) * FEATURES
    return count + (0 if embedding_dim == FEATURES else (FEATURES + 1) * embedding_dim)


def _inverted_residual(x: tf.Tensor, stage: Stage, name: str, strides: int) -> tf.Tensor:
    """Expands the channels, applies a depthwise convolution and projects them, with a shortcut of equal shapes."""
    y = x if stage.expansion == 1 else _convolution(x, x.shape[-1] * stage.expansion, 1, f"{name}_expand")
    depthwise = keras.layers.DepthwiseConv2D(
        stage.kernel, strides=strides, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )
    y = _normalized(depthwise(y), f"{name}_depthwise")
    y = _convolution(y, stage.filters, 1, f"{name}_project", activation=False)
    return keras.layers.Add(name=f"{name}_sum")([x, y]) if x.shape == y.shape else y


def _convolution(
    x: tf.Tensor, filters: int, size: int, name: str, strides: int = 1, activation: bool = True
) -> tf.Tensor:
    x = keras.layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return _normalized(x, name, activation)


def _normalized(x: tf.Tensor, name: str, activation: bool = True) -> tf.Tensor:
    x = keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, epsilon=1e-3, name=f"{name}_norm")(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(x) if activation else x
