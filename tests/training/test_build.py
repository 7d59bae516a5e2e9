from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError
from siamese_tf.models.model_file import save_model
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.build import build_trainer
from siamese_tf.training.epochs import training_steps
from siamese_tf.training.pipeline import training_batches
from siamese_tf.training.resolve import resolve_config

pytestmark = pytest.mark.train

CONFIG = TrainConfig(batch_pairs=16, embedding_dim=4, epochs=4, tower="small_cnn", learning_rate=0.01)
QUICK = replace(CONFIG, tower="reference")  # built in half the time


@pytest.fixture
def build(quarters, run_of):
    """Builds the trainer of a config, resolved for the pairs."""

    def build_for(config, tower=None, pairs=quarters):
        run = run_of(pairs, config)
        return build_trainer(resolve_config(config, run, tower), run, tower)

    return build_for


def own_tower(*layers):
    image = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(image)
    for layer in layers:
        x = layer(x)
    return keras.Model(image, keras.layers.Dense(4)(x))


def shapes(model):
    return [tuple(variable.shape) for variable in model.variables]


def test_the_initial_weights_depend_on_the_seed_alone(build):
    tf.random.set_seed(99)
    one, other, third = build(QUICK), build(QUICK), build(replace(QUICK, seed=1))
    for here, there in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(here, there)
    assert not np.allclose(one.model.get_weights()[0], third.model.get_weights()[0])


def test_the_ema_model_of_a_named_tower_has_variables_of_its_own(build):
    trainer = build(CONFIG)
    assert shapes(trainer.ema_model) == shapes(trainer.model)
    assert not {id(variable) for variable in trainer.ema_model.variables} & {
        id(other) for other in trainer.model.variables
    }
    assert trainer.ema_model.head_name == trainer.model.head_name == "cosine"
    assert trainer.ema_model.input_size == trainer.model.input_size == (8, 8, 1)


class HalfFrozen(keras.layers.Layer):
    """A layer without get_config around two layers of equal shape, the first of which is frozen."""

    def __init__(self):
        super().__init__()
        self.first, self.second = keras.layers.Dense(4), keras.layers.Dense(4)
        self.first.trainable = False

    def build(self, shape):
        self.first.build(shape)
        self.second.build((shape[0], 4))
        self.built = True

    def call(self, x):
        return self.second(self.first(x))


def test_the_ema_model_of_a_custom_tower_shares_it(build, quarters, run_of):
    """Whatever it is made of: without an average, the weights of both are equal bit for bit."""
    pixels = quarters.images.reshape(len(quarters.images), -1) / np.float32(255)
    adapted = keras.layers.Normalization()
    adapted.adapt(pixels)
    image = keras.Input((8, 8, 1))
    tower = keras.Model(image, HalfFrozen()(adapted(keras.layers.Flatten()(image))))
    trainer = build(replace(CONFIG, average=0.0), tower)
    assert trainer.ema_model.tower is trainer.model.tower is tower
    before = trainer.model.embed(quarters.images[:5])
    for batch in training_batches(run_of(quarters), trainer.config, range(2)).take(2):
        trainer.train_step(batch)
    after = trainer.model.embed(quarters.images[:5])
    assert np.abs(after - before).max() > 1e-3
    with trainer.ema_weights() as ema_model:
        np.testing.assert_array_equal(ema_model.embed(quarters.images[:5]), after)


@pytest.mark.parametrize("views", ["one", "mirror", "turn", "shift"])
def test_only_the_ema_model_uses_several_views(build, views):
    trainer = build(replace(QUICK, views=views))
    assert (trainer.model.views, trainer.ema_model.views) == ("one", views)


def test_the_learning_rate_goes_down_over_all_steps_of_the_run(build):
    """40 steps (160 pairs in batches of 16, 4 epochs), 2 of warmup; with a gradient of 1, Adam moves by the rate."""
    trainer, places = build(QUICK), [5.0]
    for _ in range(40):
        trainer.optimizer.apply_gradients([(tf.ones(()), trainer.model.head.bias)])
        places.append(float(trainer.model.head.bias))
    expected = [0.005, 0.01, 0.005 * (1 + np.cos(np.pi * 19 / 38)), 0.005 * (1 + np.cos(np.pi * 37 / 38))]
    np.testing.assert_allclose(-np.diff(places)[[0, 2, 21, 39]], expected, atol=1e-6)


