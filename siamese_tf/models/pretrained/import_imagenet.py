"""Import of ImageNet weights from an `.h5` file as published for `keras.applications`."""

import itertools
from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.errors import ConfigError, ModelFileError
from siamese_tf.files import open_regular
from siamese_tf.models.weights import check_values, plain_names
from siamese_tf.printable import printable, short_reason

TOWERS = ("mobilenet_v2", "resnet50")
MAX_OBJECTS = 4096  # ResNet50 with the state of an optimizer has 2,000
EMBEDDING_LAYER = "embedding"  # not part of the ImageNet network
CLASSIFIER_LAYERS = ("predictions", "probs", "Logits")
HINT = "Use an .h5 file of keras.applications, whose arrays are named after their layers"
BGR_KERNEL = ("resnet50", "conv1_conv/kernel")  # tower, and its kernel over color channels


def import_imagenet(tower: keras.Model, path: str | Path) -> None:
    """Assigns the weights of a tower from a file, except its last layer, after checking all arrays.

    Args:
        tower: `mobilenet_v2` (width 1.0) or `resnet50`.
        path: file with an array `layer/.../kernel:0` for each weight, as written by Keras 2 and published for
            `keras.applications`, with or without the classification layer. A `.weights.h5` file of Keras 3 does not
            contain layer names and is rejected.

    Raises:
        ConfigError: if the tower is another one.
        ModelFileError: if the file cannot be read, or an array is missing or unknown, has the wrong shape or dtype, or
            has invalid values.
    """
    if tower.name not in TOWERS:
        raise ConfigError(f"tower must be one of {', '.join(TOWERS)} for ImageNet weights; got {tower.name!r:.100}")
    variables = {
        f"{layer.name}/{name}": weight
        for layer in tower.layers
        if layer.name != EMBEDDING_LAYER
        for name, weight in zip(plain_names(layer.weights), layer.weights, strict=True)
    }
    try:
        with open_regular(path) as opened, h5py.File(opened, "r") as file:
            arrays = _read(_arrays(file), variables)
    except ModelFileError as error:
        raise ModelFileError(
            f"{printable(str(path))} does not hold the ImageNet weights of {tower.name}: {error}"
        ) from error
    except OSError as error:
        reason = error.strerror or short_reason(error)
        raise ModelFileError(
            f"{printable(str(path))} cannot be read as a weights file: {reason}. Check the path"
        ) from error
    except Exception as error:  # h5py raises many exception types on damaged data
        raise ModelFileError(
            f"{printable(str(path))} cannot be read as a weights file: {short_reason(error)}. Check the path"
        ) from error
    if BGR_KERNEL[0] == tower.name:
        arrays[BGR_KERNEL[1]] = arrays[BGR_KERNEL[1]][:, :, ::-1]
    for name, variable in variables.items():
        variable.assign(arrays[name])


def _arrays(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Returns the arrays of the file by `layer/weight`; links to other files are not followed."""
    found: dict[str, h5py.Dataset] = {}
    visited = itertools.count(1)

    def visit(path: str, item: h5py.HLObject) -> None:
        if next(visited) > MAX_OBJECTS:
            raise ModelFileError(f"it contains more than {MAX_OBJECTS:,} groups and arrays. {HINT}")
        if not isinstance(item, h5py.Dataset):
            return
        parts = path.removeprefix("model_weights/").split("/")
        name = parts[-1].split(":")[0]
        key = f"{parts[0]}/{'kernel' if name == 'depthwise_kernel' else name}"
        if parts[0] in CLASSIFIER_LAYERS or parts[0] == "optimizer_weights":
            return
        if key in found:
            raise ModelFileError(f"array {key!r:.100} occurs twice. {HINT}")
        found[key] = item

    file.visititems(visit)
    return found


def _read(arrays: dict[str, h5py.Dataset], variables: dict[str, tf.Variable]) -> dict[str, np.ndarray]:
    """Reads the arrays into memory; each is checked before it is read."""
    missing, unknown = sorted(set(variables) - set(arrays)), sorted(set(arrays) - set(variables))
    if missing or unknown:
        raise ModelFileError(
            f"{len(missing)} missing {missing[:3]!s:.200}, {len(unknown)} unknown {unknown[:3]!s:.200}. {HINT}"
        )
    read = {}
    for name, variable in variables.items():
        array = arrays[name]
        if array.shape != tuple(variable.shape):
            raise ModelFileError(f"{name} must have shape {tuple(variable.shape)}; got {array.shape}")
        if array.is_virtual or array.external or array.dtype.kind != "f":
            raise ModelFileError(f"{name} must be a floating-point array stored in this file; it is not")
        with np.errstate(over="ignore"):  # values too large for float32 become infinite, and are rejected
            read[name] = array[()].astype(np.float32)
        check_values(name, read[name])
    return read
