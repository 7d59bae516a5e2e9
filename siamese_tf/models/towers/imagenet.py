"""Towers from `keras.applications`, whose published ImageNet weights can be imported from a file.

They are built with random weights, like any other tower; `import_imagenet` assigns the published weights. Nothing is
downloaded.
"""

from collections.abc import Callable

from tensorflow import keras

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.blocks import BATCH_NORM_MOMENTUM, check_size, embedding

MIN_SIZE = 32  # pixels; the minimum in `keras.applications`
IMAGENET_MEANS = (123.68, 116.779, 103.939)  # red, green, blue, in [0, 255]
# (parameters before the last layer, input features of that layer), for color images
MOBILENET_V2, RESNET50 = (2_257_984, 1_280), (23_587_712, 2_048)


def mobilenet_v2(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Builds MobileNetV2 with a Dense layer on its 1,280 pooled features: 2,257,984 parameters before that layer.

    Its first layer scales pixels to [-1, 1], the input range of the ImageNet weights.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 32, and 3 channels.
        embedding_dim: size of an embedding.

    Returns:
        A model that maps (n, h, w, 3) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: if the images are too small or not in color.

    Reference:
        Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks".
    """
    preprocess = keras.layers.Rescaling(2.0, -1.0, name="normalization")
    return _with_embedding(keras.applications.MobileNetV2, "mobilenet_v2", preprocess, input_size, embedding_dim)


def resnet50(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Builds ResNet-50 with a Dense layer on its 2,048 pooled features: 23,587,712 parameters before that layer.

    Its first layer scales pixels to [0, 255] and subtracts the mean color of ImageNet. The published weights expect BGR
    images; `import_imagenet` reverses their input channels, so that this tower takes RGB like any other.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 32, and 3 channels.
        embedding_dim: size of an embedding.

    Returns:
        A model that maps (n, h, w, 3) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: if the images are too small or not in color.

    Reference:
        He et al. 2016, "Deep residual learning for image recognition".
    """
    offset = [-mean for mean in IMAGENET_MEANS]
    preprocess = keras.layers.Rescaling(255.0, offset, name="normalization")
    return _with_embedding(keras.applications.ResNet50, "resnet50", preprocess, input_size, embedding_dim)


def mobilenet_v2_parameters(input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of weights of `mobilenet_v2` without building it."""
    parameters, features = MOBILENET_V2
    return parameters + (features + 1) * embedding_dim


def resnet50_parameters(input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of weights of `resnet50` without building it."""
    parameters, features = RESNET50
    return parameters + (features + 1) * embedding_dim


def _with_embedding(
    network: Callable[..., keras.Model],
    name: str,
    preprocess: keras.layers.Layer,
    input_size: tuple[int, int, int],
    embedding_dim: int,
) -> keras.Model:
    check_size(name, input_size, MIN_SIZE)
    if input_size[2] != 3:
        raise ConfigError(f"tower {name} needs color images with 3 channels; got {input_size[2]}. Use --color rgb")
    image = keras.Input(input_size, name="image")
    built = network(include_top=False, weights=None, input_tensor=preprocess(image), pooling="avg")
    for layer in built.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    return keras.Model(image, embedding(built.output, embedding_dim), name=name)
