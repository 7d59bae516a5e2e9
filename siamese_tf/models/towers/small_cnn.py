"""Tower `small_cnn`: four convolutions; the default tower."""

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
    check_size("small_cnn", input_size, MIN_SIZE)
    shorter = min(input_size[:2])
    image = keras.Input(input_size, name="image")
    x = convolution(image, 32, 5, "block1", strides=2 if shorter >= 20 else 1)
    if shorter >= 56:
        x = keras.layers.MaxPooling2D(2, name="pool1")(x)
    x = convolution(x, 48, 3, "block2")
    x = keras.layers.MaxPooling2D(2, name="pool2")(x)
    x = convolution(x, 96, 3, "block3")
    x = keras.layers.MaxPooling2D(2, name="pool3")(x)
    x = convolution(x, 128, 3, "block4")
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, embedding(x, embedding_dim), name="small_cnn")


def small_cnn_parameters(input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of weights of `small_cnn` without building it."""
    blocks = ((5, input_size[2], 32), (3, 32, 48), (3, 48, 96), (3, 96, 128))
    return sum(convolution_parameters(*block) for block in blocks) + 129 * embedding_dim
