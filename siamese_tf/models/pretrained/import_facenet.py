"""Import of the published FaceNet weights from a local file."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.errors import ModelFileError
from siamese_tf.files import open_regular
from siamese_tf.models.pretrained.state_dict import read_state_dict
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.towers.parameter_counts import parameter_count
from siamese_tf.models.weights import check_values, plain_names

INPUT_SIZE = (160, 160, 3)
TOWER = "inception_resnet_v1"
# Weight names: Keras -> PyTorch.
NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
AXES = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}  # by rank: (out, in, height, width) -> (height, width, in, out), ...
CLASSIFIER = ("logits.weight", "logits.bias")  # not part of the tower
COUNTER = ".num_batches_tracked"
MAX_DIMENSIONS = 4096


def import_facenet(path: str | Path) -> SiameseModel:
    """Builds a model from the weights of facenet-pytorch's InceptionResnetV1.

    Args:
        path: file of its `state_dict`, see `read_state_dict`; the classification layer is ignored.

    Returns:
        A model for 160x160x3 face images with the head `cosine`, not calibrated: scores increase with the cosine
        similarity of two embeddings, and are 0.5 at a similarity of 0.5. Its record contains the name and SHA-256 of
        the file.

    Raises:
        ModelFileError: if the file cannot be read, or an array is missing or unknown, has the wrong shape, or has
            invalid values.
    """
    arrays = read_state_dict(path)
    last = arrays.get("last_linear.weight", np.empty((512, 0)))
    if last.ndim != 2 or not 1 <= len(last) <= MAX_DIMENSIONS:
        raise ModelFileError(
            f"{path}: last_linear.weight must have shape (d, 1792), d from 1 to {MAX_DIMENSIONS:,}; got {last.shape}"
        )
    _check_count(path, arrays, len(last))
    with open_regular(path) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    record = {"tower": TOWER, "imported": {"file": Path(path).name, "sha256": sha256}}
    model = SiameseModel(INPUT_SIZE, TOWER, len(last), head="cosine", record=record)
    try:
        assign_state_dict(model.tower, arrays)
    except ModelFileError as error:
        raise ModelFileError(
            f"{path} does not hold the weights of facenet-pytorch's InceptionResnetV1: {error}"
        ) from error
    return model


def _check_count(path: str | Path, arrays: Mapping[str, np.ndarray], dimensions: int) -> None:
    """Rejects arrays with another number of values than the tower has, before the tower is built."""
    found = sum(array.size for name, array in arrays.items() if _is_of_tower(name))
    expected = parameter_count(TOWER, INPUT_SIZE, dimensions)
    if found != expected:
        raise ModelFileError(
            f"{path} does not hold the weights of facenet-pytorch's InceptionResnetV1: with {dimensions:,} dimensions"
            f" it must have {expected:,} weights; got {found:,}. Save model.state_dict()"
        )


def _is_of_tower(name: str) -> bool:
    return name not in CLASSIFIER and not name.endswith(COUNTER)


def assign_state_dict(tower: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Assigns every weight of a tower whose layers are named as in PyTorch, after checking all arrays.

    Args:
        tower: model to assign to.
        arrays: PyTorch `state_dict` as NumPy arrays.

    Raises:
        ModelFileError: see `import_facenet`.
    """
    variables = torch_names(tower)
    given = {name for name in arrays if _is_of_tower(name)}
    if given != set(variables):
        raise ModelFileError(
            f"missing {_some(set(variables) - given)}; unknown {_some(given - set(variables))}. Pass a state_dict as"
            " saved by facenet-pytorch, with names like conv2d_1a.conv.weight"
        )
    converted = {name: _as_keras(name, arrays[name], variable) for name, variable in variables.items()}
    for name, variable in variables.items():
        variable.assign(converted[name])


def torch_names(tower: keras.Model) -> dict[str, tf.Variable]:
    """Maps PyTorch names to the weights of a tower whose layers are named as in PyTorch."""
    return {
        f"{layer.name}.{NAMES[name]}": weight
        for layer in tower.layers
        for name, weight in zip(plain_names(layer.weights), layer.weights, strict=True)
    }


def _as_keras(name: str, array: np.ndarray, variable: tf.Variable) -> np.ndarray:
    shape = tuple(variable.shape)
    axes = AXES[len(shape)]
    expected = tuple(shape[axis] for axis in np.argsort(axes))
    if array.shape != expected:
        raise ModelFileError(f"{name} must have shape {expected}; got {array.shape}")
    with np.errstate(over="ignore"):  # values too large for float32 become infinite, and are rejected
        array = array.astype(np.float32)
    check_values(name, array)
    return array.transpose(axes)


def _some(names: set[str]) -> str:
    """Returns the number of names and the first three of them, escaped for printing."""
    first = [f"{name!r:.60}" for name in sorted(names)[:3]]
    return f"{len(names)} ({', '.join(first)}{', ...' if len(names) > 3 else ''})" if names else "none"
