"""Names of a model's arrays in its file, independent of the Keras version.

`tower.07.gamma` is weight `gamma` of the tower's eighth layer that has weights, `tower.08.kernel.1` the second `kernel`
of its ninth; `head.scale` and `head.00.kernel` are the head's. Keras' own names for the same arrays differ between its
versions, so neither could read the other's files.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.errors import ModelFileError

MAX_WEIGHT = math.sqrt(np.finfo(np.float32).max)
VARIANCE = re.compile(r"(^|[./])((moving_)?variance|running_var)(\.\d+)?$")  # as Keras and PyTorch call it
HEAD_SCALE = "head.scale"


def named_weights(tower: keras.Model, head: keras.layers.Layer) -> dict[str, tf.Variable]:
    """Maps the name in the file to each weight of tower and head."""
    weights = {HEAD_SCALE: head.scale, "head.bias": head.bias}
    parts = {"tower": _groups(tower), "head": (layer.weights for layer in getattr(head, "layers", ()))}
    for prefix, groups in parts.items():
        for position, group in enumerate(group for group in groups if group):
            names = plain_names(group)
            for number, (name, weight) in enumerate(zip(names, group, strict=True)):
                unique = name if names.count(name) == 1 else f"{name}.{names[:number].count(name)}"
                weights[f"{prefix}.{position:02d}.{unique}"] = weight
    return weights


def has_inner_layers(layer: keras.layers.Layer) -> bool:
    """Checks for a layer that contains others: a model, or one whose attribute `layers` is a list of layers."""
    inner = getattr(layer, "layers", None)
    return isinstance(inner, list | tuple) and all(isinstance(one, keras.layers.Layer) for one in inner)


def plain_names(weights: Sequence[tf.Variable]) -> list[str]:
    """Returns the names of one layer's weights as in Keras 3: `kernel`, `bias`, `gamma`, ..."""
    names = [weight.name.split("/")[-1].split(":")[0] for weight in weights]
    if "pointwise_kernel" not in names:  # Keras 2 calls the kernel of a depthwise convolution otherwise
        names = ["kernel" if name == "depthwise_kernel" else name for name in names]
    return names


def write_weights(tower: keras.Model, head: keras.layers.Layer, store: Any) -> None:
    """Writes every weight to `store` (a mapping such as a Keras weight store) as a float32 array.

    Raises:
        ModelFileError: a weight has values that `read_weights` would refuse; nothing is put into `store`.
    """
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        arrays = {name: np.asarray(weight).astype(np.float32) for name, weight in named_weights(tower, head).items()}
    for name, array in arrays.items():
        check_values(name, array)
    for name, array in arrays.items():
        store[name] = array


def read_weights(tower: keras.Model, head: keras.layers.Layer, store: Mapping[str, Any]) -> None:
    """Assigns every weight from `store`, after checking all of them.

    Raises:
        ModelFileError: an array is missing, left over, of another shape, or holds a value that is not a number.
    """
    weights = named_weights(tower, head)
    if set(store.keys()) != set(weights):
        missing, extra = sorted(set(weights) - set(store.keys())), sorted(set(store.keys()) - set(weights))
        raise ModelFileError(
            f"the weights do not belong to this tower and head: missing {missing[:3] or 'none'!s:.200}, unknown"
            f" {extra[:3] or 'none'!s:.200}. Load the file with the tower it was trained with"
        )
    arrays = {name: np.asarray(store[name]) for name in weights}
    for name, weight in weights.items():
        if arrays[name].shape != tuple(weight.shape):
            raise ModelFileError(f"weight {name} must have shape {tuple(weight.shape)}; got {arrays[name].shape}")
        check_values(name, arrays[name])
    for name, weight in weights.items():
        weight.assign(arrays[name].astype(np.asarray(weight).dtype))


def check_values(name: str, array: np.ndarray) -> None:
    """Rejects values of a weight that make all embeddings equal or not finite.

    Args:
        name: of the weight, whatever stands before its last part: `.../moving_variance`.
        array: its values, of any shape.

    Raises:
        ModelFileError: a value is not finite, or so large that float32 cannot hold its square; a variance is negative;
            a head's scale is not positive, which would rank pairs backwards, or all alike.
    """
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ModelFileError(f"weight {name} must hold finite numbers; it does not. Train the model again")
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if max(-low, high) > MAX_WEIGHT:
        raise ModelFileError(
            f"weight {name} must hold numbers from {-MAX_WEIGHT:.2g} to {MAX_WEIGHT:.2g}; got {low:.2g} to"
            f" {high:.2g}. Train the model again"
        )
    if VARIANCE.search(name) and low < 0:
        raise ModelFileError(f"weight {name} must hold variances from 0 on; got {low:.2g}. Train the model again")
    if name == HEAD_SCALE and low <= 0:
        raise ModelFileError(f"weight {name} must be a number above 0; got {low:.2g}. Train the model again")


def _groups(model: keras.Model) -> Iterator[list[tf.Variable]]:
    """Returns the weights of each layer in order, inner models included, then those in no layer."""
    for layer in model.layers:
        yield from _groups(layer) if has_inner_layers(layer) else [layer.weights]
    inside = {id(weight) for layer in model.layers for weight in layer.weights}
    yield [weight for weight in model.weights if id(weight) not in inside]
