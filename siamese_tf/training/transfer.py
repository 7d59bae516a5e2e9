"""Transfer learning: a tower that starts with the weights of another, and layers that learn less or not at all."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError
from siamese_tf.models.model_file import load_model
from siamese_tf.models.pretrained.import_imagenet import import_imagenet
from siamese_tf.models.siamese_model import SiameseModel

# Of a name, what says its block: all up to a "blockN" or "block_N", or else up to the first ".".
BLOCK = re.compile(r"\w*?block_?\d+|[^.]+(?=\.)")


def load_initial_weights(tower: keras.Model, path: str) -> None:
    """Sets the weights of a new tower from a file.

    Args:
        tower: by name.
        path: a model (`.keras`) with a tower of the same name, images and dimensions; or a file of ImageNet weights
            (`.h5`), see `import_imagenet`.

    Raises:
        ConfigError: the model has another tower, or the file is neither.
        ModelFileError: the file cannot be read.
    """
    if Path(path).suffix == ".h5":
        import_imagenet(tower, path)
        return
    if Path(path).suffix != ".keras":
        raise ConfigError(
            f"start_from {path!r}: expected a model (.keras), or ImageNet weights of keras.applications (.h5)"
        )
    model = load_model(path)
    here, there = _shape(tower), _shape(model.tower)
    if here != there:
        raise ConfigError(
            f"start_from {path}: its tower is {there}, and the one to train is {here}. Give both the same --tower,"
            " --embedding-dim and images"
        )
    tower.set_weights(model.tower.get_weights())


def freeze_all_but_last(model: SiameseModel, count: int) -> None:
    """Leaves the last `count` steps of the tower trainable, see `_steps`, and no other; the head stays as it is.

    Batch normalisation that is not trained keeps its statistics.

    Raises:
        ConfigError: the tower has not that many.
    """
    steps = _steps(model.tower)
    if count > len(steps):
        raise ConfigError(
            f"train_last is {count}, and the tower has {len(steps)} layers or blocks. Take at most {len(steps)}"
        )
    for layer in chain.from_iterable(steps[:-count]):
        layer.trainable = False


def lr_multipliers(model: SiameseModel, config: TrainConfig) -> list[float]:
    """At what share of the learning rate each trainable variable of a model learns: 1 for the tower's last step.

    Each step, see `_steps`, learns at `layer_decay` of the rate of the one after it; the head at the full rate.
    """
    decay = config.layer_decay or 1.0
    back = {
        id(weight): steps
        for steps, layers in enumerate(reversed(_steps(model.tower)))
        for layer in layers
        for weight in layer.weights
    }
    return [decay ** back.get(id(variable), 0) for variable in model.trainable_variables]


def _steps(tower: keras.Model) -> list[list[keras.layers.Layer]]:
    """The layers with weights, in their order and by steps: a block is one, however many branches it has.

    Layers one after the other whose names begin with the same BLOCK are one step. Among the others, one with a kernel
    begins a step; what stands between two of them, such as batch normalisation, goes with the one before.
    """
    steps: list[list[keras.layers.Layer]] = []
    last = None
    for layer in _layers(tower):
        if not layer.weights:
            continue
        found = BLOCK.match(layer.name)
        block = found and found[0]
        begins = block != last if block else any(len(weight.shape) > 1 for weight in layer.weights)
        if begins or not steps:
            steps.append([])
            last = block
        steps[-1].append(layer)
    return steps


def _layers(network: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields the layers in their order, with networks inside opened up where all their weights are in their layers."""
    for layer in network.layers:
        if isinstance(layer, keras.Model) and len(layer.weights) == sum(len(one.weights) for one in layer.layers):
            yield from _layers(layer)
        else:
            yield layer


def _shape(tower: keras.Model) -> str:
    return f"{tower.name} {tuple(tower.input_shape[1:])} -> {tower.output_shape[-1]}"
