"""A user's own tower: the one check for every way in."""

import inspect
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow import keras

from siamese_tf.errors import ConfigError

WRAP_HINT = "keras.Model(image, yours(image)) with image = keras.Input({})"


def check_tower(tower: Any, input_size: tuple[int, int, int]) -> keras.Model:
    """Checks that an object can serve as a tower.

    Args:
        tower: what the user passed.
        input_size: height, width and channels of the images.

    Returns:
        The tower: a functional model, or a Sequential one that begins with `keras.Input`, from (n, h, w, c) float
        images to (n, d) float embeddings.

    Raises:
        ConfigError: it is no such model; the message names what it is.
    """
    wrap = WRAP_HINT.format(input_size)
    if not isinstance(tower, keras.Model):
        raise ConfigError(f"tower must be a keras.Model; got {_description(tower)}. {_hint(tower, wrap)}")
    try:
        taken, given = tower.input_shape, tower.output_shape
        outputs, inputs = tower.outputs, tower.inputs
    except AttributeError:
        taken = given = outputs = inputs = None
    if taken is None or not outputs or not inputs:
        kind = type(tower).__name__
        state = "an unbuilt Sequential" if isinstance(tower, keras.Sequential) else f"{kind}, a subclassed model"
        raise ConfigError(
            f"tower must be a keras.Model that knows its shapes; got {state}. Pass a functional model, a Sequential"
            f" that begins with keras.Input, or {wrap}"
        )
    output = getattr(tower, "output", None)  # which a Sequential of Keras 3 does not have
    if isinstance(output, Mapping | list | tuple):
        raise ConfigError(
            f"your tower must give one tensor of embeddings; it gives a {type(output).__name__} of {len(output)}. Pass"
            " keras.Model(image, embeddings), where embeddings is a tensor"
        )
    if taken != (None, *input_size) or not _is_embedding(given):
        raise ConfigError(
            f"your tower must take (n, {', '.join(map(str, input_size))}) images and give (n, d) embeddings;"
            f" it takes {taken} and gives {given}"
        )
    for what, tensor in (("take", inputs[0]), ("give", outputs[0])):
        dtype = tf.as_dtype(tensor.dtype)
        if not dtype.is_floating:
            noun = "images" if what == "take" else "embeddings"
            raise ConfigError(f"your tower must {what} float {noun}, such as float32; it {what}s {dtype.name}")
    return tower


def check_trainable(tower: keras.Model) -> None:
    """Checks that a tower that passed `check_tower` has weights to train.

    Raises:
        ConfigError: it has none, or all are frozen.
    """
    if not tower.weights:
        raise ConfigError("your tower has no weights, so there is nothing to train")
    if not tower.trainable_weights:
        raise ConfigError(
            "your tower has no trainable weights, so there is nothing to train: all its layers are frozen. Set"
            " trainable = True on some of them"
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
        return "Pass a model made of it"
    if isinstance(tower, keras.layers.Layer):
        return f"Pass {wrap}"
    if inspect.isroutine(tower):
        return "Pass the model it returns"
    if isinstance(tower, str):
        return "A tower by name goes into the config: TrainConfig(tower=...)"
    return "Pass a model of tensorflow.keras"
