import re

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError, ModelFileError
from siamese_tf.models.model_file import load_model, save_model
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.towers.custom import check_tower, check_trainable

SIZE = (8, 8, 1)


def tower(**layer):
    image = keras.Input(SIZE)
    return keras.Model(image, keras.layers.Dense(4, **layer)(keras.layers.Flatten()(image)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(4)

    def call(self, x):
        return self.dense(keras.ops.reshape(x, (-1, 64)) if hasattr(keras, "ops") else x[:, :, 0, 0])


def called():
    model = Subclassed()
    model(keras.Input(SIZE))
    return model


class WithLayers(keras.layers.Layer):
    """A layer whose attribute `layers` is a number."""

    def __init__(self, layers=3):
        super().__init__()
        self.layers = layers

    def call(self, x):
        return x


def taking(dtype):
    image = keras.Input(SIZE, dtype=dtype)
    return keras.Model(image, keras.layers.Dense(4)(keras.layers.Flatten()(keras.layers.Rescaling(1.0)(image))))


def giving_integers():
    image = keras.Input(SIZE)
    flat = keras.layers.Flatten()(image)
    return keras.Model(image, keras.layers.Discretization([0.5], name="bins")(flat))


def giving(structure):
    image = keras.Input(SIZE)
    return keras.Model(image, structure(keras.layers.Dense(4)(keras.layers.Flatten()(image))))


KNOWN_SHAPES = "tower must be a keras.Model with known shapes; got {}. Pass a functional model, a Sequential that"
WRONG = {
    "a function": (tower, "tower must be a keras.Model; got the function tower. Pass the model it returns"),
    "a built-in function": (len, "tower must be a keras.Model; got the function len. Pass the model it returns"),
    "a class": (Subclassed, "tower must be a keras.Model; got the class Subclassed. Pass an instance of it"),
    "a layer": (keras.layers.Dense(4), "got Dense, a layer. Pass keras.Model(image, tower(image))"),
    "a layer with layers": (
        WithLayers(),
        "got WithLayers, a layer. Pass keras.Model(image, tower(image)) with",
    ),
    "a name": ("resnet", "got 'resnet'. Set a tower by name in the config: TrainConfig(tower=...)"),
    "a list": ([], "got an object of type list. Pass a model of tensorflow.keras"),
    "a number": (0, "tower must be a keras.Model; got 0. Pass a model of tensorflow.keras"),
    "a subclassed model": (Subclassed(), KNOWN_SHAPES.format("Subclassed, a subclassed model")),
    "a subclassed model, called": (called(), KNOWN_SHAPES.format("Subclassed, a subclassed model")),
    "an unbuilt Sequential": (
        keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)]),
        KNOWN_SHAPES.format("an unbuilt Sequential"),
    ),
    "a batch of fixed size": (
        (lambda image: keras.Model(image, keras.layers.Flatten()(image)))(keras.Input(SIZE, batch_size=2)),
        "must map (n, 8, 8, 1) images to (n, d) embeddings; got (2, 8, 8, 1)",
    ),
    "a dict of embeddings": (
        giving(lambda one: {"embedding": one}),
        "the custom tower must return one tensor of embeddings; got a dict of 1. Pass keras.Model(image, embeddings)",
    ),
    "two embeddings": (giving(lambda one: [one, one]), "must return one tensor of embeddings; got a list of 2."),
    "a tuple of embeddings": (giving(lambda one: (one,)), "must return one tensor of embeddings; got a tuple of 1."),
    "integer images": (taking("uint8"), "must take images of a floating-point dtype; got uint8"),
    "integer embeddings": (giving_integers(), "must return embeddings of a floating-point dtype; got int"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_a_tower_is_refused_with_the_reason(name):
    given, words = WRONG[name]
    with pytest.raises(ConfigError, match=re.escape(words)):
        check_tower(given, SIZE)


@pytest.mark.parametrize("name", [name for name in WRONG if name != "a name"])
def test_every_way_in_gives_the_same_reason(name, tmp_path, toy_run):
    given, words = WRONG[name]
    with pytest.raises(ConfigError, match=re.escape(words)):
        SiameseModel(SIZE, given)
    with pytest.raises(ConfigError, match=re.escape(words)):
        toy_run(given)
    if given or not isinstance(given, int | list):
        save_model(SiameseModel(SIZE, tower()), tmp_path / "own.keras")
        with pytest.raises(ModelFileError, match=re.escape(words)):
            load_model(tmp_path / "own.keras", tower=given)


@pytest.fixture
def toy_run(tmp_path):
    """`train_and_evaluate` with a tower, on pairs of noise."""
    from siamese_tf.data.pairs.pair_file import PairDataset
    from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
    from siamese_tf.training.run_data import RunData
    from siamese_tf.training.train import train_and_evaluate

    split = np.array([0, 0, 1, 1], np.uint8)
    columns = {"img1": [0, 1, 2, 3], "img2": [1, 2, 3, 0], "similarity": [1, 0, 1, 0]}
    columns = {name: np.array(values, np.int32) for name, values in columns.items()}
    file = PairDataset(images=np.zeros((4, *SIZE), np.uint8), labels=np.array([0, 0, 1, 1]), split=split, **columns)
    opened = TrainTestPairs(file, None, "toys", "drawn")
    pairs = RunData(opened, opened, np.arange(4))

    def run(given):
        try:
            train_and_evaluate(TrainConfig(), tmp_path / "run", tower=given, pairs=pairs, quiet=True)
        finally:
            assert not (tmp_path / "run").exists()

    return run


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_a_tower_of_any_float_dtype_is_taken(dtype):
    made = tower(dtype=dtype)
    assert check_tower(made, SIZE) is made
    check_trainable(made)


def test_a_sequential_with_an_input_and_a_wrapped_subclass_are_taken():
    check_tower(keras.Sequential([keras.Input(SIZE), keras.layers.Flatten(), keras.layers.Dense(4)]), SIZE)
    image = keras.Input(SIZE)
    check_tower(keras.Model(image, Subclassed()(image)), SIZE)


def test_without_weights_to_train_the_reason_says_which_it_is():
    frozen = tower()
    frozen.trainable = False
    with pytest.raises(ConfigError, match="must have trainable weights; all its layers are frozen"):
        check_trainable(frozen)
    image = keras.Input(SIZE)
    with pytest.raises(ConfigError, match="the custom tower must have trainable weights; it has no weights"):
        check_trainable(keras.Model(image, keras.layers.Flatten()(image)))


def test_a_layer_with_an_attribute_called_layers_is_part_of_a_tower_as_any_other(tmp_path):
    def with_layers():
        image = keras.Input(SIZE)
        return keras.Model(image, keras.layers.Dense(4)(WithLayers()(keras.layers.Flatten()(image))))

    model = SiameseModel(SIZE, with_layers())
    save_model(model, tmp_path / "own.keras")
    loaded = load_model(tmp_path / "own.keras", tower=with_layers())
    for one, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
