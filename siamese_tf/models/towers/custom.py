"""Checks of custom towers, used by every function that accepts one."""

import inspect
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow import keras

from siamese_tf.errors import ConfigError

WRAP_HINT = "keras.Model(image, tower(image)) with image = keras.Input({})"


def check_tower(tower: Any, input_size: tuple[int, int, int]) -> keras.Model:
    """Checks that an object can be used as a tower.

    Args:
        tower: object to check.
        input_size: height, width and channels of the images.

    Returns:
        The tower itself: a functional model, or a Sequential that starts with `keras.Input`, which maps (n, h, w, c)
        floating-point images to (n, d) floating-point embeddings.

    Raises:
        ConfigError: if the object is not such a model; the message describes the object.
    """
    wrap = WRAP_HINT.format(input_size)
    if not isinstance(tower, keras.Model):
        raise ConfigError(f"tower must be a keras.Model; got {_description(tower)}. {_hint(tower, wrap)}")
    try:
        input_shape, output_shape = tower.input_shape, tower.output_shape
        outputs, inputs = tower.outputs, tower.inputs
    except AttributeError:
        input_shape = output_shape = outputs = inputs = None
    if input_shape is None or not outputs or not inputs:
        kind = type(tower).__name__
        state = "an unbuilt Sequential" if isinstance(tower, keras.Sequential) else f"{kind}, a subclassed model"
        raise ConfigError(
            f"tower must be a keras.Model with known shapes; got {state}. Pass a functional model, a Sequential"
            f" that starts with keras.Input, or {wrap}"
        )
    output = getattr(tower, "output", None)  # absent from a Sequential of Keras 3
    if isinstance(output, Mapping | list | tuple):
        raise ConfigError(
            f"the custom tower must return one tensor of embeddings; got a {type(output).__name__} of {len(output)}."
            " Pass keras.Model(image, embeddings), where embeddings is a tensor"
        )
    if input_shape != (None, *input_size) or not _is_embedding(output_shape):
        raise ConfigError(
            f"the custom tower must map (n, {', '.join(map(str, input_size))}) images to (n, d) embeddings;"
            f" got {input_shape} to {output_shape}"
        )
    for role, tensor in (("take images", inputs[0]), ("return embeddings", outputs[0])):
        dtype = tf.as_dtype(tensor.dtype)
        if not dtype.is_floating:
            raise ConfigError(f"the custom tower must {role} of a floating-point dtype; got {dtype.name}. Use float32")
    return tower


def check_trainable(tower: keras.Model) -> None:
    """Checks that a tower has trainable weights.

    Args:
        tower: model that passed `check_tower`.

    Raises:
        ConfigError: if it has no weights, or all are frozen.
    """
    if not tower.weights:
        raise ConfigError("the custom tower must have trainable weights; it has no weights")
    if not tower.trainable_weights:
        raise ConfigError(
            "the custom tower must have trainable weights; all its layers are frozen. Set trainable = True on some of"
            " them"
        )


def _is_embedding(shape: Any) -> bool:
    return isinstance(shape, tuple) and len(shape) == 2 and isinstance(shape[1], int)


def _description(tower: Any) -> str:
    if inspect.isclass(tower):
        return f"the class {tower.__name__}"
    if isinstance(tower, keras.layers.Layer):
        return f"{type(tower).__name__}, a layer"
    if inspect.isroutine(tower):
        return f"the function {getattr(tower, '__name__', '')}".rstrip()
    return f"{tower!r:.100}" if isinstance(tower, str | int | float) else f"an object of type {type(tower).__name__}"


def _hint(tower: Any, wrap: str) -> str:
    if inspect.isclass(tower):
        return "Pass an instance of it"
    if isinstance(tower, keras.layers.Layer):
        return f"Pass {wrap}"
    if inspect.isroutine(tower):
        return "Pass the model it returns"
    if isinstance(tower, str):
        return "Set a tower by name in the config: TrainConfig(tower=...)"
    return "Pass a model of tensorflow.keras"
