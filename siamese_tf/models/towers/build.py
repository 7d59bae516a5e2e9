"""Towers: one network that turns an image into an embedding, the same for both images of a pair.

A tower is a `keras.Model` that takes float32 images (n, h, w, c) with values in [0, 1] and gives (n, embedding_dim)
float embeddings. To add one: write its builder, put it into TOWERS, and its name into TOWER_DEFAULTS.
"""

from collections.abc import Callable

from tensorflow import keras

from siamese_tf.errors import ConfigError
from siamese_tf.models.keras_settings import keras_settings
from siamese_tf.models.towers.blocks import check_size, convolution, embedding, flat, residual
from siamese_tf.models.towers.custom import check_tower
from siamese_tf.models.towers.hog import hog
from siamese_tf.models.towers.imagenet import mobilenet_v2, resnet50
from siamese_tf.models.towers.inception_resnet_v1 import inception_resnet_v1
from siamese_tf.models.towers.koch import koch, koch_parameters

MNIST_MEAN, MNIST_DEVIATION = 0.1307, 0.3081


def small_cnn(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Four convolutions with batch normalisation, 184,000 parameters at 128 dimensions; for 8x8 to 112x112 images.

    The first convolution halves the image, since full resolution is where a tower's time goes on a processor; images
    under 20 pixels keep theirs, and from 56 on they are halved twice.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 8.
        embedding_dim: numbers in an embedding.

    Returns:
        A model from (n, h, w, c) float32 to (n, embedding_dim) float32.
    """
    check_size("small_cnn", input_size, 8)
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


def resnet(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """ResNet-20, 281,000 parameters at 128 dimensions: more accurate than `small_cnn`, and five times the work.

    Nine residual blocks, three each of 16, 32 and 64 channels, the first at full resolution. From 56 pixels on the
    image is halved before, from 112 on twice.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 8.
        embedding_dim: numbers in an embedding.

    Returns:
        A model from (n, h, w, c) float32 to (n, embedding_dim) float32.
    """
    check_size("resnet", input_size, 8)
    shorter = min(input_size[:2])
    image = keras.Input(input_size, name="image")
    x = convolution(image, 16, 3, "stem", strides=2 if shorter >= 56 else 1)
    if shorter >= 112:
        x = keras.layers.MaxPooling2D(2, name="stem_pool")(x)
    for stage, filters in enumerate((16, 32, 64), start=1):
        for block in range(1, 4):
            x = residual(x, filters, f"stage{stage}_block{block}", strides=2 if block == 1 and stage > 1 else 1)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, embedding(x, embedding_dim), name="resnet")


def reference(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Conv 8 - Conv 16 - max-pool - Dense, of the implementation this project measures itself against.

    It has 75,008 parameters for 28x28x1 images and 32 dimensions, and no normalisation.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 6.
        embedding_dim: numbers in an embedding; 32 in the original.

    Returns:
        A model from (n, h, w, c) float32 to (n, embedding_dim) float32.
    """
    check_size("reference", input_size, 6)
    image = keras.Input(input_size, name="image")
    x = keras.layers.Conv2D(8, 3, activation="relu", name="conv1")(image)
    x = keras.layers.Conv2D(16, 3, name="conv2")(x)
    x = keras.layers.MaxPooling2D(2, name="pool")(x)
    x = keras.layers.ReLU(name="relu2")(x)  # after the pool the answer is the same, for a quarter of the work
    x = flat(x, embedding_dim, "reference")
    return keras.Model(image, embedding(x, embedding_dim, activation="relu"), name="reference")


def tnn(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Conv 128 7x7 - max-pool - Conv 256 5x5 - max-pool - Dense, of the one-against-the-rest reference recipe.

    It has 1,120,896 parameters for 28x28x1 images and 128 dimensions. It brings pixels to MNIST's mean of 0 and
    deviation of 1 itself.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 18.
        embedding_dim: numbers in an embedding; 128 in the original.

    Returns:
        A model from (n, h, w, c) float32 to (n, embedding_dim) float32.
    """
    check_size("tnn", input_size, 18)
    image = keras.Input(input_size, name="image")
    x = keras.layers.Rescaling(1 / MNIST_DEVIATION, -MNIST_MEAN / MNIST_DEVIATION, name="normalisation")(image)
    x = keras.layers.Conv2D(128, 7, activation="relu", name="conv1")(x)
    x = keras.layers.MaxPooling2D(2, name="pool1")(x)
    x = keras.layers.Conv2D(256, 5, activation="relu", name="conv2")(x)
    x = keras.layers.MaxPooling2D(2, name="pool2")(x)
    x = flat(x, embedding_dim, "tnn")
    return keras.Model(image, embedding(x, embedding_dim), name="tnn")


TOWERS: dict[str, Callable[[tuple[int, int, int], int], keras.Model]] = {
    "small_cnn": small_cnn,
    "resnet": resnet,
    "reference": reference,
    "tnn": tnn,
    "hog": hog,
    "koch": koch,
    "inception_resnet_v1": inception_resnet_v1,
    "mobilenet_v2": mobilenet_v2,
    "resnet50": resnet50,
}

# Of towers whose size depends so much on the image's that it is told before they are built.
PARAMETERS: dict[str, Callable[[tuple[int, int, int], int], int]] = {"koch": koch_parameters}


def build_tower(
    tower: str | keras.Model, input_size: tuple[int, int, int], embedding_dim: int, precision: str = "float32"
) -> keras.Model:
    """Builds a tower by name, or checks your own.

    Args:
        tower: a name of TOWERS, or a model, see `check_tower`.
        input_size: height, width and channels of the images.
        embedding_dim: numbers in an embedding of a tower by name.
        precision: what a tower by name computes in, `float32` or `bfloat16`; its weights are float32 in both.

    Raises:
        ConfigError: an unknown name, or a model that is no tower for these images.
    """
    if not isinstance(tower, str):
        return check_tower(tower, input_size)
    if tower == "custom":
        raise ConfigError("this model has a tower of its maker's own; pass it: load_model(path, tower=...)")
    if tower not in TOWERS:
        raise ConfigError(f"tower must be one of {', '.join(TOWERS)}, or a keras.Model; got {tower!r:.100}")
    with keras_settings("mixed_bfloat16" if precision == "bfloat16" else precision):
        return TOWERS[tower](input_size, embedding_dim)
