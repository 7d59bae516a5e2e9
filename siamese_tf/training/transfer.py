"""Transfer learning: initial weights from a file, frozen layers, and lower learning rates for early layers."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from tensorflow import keras

from siamese_tf.config.pretrained import WEIGHTS
from siamese_tf.config.train_config import FORMER_DEFAULTS, TrainConfig
from siamese_tf.errors import ConfigError
from siamese_tf.models.model_file import load_model
from siamese_tf.models.pretrained.import_imagenet import import_imagenet
from siamese_tf.models.pretrained.packages import load_published_weights
from siamese_tf.models.siamese_model import SiameseModel

# The part of a layer name that identifies its block: up to "blockN" or "block_N", else up to the first ".".
BLOCK = re.compile(r"\w*?block_?\d+|[^.]+(?=\.)")


def with_tower_of_weights(config: TrainConfig) -> TrainConfig:
    """Returns a config with the former default tower if its weights are of that one and its tower is the default.

    Raises:
        ModelFileError: if the model cannot be read.
    """
    if config.start_from is None or Path(config.start_from).suffix != ".keras" or config.tower != TrainConfig.tower:
        return config
    former = FORMER_DEFAULTS["tower"]
    return replace(config, tower=former) if load_model(config.start_from).tower_name == former else config


def load_initial_weights(tower: keras.Model, path: str) -> None:
    """Loads the initial weights of a tower from a file.

    Args:
        tower: tower from the catalog.
        path: model (`.keras`) whose tower has the same name, image size and embedding size; name of published weights,
            see `load_published_weights`; or ImageNet weights (`.h5`), see `import_imagenet`.

    Raises:
        ConfigError: if the model or the weights are for another tower, or the file has another suffix.
        MissingPackageError: if the package of published weights is not installed.
        ModelFileError: if the file cannot be read.
    """
    if path in WEIGHTS:
        load_published_weights(tower, path)
        return
    if Path(path).suffix == ".h5":
        import_imagenet(tower, path)
        return
    if Path(path).suffix != ".keras":
        raise ConfigError(
            f"start_from must be a model (.keras), one of {', '.join(WEIGHTS)}, or ImageNet weights of"
            f" keras.applications (.h5); got {path!r}"
        )
    model = load_model(path)
    expected, received = _describe(tower), _describe(model.tower)
    if expected != received:
        raise ConfigError(
            f"start_from must be a model with the tower {expected}; got {received} from {path}. Use the same --tower,"
            " --embedding-dim and image size"
        )
    tower.set_weights(model.tower.get_weights())


def freeze_all_but_last(model: SiameseModel, count: int) -> None:
    """Freezes all blocks of the tower except the last `count`, see `_blocks`; the head is not affected.

    Frozen batch normalization does not update its statistics.

    Raises:
        ConfigError: if the tower has fewer blocks.
    """
    blocks = _blocks(model.tower)
    if count > len(blocks):
        raise ConfigError(
            f"train_last must be at most {len(blocks)}, the number of layers or blocks of the tower; got {count}"
        )
    for layer in chain.from_iterable(blocks[:-count]):
        layer.trainable = False


def lr_multipliers(model: SiameseModel, config: TrainConfig) -> list[float]:
    """Returns the learning-rate factors of the trainable variables of a model, in their order.

    The factor is 1 for the head and the last block of the tower, see `_blocks`; each earlier block has `layer_decay`
    times the factor of the block after it.
    """
    decay = config.layer_decay or 1.0
    depth = {
        id(weight): blocks_after
        for blocks_after, layers in enumerate(reversed(_blocks(model.tower)))
        for layer in layers
        for weight in layer.weights
    }
    return [decay ** depth.get(id(variable), 0) for variable in model.trainable_variables]


def _blocks(tower: keras.Model) -> list[list[keras.layers.Layer]]:
    """Returns the layers with weights, in order and grouped into blocks.

    Consecutive layers whose names start with the same BLOCK form one block, including its branches. Among all other
    layers, a layer with a kernel starts a block, and layers without one, such as batch normalization, extend it.
    """
    blocks: list[list[keras.layers.Layer]] = []
    last = None
    for layer in _layers(tower):
        if not layer.weights:
            continue
        match = BLOCK.match(layer.name)
        name = match and match[0]
        starts = name != last if name else any(len(weight.shape) > 1 for weight in layer.weights)
        if starts or not blocks:
            blocks.append([])
            last = name
        blocks[-1].append(layer)
    return blocks


def _layers(network: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields the layers in order; a nested network is replaced by its layers if they have all its weights."""
    for layer in network.layers:
        if isinstance(layer, keras.Model) and len(layer.weights) == sum(len(inner.weights) for inner in layer.layers):
            yield from _layers(layer)
        else:
            yield layer


def _describe(tower: keras.Model) -> str:
    return f"{tower.name} {tuple(tower.input_shape[1:])} -> {tower.output_shape[-1]}"
