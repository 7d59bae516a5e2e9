from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config import TrainConfig
from siamese_tf.errors import ConfigError
from siamese_tf.training.begin import begin
from siamese_tf.training.pipeline import training_batches, training_steps
from siamese_tf.training.settle import settle

CONFIG = TrainConfig(batch_pairs=16, embedding_dim=4, epochs=4, tower="small_cnn", learning_rate=0.01)


@pytest.fixture
def begun(quarters, run_of):
    """What begins with a config, once that is settled."""

    def start(config, tower=None, pairs=quarters):
        run = run_of(pairs, config)
        return begin(settle(config, run, tower), run, tower)

    return start


def own_tower(*layers):
    image = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(image)
    for layer in layers:
        x = layer(x)
    return keras.Model(image, keras.layers.Dense(4)(x))


def shapes(model):
    return [tuple(variable.shape) for variable in model.variables]


def test_it_begins_the_same_at_every_call_and_otherwise_with_another_seed(begun):
    tf.random.set_seed(99)
    one, other, third = begun(CONFIG), begun(CONFIG), begun(replace(CONFIG, seed=1))
    for here, there in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(here, there)
    assert not np.allclose(one.model.get_weights()[0], third.model.get_weights()[0])


def test_what_is_kept_of_a_tower_by_name_is_another_model(begun):
    trainer = begun(CONFIG)
    assert shapes(trainer.kept) == shapes(trainer.model)
    assert not {id(variable) for variable in trainer.kept.variables} & {id(other) for other in trainer.model.variables}
    assert trainer.kept.head_name == trainer.model.head_name == "cosine"
    assert trainer.kept.input_size == trainer.model.input_size == (8, 8, 1)


class HalfFrozen(keras.layers.Layer):
    """Without a get_config, and with layers of one shape in it, the first of which is not trained."""

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


def test_what_is_kept_of_a_tower_of_your_own_is_that_very_tower(begun, quarters, run_of):
    """Whatever it is made of: without an average, what is looked at is bit for bit what was trained."""
    pixels = quarters.images.reshape(len(quarters.images), -1) / np.float32(255)
    adapted = keras.layers.Normalization()
    adapted.adapt(pixels)
    image = keras.Input((8, 8, 1))
    tower = keras.Model(image, HalfFrozen()(adapted(keras.layers.Flatten()(image))))
    trainer = begun(replace(CONFIG, average=0.0), tower)
    assert trainer.kept.tower is trainer.model.tower is tower
    before = trainer.model.embed(quarters.images[:5])
    for batch in training_batches(run_of(quarters), trainer.config, range(2)).take(2):
        trainer.train_step(batch)
    after = trainer.model.embed(quarters.images[:5])
    assert np.abs(after - before).max() > 1e-3
    with trainer.keeping() as kept:
        np.testing.assert_array_equal(kept.embed(quarters.images[:5]), after)


@pytest.mark.parametrize("views", ["one", "mirror", "turn"])
def test_only_what_is_kept_looks_at_other_views_too(begun, views):
    trainer = begun(replace(CONFIG, views=views))
    assert (trainer.model.views, trainer.kept.views) == ("one", views)


# The learning rate.


def rates(trainer, count):
    """Of so many steps, as far as each goes: Adam goes as far as the learning rate where the gradient is always 1."""
    weight, found = trainer.model.head.bias, []
    for _ in range(count):
        weight.assign(0.0)
        trainer.optimizer.apply_gradients([(tf.ones(()), weight)])
        found.append(-float(weight))
    return found


def test_the_learning_rate_rises_over_a_twentieth_of_the_steps_and_falls_to_nothing(begun):
    """10 steps an epoch (160 pairs, 16 a step), 20 epochs: up in 10 steps, down in 190, by half at 105."""
    found = rates(begun(replace(CONFIG, epochs=20)), 200)
    last = 0.005 * (1 + np.cos(np.pi * 189 / 190))
    expected = {0: 0.001, 5: 0.0055, 10: 0.01, 105: 0.005, 199: last}
    np.testing.assert_allclose([found[step] for step in expected], list(expected.values()), rtol=1e-3)
    assert 0 < last < 1e-6
    assert (np.diff(found)[:10] > 0).all()
    assert (np.diff(found)[10:] < 0).all()


