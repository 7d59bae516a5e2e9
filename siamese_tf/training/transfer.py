"""Transfer learning: a tower that starts with the weights of another, and layers that learn less or not at all."""

from collections.abc import Iterator
from pathlib import Path

from tensorflow import keras

from siamese_tf.config import TrainConfig
from siamese_tf.errors import ConfigError
from siamese_tf.models.import_imagenet import import_imagenet
from siamese_tf.models.model_file import load_model
from siamese_tf.models.siamese_model import SiameseModel


def start_tower(tower: keras.Model, path: str) -> None:
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
    """Leaves the last `count` layers of the tower that have weights trainable, and no other; the head stays as it is.

    Batch normalisation that is not trained keeps its statistics.

    Raises:
        ConfigError: the tower has not that many.
    """
    layers = [layer for layer in _layers(model.tower) if layer.weights]
    if count > len(layers):
        raise ConfigError(f"train_last is {count}, and the tower has {len(layers)} layers with weights")
    for layer in layers[:-count]:
        layer.trainable = False


def rate_shares(model: SiameseModel, config: TrainConfig) -> list[float]:
    """At what share of the learning rate each trainable variable of a model learns: 1 for the tower's last layer.

    A layer with a kernel begins a new share; what stands between two of them, such as batch normalisation, goes with
    the one before. The head learns at the full rate.
    """
    depth: dict[int, int] = {}
    for layer in _layers(model.tower):
        begins = any(len(weight.shape) > 1 for weight in layer.weights)
        at = max(depth.values(), default=0) + begins
        depth |= {id(weight): at for weight in layer.weights}
    last = max(depth.values(), default=0)
    decay = config.layer_decay or 1.0
    return [decay ** (last - depth.get(id(variable), last)) for variable in model.trainable_variables]


def _layers(network: keras.Model) -> Iterator[keras.layers.Layer]:
    """In their order, with networks inside opened up."""
    for layer in network.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        else:
            yield layer


def _shape(tower: keras.Model) -> str:
    return f"{tower.name} {tuple(tower.input_shape[1:])} -> {tower.output_shape[-1]}"
