"""Import of ImageNet weights from a `.h5` file as published by `keras.applications`."""

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
OWN_LAYER = "embedding"  # not from ImageNet
LAYERS_OF_CLASSES = ("predictions", "probs", "Logits")
HINT = "It takes the .h5 files of keras.applications, whose arrays have the names of their layers"
BLUE_FIRST = ("resnet50", "conv1_conv/kernel")  # the tower, and its weight that looks at colours


def import_imagenet(tower: keras.Model, path: str | Path) -> None:
    """Assigns the weights of a tower from a file, except its last layer, after checking all arrays.

    Args:
        tower: `mobilenet_v2` (of the width 1.0) or `resnet50`.
        path: a file with an array `layer/.../kernel:0` for each weight, as Keras 2 writes weights and as
            `keras.applications` publishes them, with the layer of the classes or without. A `.weights.h5` of Keras 3
            does not name its layers and is refused.

    Raises:
        ConfigError: another tower.
        ModelFileError: the file cannot be read, or an array is missing, left over, of another shape or type, or holds
            what is not a number.
    """
    if tower.name not in TOWERS:
        raise ConfigError(f"ImageNet weights are for the towers {', '.join(TOWERS)}; got {tower.name!r:.100}")
    variables = {
        f"{layer.name}/{name}": weight
        for layer in tower.layers
        if layer.name != OWN_LAYER
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
            f"{printable(str(path))} cannot be read as a file of weights: {reason}. Check the path"
        ) from error
    except Exception as error:  # h5py raises a dozen kinds on damaged bytes
        raise ModelFileError(
            f"{printable(str(path))} cannot be read as a file of weights: {short_reason(error)}. Check the path"
        ) from error
    if BLUE_FIRST[0] == tower.name:
        arrays[BLUE_FIRST[1]] = arrays[BLUE_FIRST[1]][:, :, ::-1]
    for name, variable in variables.items():
        variable.assign(arrays[name])


def _arrays(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Returns the arrays of the file by layer and weight; links to other files are not followed."""
    found: dict[str, h5py.Dataset] = {}
    visited = itertools.count(1)

    def visit(path: str, item: h5py.HLObject) -> None:
        if next(visited) > MAX_OBJECTS:
            raise ModelFileError(f"it holds more than {MAX_OBJECTS:,} groups and arrays. {HINT}")
        if not isinstance(item, h5py.Dataset):
            return
        parts = path.removeprefix("model_weights/").split("/")
        name = parts[-1].split(":")[0]
        key = f"{parts[0]}/{'kernel' if name == 'depthwise_kernel' else name}"
        if parts[0] in LAYERS_OF_CLASSES or parts[0] == "optimizer_weights":
            return
        if key in found:
            raise ModelFileError(f"{key!r:.100} occurs twice. {HINT}")
        found[key] = item

    file.visititems(visit)
    return found


def _read(arrays: dict[str, h5py.Dataset], variables: dict[str, tf.Variable]) -> dict[str, np.ndarray]:
    """Reads the arrays into NumPy, each checked before it is read."""
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
            raise ModelFileError(f"{name} must be an array of numbers in this very file; it is not")
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
            read[name] = array[()].astype(np.float32)
        check_values(name, read[name])
    return read
