"""Tower `tnn`: the network of the one-vs-rest reference recipe."""

from tensorflow import keras

from siamese_tf.models.towers.blocks import check_size, embedding, flatten

MIN_SIZE = 18  # pixels
MNIST_MEAN, MNIST_DEVIATION = 0.1307, 0.3081  # of pixels in [0, 1]


def tnn(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Builds Conv 128 7x7 - max-pool - Conv 256 5x5 - max-pool - Dense.

    It has 1,120,896 parameters for 28x28x1 images and 128 dimensions. Its first layer standardizes pixels with the mean
    and standard deviation of MNIST.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 18.
        embedding_dim: size of an embedding; 128 in the original.

    Returns:
        A model that maps (n, h, w, c) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: if the images are too small, or the last layer would be too large.
    """
    check_size("tnn", input_size, MIN_SIZE)
    image = keras.Input(input_size, name="image")
    x = keras.layers.Rescaling(1 / MNIST_DEVIATION, -MNIST_MEAN / MNIST_DEVIATION, name="normalization")(image)
    x = keras.layers.Conv2D(128, 7, activation="relu", name="conv1")(x)
    x = keras.layers.MaxPooling2D(2, name="pool1")(x)
    x = keras.layers.Conv2D(256, 5, activation="relu", name="conv2")(x)
    x = keras.layers.MaxPooling2D(2, name="pool2")(x)
    x = flatten(x, embedding_dim, "tnn")
    return keras.Model(image, embedding(x, embedding_dim), name="tnn")


def tnn_parameters(input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of weights of `tnn` without building it."""
    height, width = (((side - 6) // 2 - 4) // 2 for side in input_size[:2])
    return (49 * input_size[2] + 1) * 128 + (25 * 128 + 1) * 256 + (height * width * 256 + 1) * embedding_dim
