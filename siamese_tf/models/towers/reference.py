"""Tower `reference`: the network of the implementation that this project is compared with."""

from tensorflow import keras

from siamese_tf.models.towers.blocks import SMALLEST_MIN_SIZE, check_size, embedding, flatten


def reference(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Builds Conv 8 - Conv 16 - max-pool - Dense, without normalization.

    It has 75,008 parameters for 28x28x1 images and 32 dimensions.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 6.
        embedding_dim: size of an embedding; 32 in the original.

    Returns:
        A model that maps (n, h, w, c) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: if the images are too small, or the last layer would be too large.
    """
    check_size("reference", input_size, SMALLEST_MIN_SIZE)
    image = keras.Input(input_size, name="image")
    x = keras.layers.Conv2D(8, 3, activation="relu", name="conv1")(image)
    x = keras.layers.Conv2D(16, 3, name="conv2")(x)
    x = keras.layers.MaxPooling2D(2, name="pool")(x)
    x = keras.layers.ReLU(name="relu2")(x)  # same result as ReLU before the pool, at a quarter of the cost
    x = flatten(x, embedding_dim, "reference")
    return keras.Model(image, embedding(x, embedding_dim, activation="relu"), name="reference")


def reference_parameters(input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of weights of `reference` without building it."""
    height, width = ((side - 4) // 2 for side in input_size[:2])
    return (9 * input_size[2] + 1) * 8 + (9 * 8 + 1) * 16 + (height * width * 16 + 1) * embedding_dim
