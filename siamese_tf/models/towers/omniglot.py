"""Tower `omniglot`: a small residual network for handwritten characters that keeps the position of strokes."""

from tensorflow import keras

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.blocks import (
    check_size,
    convolution,
    convolution_parameters,
    residual,
)

STEM = 32  # filters of the first convolution
STAGES = (64, 96, 112)  # filters; the size is halved before each stage
MIN_SIZE = 16  # pixels
HALVED_SIZE = 48  # pixels of the shorter side from which the image is averaged to half its size first


def omniglot(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Builds a convolution and three residual blocks, flattened without global pooling: 433,000 parameters.

    The last feature map, 4x4 for images of 32x32 or 64x64, is projected to as many channels as an embedding has values
    per position.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 16.
        embedding_dim: size of an embedding, a multiple of the number of positions.

    Returns:
        A model that maps (n, h, w, c) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: if the images are too small, or the embedding size is not a multiple of the positions.
    """
    check_size("omniglot", input_size, MIN_SIZE)
    image = keras.Input(input_size, name="image")
    x = image
    if _is_halved(input_size):
        x = keras.layers.AveragePooling2D(2, name="half")(x)
    x = convolution(x, STEM, 3, "stem")
    for stage, filters in enumerate(STAGES, start=1):
        x = keras.layers.MaxPooling2D(2, name=f"stage{stage}_pool")(x)
        x = residual(x, filters, f"stage{stage}")
    if embedding_dim % (positions := _positions(input_size)):
        raise ConfigError(
            f"embedding_dim must be a multiple of {positions}, the positions of the last feature map of the tower"
            f" omniglot for images of {input_size[0]}x{input_size[1]}; got {embedding_dim}"
        )
    x = convolution(x, embedding_dim // positions, 1, "embedding", activation=False)
    x = keras.layers.Flatten(dtype="float32", name="flatten")(x)
    return keras.Model(image, x, name="omniglot")


def omniglot_parameters(input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of weights of `omniglot` without building it."""
    count, before = convolution_parameters(3, input_size[2], STEM), STEM
    for filters in STAGES:
        count += convolution_parameters(3, before, filters) + convolution_parameters(3, filters, filters)
        count += convolution_parameters(1, before, filters)
        before = filters
    return count + convolution_parameters(1, before, embedding_dim // max(1, _positions(input_size)))


def _is_halved(input_size: tuple[int, int, int]) -> bool:
    return min(input_size[:2]) >= HALVED_SIZE


def _positions(input_size: tuple[int, int, int]) -> int:
    """Returns the number of positions of the last feature map."""
    shrink = 2 ** (len(STAGES) + _is_halved(input_size))
    return (input_size[0] // shrink) * (input_size[1] // shrink)
