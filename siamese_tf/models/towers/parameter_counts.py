"""The number of parameters of each tower by name, without building it: what a file must hold to be a model's.

Building a tower takes seconds and hundreds of megabytes, which a file of a few kilobytes should not cost.
"""

from collections.abc import Callable

from siamese_tf.models.towers.hog import CELLS, DIRECTIONS
from siamese_tf.models.towers.koch import koch_parameters

Size = tuple[int, int, int]
# Parameters before the last layer, of images in color.
MOBILENET_V2, RESNET50, INCEPTION_RESNET_V1 = 2_257_984, 23_587_712, 22_592_672


def _convolution(side: int, channels: int, filters: int) -> int:
    """Kernel without bias, and the four vectors of batch normalization."""
    return (side * side * channels + 4) * filters


def _small_cnn(size: Size, dim: int) -> int:
    blocks = ((5, size[2], 32), (3, 32, 48), (3, 48, 96), (3, 96, 128))
    return sum(_convolution(*block) for block in blocks) + 129 * dim


def _resnet(size: Size, dim: int) -> int:
    shortcuts = _convolution(1, 16, 32) + _convolution(1, 32, 64)
    first = _convolution(3, 16, 16) + _convolution(3, 16, 32) + _convolution(3, 32, 64)
    others = 5 * sum(_convolution(3, filters, filters) for filters in (16, 32, 64))
    return _convolution(3, size[2], 16) + shortcuts + first + others + 65 * dim


def _reference(size: Size, dim: int) -> int:
    height, width = ((side - 4) // 2 for side in size[:2])
    return (9 * size[2] + 1) * 8 + (9 * 8 + 1) * 16 + (height * width * 16 + 1) * dim


def _tnn(size: Size, dim: int) -> int:
    height, width = (((side - 6) // 2 - 4) // 2 for side in size[:2])
    return (49 * size[2] + 1) * 128 + (25 * 128 + 1) * 256 + (height * width * 256 + 1) * dim


def _hog(size: Size, dim: int) -> int:
    cell = max(1, round(max(size[:2]) / CELLS))
    rows, columns = (-(-side // cell) for side in size[:2])
    return (rows * columns * DIRECTIONS + 1) * dim


def _inception_resnet_v1(size: Size, dim: int) -> int:
    return INCEPTION_RESNET_V1 + 9 * 32 * (size[2] - 3) + (1792 + 4) * dim


COUNTS: dict[str, Callable[[Size, int], int]] = {
    "small_cnn": _small_cnn,
    "resnet": _resnet,
    "reference": _reference,
    "tnn": _tnn,
    "hog": _hog,
    "koch": koch_parameters,
    "inception_resnet_v1": _inception_resnet_v1,
    "mobilenet_v2": lambda size, dim: MOBILENET_V2 + 1281 * dim,
    "resnet50": lambda size, dim: RESNET50 + 2049 * dim,
}


def parameter_count(tower: str, input_size: Size, embedding_dim: int) -> int:
    """Returns how many numbers the weights of a tower hold, moving statistics included.

    Args:
        tower: a name of TOWERS.
        input_size: height, width and channels of an image.
        embedding_dim: numbers in an embedding.
    """
    return COUNTS[tower](input_size, embedding_dim)
