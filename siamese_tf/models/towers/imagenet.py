"""Towers of `keras.applications`, for whom has a file of their ImageNet weights; nothing is ever downloaded.

They are built by name like any other tower, with new weights; `import_imagenet` reads the published ones into them.
"""

from collections.abc import Callable

from tensorflow import keras

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.blocks import BATCH_NORM_MOMENTUM, check_size, embedding

MIN_SIZE = 32  # pixels, what `keras.applications` allows
IMAGENET_MEANS = (123.68, 116.779, 103.939)  # red, green, blue, of 255


def mobilenet_v2(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """MobileNetV2 with a Dense layer on its 1,280 averages: 2,257,984 parameters before that layer.

    It brings pixels to [-1, 1] itself, as its ImageNet weights want them.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 32, and 3 channels.
        embedding_dim: numbers in an embedding.

    Returns:
        A model from (n, h, w, 3) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: the images are too small, or not in colour.

    Reference:
        Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks".
    """
    to_pixels = keras.layers.Rescaling(2.0, -1.0, name="normalisation")
    return _on_top_of(keras.applications.MobileNetV2, "mobilenet_v2", to_pixels, input_size, embedding_dim)


def resnet50(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """ResNet-50 with a Dense layer on its 2,048 averages: 23,587,712 parameters before that layer.

    It takes ImageNet's mean colour away itself. Its published weights want blue first; `import_imagenet` turns them
    round, and this tower takes red first like any other.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 32, and 3 channels.
        embedding_dim: numbers in an embedding.

    Returns:
        A model from (n, h, w, 3) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: the images are too small, or not in colour.

    Reference:
        He et al. 2016, "Deep residual learning for image recognition".
    """
    offset = [-mean for mean in IMAGENET_MEANS]
    to_pixels = keras.layers.Rescaling(255.0, offset, name="normalisation")
    return _on_top_of(keras.applications.ResNet50, "resnet50", to_pixels, input_size, embedding_dim)


def _on_top_of(
    network: Callable[..., keras.Model],
    name: str,
    to_pixels: keras.layers.Layer,
    input_size: tuple[int, int, int],
    embedding_dim: int,
) -> keras.Model:
    check_size(name, input_size, MIN_SIZE)
    if input_size[2] != 3:
        raise ConfigError(f"tower {name} needs colour images, of 3 channels; got {input_size[2]}. Take --color rgb")
    image = keras.Input(input_size, name="image")
    built = network(include_top=False, weights=None, input_tensor=to_pixels(image), pooling="avg")
    for layer in built.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    return keras.Model(image, embedding(built.output, embedding_dim), name=name)
