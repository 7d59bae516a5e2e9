"""Import of dlib's published face recognition weights, from the file `dlib_face_recognition_resnet_model_v1.dat`.

dlib writes a network as a stream of its layers. The name of a layer is followed by its numbers as a tensor: a version
and the four sizes as packed integers (a byte with their length, then little-endian bytes), then float32 values. The
file is known by its SHA-256, so that only what it contains has to be understood.
"""

import numpy as np
from tensorflow import keras

from siamese_tf.errors import ModelFileError

CONVOLUTION, SCALE, LAST = b"\x05con_4", b"\x07affine_", b"\x04fc_2"  # length and name of a layer
LAST_SIZES = bytes.fromhex("0180020001")  # between the name of the last layer and its tensor
TENSOR_VERSION = b"\x01\x02"


def import_dlib_face(tower: keras.Model, content: bytes) -> None:
    """Assigns the published weights to a tower `dlib_face` of 128 dimensions.

    A convolution is followed by a scale and a bias for each channel, which are merged into it.

    Args:
        tower: the tower.
        content: bytes of the file, in which nothing has been changed.

    Raises:
        ModelFileError: if the tower has other layers than the file.
    """
    position = 0
    arrays: list[np.ndarray] = []
    for layer in tower.layers:
        if isinstance(layer, keras.layers.Conv2D):
            size, _, channels, filters = layer.kernel.shape
            numbers, position = _tensor_after(content, CONVOLUTION, position, filters * (size * size * channels + 1))
            factors, position = _tensor_after(content, SCALE, position, 2 * filters)
            kernel = numbers[:-filters].reshape(filters, channels, size, size).transpose(2, 3, 1, 0)
            arrays += [kernel * factors[:filters], numbers[-filters:] * factors[:filters] + factors[filters:]]
        elif isinstance(layer, keras.layers.Dense):
            numbers, position = _tensor_after(content, LAST + LAST_SIZES, position, int(np.prod(layer.kernel.shape)))
            arrays.append(numbers.reshape(layer.kernel.shape))
    if content.find(CONVOLUTION, position) >= 0:
        raise ModelFileError("the file must have the layers of the tower dlib_face; got more")
    tower.set_weights(arrays)


def _tensor_after(content: bytes, name: bytes, position: int, count: int) -> tuple[np.ndarray, int]:
    """Returns the (count,) float32 values of the tensor of the next layer of this name, and the position after it."""
    start = content.find(name + TENSOR_VERSION, position)
    if start < 0:
        raise ModelFileError(f"the file must have the layers of the tower dlib_face; got no {name[1:]!r} more")
    position, found = start + len(name + TENSOR_VERSION), 1
    for _ in range(4):
        length = content[position]
        found *= int.from_bytes(content[position + 1 : position + 1 + length], "little")
        position += 1 + length
    if found != count:
        raise ModelFileError(f"a layer {name[1:]!r} of the tower dlib_face must have {count:,} numbers; got {found:,}")
    return np.frombuffer(content, "<f4", count, position), position + 4 * count