@pytest.mark.parametrize(("epochs", "batch_pairs", "warmup"), [(1, 20, 0), (1, 16, 0), (2, 16, 1), (3, 16, 2)])
def test_short_runs_begin_near_the_height(begun, epochs, batch_pairs, warmup):
    """Of 8, 10, 20 and 30 steps, a twentieth rounds to 0, 0, 1 and 2."""
    steps = epochs * (160 // batch_pairs)
    found = rates(begun(replace(CONFIG, epochs=epochs, batch_pairs=batch_pairs)), steps)
    last = 0.005 * (1 + np.cos(np.pi * (1 - 1 / (steps - warmup))))
    expected = [0.01 / max(1, warmup), 0.01, last]
    np.testing.assert_allclose([found[step] for step in (0, warmup, -1)], expected, rtol=1e-3)


def test_a_constant_learning_rate_is_that_from_the_first_step_on(begun):
    np.testing.assert_allclose(rates(begun(replace(CONFIG, schedule="constant")), 40), 0.01, rtol=1e-3)


# Weight decay.


@pytest.mark.parametrize(("head", "kinds"), [("euclidean", {0, 1, 2, 4}), ("concat", {1, 2, 4})])
def test_weight_decay_takes_its_share_of_the_towers_kernels_and_leaves_vectors_and_the_head_alone(begun, head, kinds):
    """A step without gradients: 0.01 * 0.5 of every kernel of the tower goes."""
    trainer = begun(replace(CONFIG, weight_decay=0.5, schedule="constant", head=head))
    variables = trainer.model.trainable_variables
    for variable in variables:
        variable.assign(tf.fill(variable.shape, 2.0))
    trainer.optimizer.apply_gradients([(tf.zeros(variable.shape), variable) for variable in variables])
    assert {len(variable.shape) for variable in variables} == kinds
    of_head = {id(variable) for variable in trainer.model.head.trainable_variables}
    for variable in variables:
        left = 2.0 * (1 - 0.01 * 0.5) if len(variable.shape) > 1 and id(variable) not in of_head else 2.0
        np.testing.assert_allclose(variable.numpy(), left, rtol=1e-6)


def test_without_weight_decay_nothing_goes(begun):
    trainer = begun(replace(CONFIG, schedule="constant"))
    before = trainer.model.get_weights()
    trainer.optimizer.apply_gradients([(tf.zeros(one.shape), one) for one in trainer.model.trainable_variables])
    for one, other in zip(before, trainer.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# The precision.


def compute_dtypes(model):
    return {layer.compute_dtype for layer in model.tower.layers if layer.weights}


@pytest.mark.parametrize("tower", ["small_cnn", "resnet", "reference"])
def test_in_bfloat16_only_the_tower_that_is_trained_computes_and_no_weight_is(begun, tower):
    trainer = begun(replace(CONFIG, precision="bfloat16", tower=tower))
    assert compute_dtypes(trainer.model) == {"bfloat16", "float32"}
    assert trainer.model.tower.get_layer("embedding").compute_dtype == "float32"
    assert compute_dtypes(trainer.kept) == {trainer.model.head.compute_dtype} == {"float32"}
    assert {tf.as_dtype(variable.dtype) for variable in trainer.state} == {tf.float32}
    assert keras.layers.Dense(1).compute_dtype == "float32"  # whatever is built afterwards


def test_a_step_in_bfloat16_is_nearly_one_in_float32(begun, quarters, run_of):
    """The same losses to 5%, and not the same bits."""
    losses = []
    for precision in ("float32", "bfloat16"):
        config = replace(CONFIG, precision=precision, average=0.5)
        trainer = begun(config)
        batches = training_batches(run_of(quarters), trainer.config, range(1))
        losses.append([float(trainer.train_step(batch)["loss"]) for batch in batches.take(3)])
        scores = trainer.kept.score_pairs(quarters.images, quarters.img1[:9], quarters.img2[:9])
        assert np.isfinite(scores).all()
        assert {weight.dtype.name for weight in trainer.kept.get_weights()} == {"float32"}
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.05)
    assert losses[0] != losses[1]


def test_a_tower_refused_leaves_no_other_precision_behind(begun, quarters):
    small = replace(quarters, images=quarters.images[:, :4, :4])
    with pytest.raises(ConfigError, match="at least 8x8"):
        begun(replace(CONFIG, precision="bfloat16"), pairs=small)
    assert keras.layers.Dense(1).compute_dtype == "float32"


def test_the_average_inside_fit(begun, quarters, run_of):
    """Where a step is a graph; without an average, what is kept is what was trained, bit for bit."""
    for average in (0.0, 0.9):
        trainer = begun(replace(CONFIG, average=average, epochs=1, tower="reference"))
        run = run_of(quarters)
        steps = training_steps(run, trainer.config)
        batches = training_batches(run, trainer.config, range(1))
        trainer.fit(batches, steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0)
        both = zip(trainer.model.variables, trainer.averages, strict=True)
        same = [np.array_equal(trained.numpy(), kept.numpy()) for trained, kept in both]
        assert all(same) if average == 0 else not any(same[:6])  # the loss does not reach the head's own two
