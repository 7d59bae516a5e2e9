"""Towers `small_cnn_v2`, the default, and `small_cnn`: four convolutions."""

import tensorflow as tf
from tensorflow import keras

from siamese_tf.models.towers.blocks import check_size, convolution, convolution_parameters, embedding

MIN_SIZE = 8  # pixels


def small_cnn(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Builds four convolutions with batch normalization: 184,000 parameters for 128 dimensions.

    It suits images of 8x8 to 112x112 pixels. Most of the time would be spent at full resolution, so the first
    convolution halves images with a shorter side of at least 20 pixels; a max-pool halves those of at least 56 again.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 8.
        embedding_dim: size of an embedding.

    Returns:
        A model that maps (n, h, w, c) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: if the images are too small.
    """
    return _four_convolutions(input_size, embedding_dim, "small_cnn", pools_first=False)


def small_cnn_v2(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Builds `small_cnn` with each max-pool before the batch normalization, which then has a quarter of the values.

    A training step takes 65 to 95% of the time, the least in bfloat16. For arguments and errors see `small_cnn`.
    """
    return _four_convolutions(input_size, embedding_dim, "small_cnn_v2", pools_first=True)


def small_cnn_parameters(input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of weights of `small_cnn` and of `small_cnn_v2` without building them."""
    blocks = ((5, input_size[2], 32), (3, 32, 48), (3, 48, 96), (3, 96, 128))
    return sum(convolution_parameters(*block) for block in blocks) + 129 * embedding_dim


def _four_convolutions(
    input_size: tuple[int, int, int], embedding_dim: int, name: str, *, pools_first: bool
) -> keras.Model:
    check_size(name, input_size, MIN_SIZE)

    def block(x: tf.Tensor, filters: int, size: int, number: int, strides: int = 1, *, pools: bool) -> tf.Tensor:
        pool = f"pool{number}" if pools else None
        x = convolution(x, filters, size, f"block{number}", strides, pool=pool if pools_first else None)
        return keras.layers.MaxPooling2D(2, name=pool)(x) if pools and not pools_first else x

    shorter = min(input_size[:2])
    image = keras.Input(input_size, name="image")
    x = block(image, 32, 5, 1, strides=2 if shorter >= 20 else 1, pools=shorter >= 56)
    x = block(x, 48, 3, 2, pools=True)
    x = block(x, 96, 3, 3, pools=True)
    x = block(x, 128, 3, 4, pools=False)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, embedding(x, embedding_dim), name=name)
