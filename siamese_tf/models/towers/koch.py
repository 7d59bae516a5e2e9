"""Tower `koch`: the network of Koch, Zemel and Salakhutdinov 2015 for one-shot character recognition."""

from typing import Any

from tensorflow import keras

from siamese_tf.models.towers.blocks import check_size, embedding, flatten

# (filters, kernel size). A max-pool follows every convolution except the last.
CONVOLUTIONS = ((64, 10), (128, 7), (128, 4), (256, 4))
MIN_SIZE = 65  # pixels, for a feature map of 1x1 before the last layer


def koch(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Builds Conv 64 10x10 - Conv 128 7x7 - Conv 128 4x4 - Conv 256 4x4 with max-pools, then Dense with a sigmoid.

    It has 38,947,648 parameters for the published 105x105x1 images and 4,096 dimensions, almost all in the last layer;
    `koch_parameters` returns the number for other sizes. Embeddings have values in (0, 1). As in the original, the
    initial kernels are drawn from N(0, 0.01²), that of the last layer from N(0, 0.2²), and biases from N(0.5, 0.01²).

    Args:
        input_size: height, width and channels of an image; the shorter side at least 65.
        embedding_dim: size of an embedding; 4,096 in the original.

    Returns:
        A model that maps (n, h, w, c) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: if the images are too small, or the last layer would be too large.

    Reference:
        Koch et al. 2015, "Siamese neural networks for one-shot image recognition", figure 4 and section 3.2.
    """
    check_size("koch", input_size, MIN_SIZE)
    image = keras.Input(input_size, name="image")
    x = image
    for number, (filters, size) in enumerate(CONVOLUTIONS, start=1):
        if number > 1:
            x = keras.layers.MaxPooling2D(2, name=f"pool{number - 1}")(x)
        x = keras.layers.Conv2D(filters, size, activation="relu", name=f"conv{number}", **_initializers(0.01))(x)
    x = flatten(x, embedding_dim, "koch")
    return keras.Model(image, embedding(x, embedding_dim, activation="sigmoid", **_initializers(0.2)), name="koch")


def _initializers(deviation: float) -> dict[str, Any]:
    """Returns the initializers of a layer, whose kernel has the standard deviation `deviation`."""
    return {
        "kernel_initializer": keras.initializers.RandomNormal(0.0, deviation),
        "bias_initializer": keras.initializers.RandomNormal(0.5, 0.01),
    }


def koch_parameters(input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of weights of `koch` without building it."""
    height, width, channels = input_size
    count = 0
    for number, (filters, size) in enumerate(CONVOLUTIONS):
        if number:
            height, width = height // 2, width // 2
        height, width = height - size + 1, width - size + 1
        count += (size * size * channels + 1) * filters
        channels = filters
    return count + (height * width * channels + 1) * embedding_dim
