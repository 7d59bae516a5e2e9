"""Names of the arrays in a model file, independent of the Keras version.

`tower.07.gamma` is the weight `gamma` of the eighth tower layer that has weights, `tower.08.kernel.1` the second
`kernel` of the ninth; `head.scale` and `head.00.kernel` belong to the head. The names that Keras assigns differ between
Keras 2 and Keras 3, so that neither version could read files of the other.
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
VARIANCE = re.compile(r"(^|[./])((moving_)?variance|running_var)(\.\d+)?$")  # the names in Keras and PyTorch
HEAD_SCALE = "head.scale"


def named_weights(tower: keras.Model, head: keras.layers.Layer) -> dict[str, tf.Variable]:
    """Maps names in the file to the weights of tower and head."""
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
    """Returns True if a layer contains others: a model, or a layer whose attribute `layers` is a list of layers."""
    inner = getattr(layer, "layers", None)
    return isinstance(inner, list | tuple) and all(isinstance(one, keras.layers.Layer) for one in inner)


def plain_names(weights: Sequence[tf.Variable]) -> list[str]:
    """Returns the Keras 3 names of one layer's weights: `kernel`, `bias`, `gamma`, ..."""
    names = [weight.name.split("/")[-1].split(":")[0] for weight in weights]
    if "pointwise_kernel" not in names:  # not a separable convolution; Keras 3 calls the depthwise kernel `kernel`
        names = ["kernel" if name == "depthwise_kernel" else name for name in names]
    return names


def write_weights(tower: keras.Model, head: keras.layers.Layer, store: Any) -> None:
    """Writes every weight as a float32 array to `store`, a mapping such as a Keras weight store.

    Raises:
        ModelFileError: if a weight has values that `read_weights` would reject; nothing is written then.
    """
    with np.errstate(over="ignore"):  # values too large for float32 become infinite, and are rejected
        arrays = {name: np.asarray(weight).astype(np.float32) for name, weight in named_weights(tower, head).items()}
    for name, array in arrays.items():
        check_values(name, array)
    for name, array in arrays.items():
        store[name] = array


def read_weights(tower: keras.Model, head: keras.layers.Layer, store: Mapping[str, Any]) -> None:
    """Assigns every weight from `store`, after checking all of them.

    Raises:
        ModelFileError: if an array is missing or unknown, has the wrong shape, or has invalid values.
    """
    weights = named_weights(tower, head)
    if set(store.keys()) != set(weights):
        missing, extra = sorted(set(weights) - set(store.keys())), sorted(set(store.keys()) - set(weights))
        raise ModelFileError(
            f"the weights do not match this tower and head: missing {missing[:3] or 'none'!s:.200}, unknown"
            f" {extra[:3] or 'none'!s:.200}. Load the file with the tower that it was trained with"
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
        name: name of the weight, with any prefix: `.../moving_variance`.
        array: values of the weight, of any shape.

    Raises:
        ModelFileError: if a value is not finite, or its square overflows float32; if a variance is negative; or if the
            scale of a head is not positive, which would rank all pairs equally or in reverse.
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
        raise ModelFileError(f"weight {name} must hold variances >= 0; got {low:.2g}. Train the model again")
    if name == HEAD_SCALE and low <= 0:
        raise ModelFileError(f"weight {name} must be a number above 0; got {low:.2g}. Train the model again")


def _groups(model: keras.Model) -> Iterator[list[tf.Variable]]:
    """Yields the weights of each layer in order, those of inner models included, then weights outside any layer."""
    for layer in model.layers:
        yield from _groups(layer) if has_inner_layers(layer) else [layer.weights]
    inside = {id(weight) for layer in model.layers for weight in layer.weights}
    yield [weight for weight in model.weights if id(weight) not in inside]
