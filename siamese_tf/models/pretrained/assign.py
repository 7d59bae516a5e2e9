"""Assignment of a PyTorch `state_dict` to a tower, after checking every array."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.errors import ModelFileError
from siamese_tf.models.weights import check_values, plain_names

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
DEPTHWISE_AXES = (2, 3, 0, 1)  # (channels, 1, height, width) -> (height, width, channels, 1)
COUNTER = ".num_batches_tracked"


def assign_state_dict(
    tower: keras.Model,
    arrays: Mapping[str, np.ndarray],
    *,
    ignored: tuple[str, ...] = (),
    torch_layer: Callable[[str], str] = str,
) -> None:
    """Assigns all weights of a tower.

    Args:
        tower: model to assign to.
        arrays: PyTorch `state_dict` as NumPy arrays; counters of batches are ignored.
        ignored: names of arrays that are not part of the tower.
        torch_layer: converts the name of a layer to its name in PyTorch.

    Raises:
        ModelFileError: if an array is missing or unknown, has the wrong shape, or has invalid values; nothing is
            assigned then.
    """
    variables = torch_names(tower, torch_layer)
    given = {name for name in arrays if name not in ignored and not name.endswith(COUNTER)}
    if given != set(variables):
        raise ModelFileError(
            f"missing {_some(set(variables) - given)}; unknown {_some(given - set(variables))}. Pass the state_dict as"
            f" it was published, with names like {next(iter(variables))}"
        )
    depthwise = {
        id(weight)
        for layer in tower.layers
        if isinstance(layer, keras.layers.DepthwiseConv2D)
        for weight in layer.weights
    }
    converted = {
        name: _as_keras(name, arrays[name], variable, id(variable) in depthwise) for name, variable in variables.items()
    }
    for name, variable in variables.items():
        variable.assign(converted[name])


def torch_names(tower: keras.Model, torch_layer: Callable[[str], str] = str) -> dict[str, tf.Variable]:
    """Maps PyTorch names to the weights of a tower."""
    return {
        f"{torch_layer(layer.name)}.{NAMES[name]}": weight
        for layer in tower.layers
        for name, weight in zip(plain_names(layer.weights), layer.weights, strict=True)
    }


def _as_keras(name: str, array: np.ndarray, variable: tf.Variable, depthwise: bool) -> np.ndarray:
    shape = tuple(variable.shape)
    axes = DEPTHWISE_AXES if depthwise else AXES[len(shape)]
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
