"""Tower `inception_resnet_v1`: the network of the published FaceNet weights, layer by layer.

Every layer with weights has the same name as in facenet-pytorch (`repeat_1.0.branch1.0.conv`), so that `import_facenet`
can match a PyTorch `state_dict` by name.
"""

import tensorflow as tf
from tensorflow import keras

from siamese_tf.models.towers.blocks import BATCH_NORM_MOMENTUM, check_size

BATCH_NORM_EPSILON = 1e-3
MIN_SIZE = 75  # pixels, for a feature map of 1x1 before global average pooling
PARAMETERS, FEATURES = 22_592_672, 1_792  # before the last layer, for color images; input features of that layer

Size = int | tuple[int, int]
# Parallel branches, each a chain of convolutions as (filters, kernel size).
Branches = tuple[tuple[tuple[int, Size], ...], ...]
BLOCK_35: Branches = (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (32, 3), (32, 3)))
BLOCK_17: Branches = (((128, 1),), ((128, 1), (128, (1, 7)), (128, (7, 1))))
BLOCK_8: Branches = (((192, 1),), ((192, 1), (192, (1, 3)), (192, (3, 1))))
MIXED_6A: Branches = (((384, 3),), ((192, 1), (192, 3), (256, 3)))
MIXED_7A: Branches = (((256, 1), (384, 3)), ((256, 1), (256, 3)), ((256, 1), (256, 3), (256, 3)))


def inception_resnet_v1(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Builds the FaceNet network: 23,482,624 trainable parameters for 160x160x3 images and 512 dimensions.

    Its first layer scales pixels to (255 pixel - 127.5) / 128, in [-1, 1). Embeddings have length 1. Unlike the
    original, it has no dropout before the last layer.

    Args:
        input_size: height, width and channels of an image; 160, 160 and 3 in the original, the shorter side at least
            75. For gray images the first convolution has a third of the weights.
        embedding_dim: size of an embedding; 512 in the current published weights, 128 in the first ones.

    Returns:
        A model that maps (n, h, w, c) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: if the images are too small.

    Reference:
        Szegedy et al. 2017, "Inception-v4, Inception-ResNet and the impact of residual connections on learning";
        Schroff et al. 2015, "FaceNet: a unified embedding for face recognition and clustering".
    """
    check_size("inception_resnet_v1", input_size, MIN_SIZE)
    image = keras.Input(input_size, name="image")
    x = keras.layers.Rescaling(255 / 128, -127.5 / 128, name="standardization")(image)
    x = _stem(x)
    for number in range(5):
        x = _residual(x, BLOCK_35, 0.17, f"repeat_1.{number}")
    x = _reduction(x, MIXED_6A, "mixed_6a")
    for number in range(10):
        x = _residual(x, BLOCK_17, 0.10, f"repeat_2.{number}")
    x = _reduction(x, MIXED_7A, "mixed_7a")
    for number in range(5):
        x = _residual(x, BLOCK_8, 0.20, f"repeat_3.{number}")
    x = _residual(x, BLOCK_8, 1.0, "block8", activation=False)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    x = keras.layers.Dense(embedding_dim, use_bias=False, dtype="float32", name="last_linear")(x)
    x = _normalized(x, "last_bn", dtype="float32")
    return keras.Model(
        image, keras.layers.UnitNormalization(dtype="float32", name="unit")(x), name="inception_resnet_v1"
    )


def inception_resnet_v1_parameters(input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of weights of `inception_resnet_v1` without building it."""
    return PARAMETERS + 9 * 32 * (input_size[2] - 3) + (FEATURES + 4) * embedding_dim


def _stem(x: tf.Tensor) -> tf.Tensor:
    x = _convolution(x, 32, 3, "conv2d_1a", strides=2, padding="valid")
    x = _convolution(x, 32, 3, "conv2d_2a", padding="valid")
    x = _convolution(x, 64, 3, "conv2d_2b")
    x = keras.layers.MaxPooling2D(3, strides=2, name="maxpool_3a")(x)
    x = _convolution(x, 80, 1, "conv2d_3b")
    x = _convolution(x, 192, 3, "conv2d_4a", padding="valid")
    return _convolution(x, 256, 3, "conv2d_4b", strides=2, padding="valid")


def _residual(x: tf.Tensor, branches: Branches, scale: float, name: str, activation: bool = True) -> tf.Tensor:
    """Applies a residual block: adds the concatenated branches, projected to the channels of x and scaled, to x."""
    y = [_chain(x, branch, f"{name}.branch{number}") for number, branch in enumerate(branches)]
    y = keras.layers.Concatenate(name=f"{name}.concatenate")(y)
    y = keras.layers.Conv2D(x.shape[-1], 1, name=f"{name}.conv2d")(y)
    y = keras.layers.Rescaling(scale, name=f"{name}.scale")(y)
    x = keras.layers.Add(name=f"{name}.sum")([x, y])
    return keras.layers.ReLU(name=name)(x) if activation else x


def _reduction(x: tf.Tensor, branches: Branches, name: str) -> tf.Tensor:
    """Halves the resolution with branches that end in a strided convolution, concatenated with a max-pool."""
    y = [_chain(x, branch, f"{name}.branch{number}", strided=True) for number, branch in enumerate(branches)]
    y.append(keras.layers.MaxPooling2D(3, strides=2, name=f"{name}.pool")(x))
    return keras.layers.Concatenate(name=name)(y)


def _chain(x: tf.Tensor, branch: tuple[tuple[int, Size], ...], name: str, strided: bool = False) -> tf.Tensor:
    """Applies the convolutions of a branch; a single one is named after the branch, several are numbered."""
    for number, (filters, size) in enumerate(branch):
        layer_name = f"{name}.{number}" if len(branch) > 1 else name
        if strided and number == len(branch) - 1:
            x = _convolution(x, filters, size, layer_name, strides=2, padding="valid")
        else:
            x = _convolution(x, filters, size, layer_name)
    return x


def _convolution(
    x: tf.Tensor, filters: int, size: Size, name: str, strides: int = 1, padding: str = "same"
) -> tf.Tensor:
    x = keras.layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding=padding,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}.conv",
    )(x)
    return keras.layers.ReLU(name=f"{name}.relu")(_normalized(x, f"{name}.bn"))


def _normalized(x: tf.Tensor, name: str, dtype: str | None = None) -> tf.Tensor:
    return keras.layers.BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, dtype=dtype, name=name
    )(x)