# Initial weights and frozen layers.


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A model with random batch-norm statistics, and its file."""
    keras.utils.set_random_seed(7)
    model = SiameseModel((8, 8, 1), "small_cnn", 4, "euclidean")
    rng = np.random.default_rng(7)
    model.tower.set_weights([rng.uniform(0.5, 1.0, one.shape) for one in model.tower.get_weights()])
    path = tmp_path_factory.mktemp("earlier") / "earlier.keras"
    save_model(model, path)
    return model, str(path)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_starts_from_the_tower_of_a_file_and_a_head_of_its_own(build, earlier, precision):
    model, path = earlier
    trainer = build(replace(CONFIG, start_from=path, precision=precision))
    with trainer.ema_weights() as ema_model:
        for tower in (trainer.model.tower, ema_model.tower):
            for one, other in zip(tower.get_weights(), model.tower.get_weights(), strict=True):
                np.testing.assert_array_equal(one, other)
    new = build(CONFIG).model
    assert (trainer.model.head_name, float(trainer.model.head.scale)) == ("cosine", float(new.head.scale))
    assert not np.array_equal(new.get_weights()[0], model.get_weights()[0])


def test_a_tower_of_another_size_is_no_start(build, earlier):
    with pytest.raises(ConfigError, match=r"with the tower small_cnn .* -> 5; got small_cnn \(8, 8, 1\) -> 4 from"):
        build(replace(CONFIG, start_from=earlier[1], embedding_dim=5))


def test_the_ema_model_has_the_same_frozen_layers_so_that_the_variables_have_the_same_order(build):
    trainer = build(replace(CONFIG, train_last=2))
    names = [[variable.name for variable in one.trainable_variables] for one in (trainer.model, trainer.ema_model)]
    assert names[0] == names[1]
    assert len(names[0]) == 2 + 2 + 1 + 2  # embedding, block4_norm, block4_conv and the head's own two
    assert shapes(trainer.ema_model) == shapes(trainer.model) == shapes(build(CONFIG).model)
    assert len(trainer.ema_variables) == len(trainer.model.variables)


def test_a_tower_with_fewer_layers_than_are_to_be_trained_is_refused(build):
    with pytest.raises(
        ConfigError, match="train_last must be at most 5, the number of layers or blocks of the tower; got 10"
    ):
        build(replace(CONFIG, train_last=10))


# Precision.


def compute_dtypes(model):
    return {layer.compute_dtype for layer in model.tower.layers if layer.weights}


@pytest.mark.parametrize("tower", ["small_cnn", "resnet", "reference"])
def test_in_bfloat16_only_the_tower_that_is_trained_computes_and_no_weight_is(build, tower):
    trainer = build(replace(CONFIG, precision="bfloat16", tower=tower))
    assert compute_dtypes(trainer.model) == {"bfloat16", "float32"}
    assert trainer.model.tower.get_layer("embedding").compute_dtype == "float32"
    assert compute_dtypes(trainer.ema_model) == {trainer.model.head.compute_dtype} == {"float32"}
    assert {tf.as_dtype(variable.dtype) for variable in trainer.state} == {tf.float32}
    assert keras.layers.Dense(1).compute_dtype == "float32"  # whatever is built afterwards


def test_a_step_in_bfloat16_is_nearly_one_in_float32(build, quarters, run_of):
    """The losses agree to 5%, but not exactly."""
    losses = []
    for precision in ("float32", "bfloat16"):
        config = replace(CONFIG, precision=precision, average=0.5)
        trainer = build(config)
        batches = training_batches(run_of(quarters), trainer.config, range(1))
        losses.append([float(trainer.train_step(batch)["loss"]) for batch in batches.take(3)])
        scores = trainer.ema_model.score_pairs(quarters.images, quarters.img1[:9], quarters.img2[:9])
        assert np.isfinite(scores).all()
        assert {weight.dtype.name for weight in trainer.ema_model.get_weights()} == {"float32"}
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.05)
    assert losses[0] != losses[1]


def test_a_tower_refused_leaves_no_other_precision_behind(build, quarters):
    small = replace(quarters, images=quarters.images[:, :4, :4])
    with pytest.raises(ConfigError, match="at least 8x8"):
        build(replace(CONFIG, precision="bfloat16"), pairs=small)
    assert keras.layers.Dense(1).compute_dtype == "float32"


def test_the_average_inside_fit(build, quarters, run_of):
    """In graph mode; without an average, the averaged weights are exactly the trained ones."""
    for decay in (0.0, 0.9):
        trainer = build(replace(QUICK, average=decay, epochs=1))
        run = run_of(quarters)
        steps = training_steps(run, trainer.config)
        batches = training_batches(run, trainer.config, range(1))
        trainer.fit(batches, steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0)
        both = zip(trainer.model.variables, trainer.ema_variables, strict=True)
        same = [np.array_equal(trained.numpy(), average.numpy()) for trained, average in both]
        assert all(same) if decay == 0 else not any(same[:6])  # the loss does not reach the head's own two
