from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.train_config import OPTIMIZERS, SCHEDULES, TrainConfig
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.optimizer import MOMENTUM, PATIENCE, build_optimizer, kernels, plateau_rate

CONFIG = TrainConfig(tower="reference", embedding_dim=4, epochs=20, learning_rate=0.01, schedule="constant")
STEPS_PER_EPOCH = 10


def model_of(tower="reference", head="euclidean"):
    return SiameseModel((8, 8, 1), tower, 4, head)


@pytest.fixture(scope="module")
def model():
    return model_of()


# The learning rate.


def rates(model, steps_per_epoch=STEPS_PER_EPOCH, **settings):
    """Returns the learning rate of every step: with a gradient of 1, Adam moves by the learning rate."""
    config = replace(CONFIG, **settings)
    optimizer, weight, found = build_optimizer(config, model, steps_per_epoch), model.head.bias, []
    for _ in range(config.epochs * steps_per_epoch):
        weight.assign(0.0)
        optimizer.apply_gradients([(tf.ones(()), weight)])
        found.append(-float(weight))
    return np.array(found)


def test_cosine_rises_over_a_twentieth_of_the_steps_and_falls_to_nothing(model):
    """Of 200 steps, 10 rise and 190 fall; step 105 has half the peak."""
    found = rates(model, schedule="cosine")
    last = 0.005 * (1 + np.cos(np.pi * 189 / 190))
    expected = {0: 0.001, 5: 0.0055, 10: 0.01, 105: 0.005, 199: last}
    np.testing.assert_allclose(found[[*expected]], list(expected.values()), rtol=1e-3)
    assert 0 < last < 1e-6
    assert (np.diff(found)[:10] > 0).all()
    assert (np.diff(found)[10:] < 0).all()


@pytest.mark.parametrize(("epochs", "steps_per_epoch", "warmup"), [(1, 8, 0), (1, 10, 0), (2, 10, 1), (3, 10, 2)])
def test_short_runs_with_cosine_start_near_the_peak(model, epochs, steps_per_epoch, warmup):
    """5% of 8, 10, 20 and 30 steps round to 0, 0, 1 and 2."""
    found = rates(model, steps_per_epoch, schedule="cosine", epochs=epochs)
    last = 0.005 * (1 + np.cos(np.pi * (1 - 1 / (len(found) - warmup))))
    expected = [0.01 / max(1, warmup), 0.01, last]
    np.testing.assert_allclose(found[[0, warmup, -1]], expected, rtol=1e-3)


def test_step_goes_down_to_a_tenth_after_half_of_the_steps_and_again_after_three_quarters(model):
    expected = np.repeat([0.01, 0.001, 0.0001], [20, 10, 10])
    np.testing.assert_allclose(rates(model, schedule="step", epochs=4), expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("epochs", "tenths"),
    [(1, [0]), (2, [0, 1]), (3, [0, 0, 1]), (4, [0, 0, 1, 2]), (5, [0, 0, 0, 1, 2]), (7, [0, 0, 0, 0, 1, 1, 2])],
)
def test_short_runs_with_step(model, epochs, tenths):
    """With one step per epoch; the middle one still has the full rate."""
    found = rates(model, 1, schedule="step", epochs=epochs)
    np.testing.assert_allclose(found, 0.01 / 10.0 ** np.array(tenths), rtol=1e-3)


def test_exponential_takes_one_percent_off_after_each_epoch(model):
    expected = 0.01 * 0.99 ** np.repeat(np.arange(5), STEPS_PER_EPOCH)
    np.testing.assert_allclose(rates(model, schedule="exponential", epochs=5), expected, rtol=1e-3)


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_the_other_schedules_use_the_learning_rate_unchanged(model, schedule):
    """The callback of `plateau` changes it between epochs."""
    np.testing.assert_allclose(rates(model, schedule=schedule, epochs=4), 0.01, rtol=1e-3)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_learning_rate_may_be_a_whole_number(model, schedule):
    whole, decimal = (rates(model, schedule=schedule, epochs=1, learning_rate=one) for one in (1, 1.0))
    np.testing.assert_array_equal(whole, decimal)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_rate_of_plateau_can_be_set_between_steps(model, optimizer):
    """In the first step with a gradient of 1, both optimizers move by a multiple of the rate."""
    moves = []
    for rate in (None, 0.0025):
        built = build_optimizer(replace(CONFIG, schedule="plateau", optimizer=optimizer), model, STEPS_PER_EPOCH)
        assert float(np.asarray(built.learning_rate)) == pytest.approx(0.01)
        if rate:
            built.learning_rate = rate
        model.head.bias.assign(0.0)
        built.apply_gradients([(tf.ones(()), model.head.bias)])
        moves.append(float(model.head.bias))
    assert moves[1] == pytest.approx(moves[0] / 4, rel=1e-5)


# The rate of `plateau`.


def test_five_epochs_without_a_better_one_halve_the_rate():
    accuracies = [0.5, 0.7, *[0.6] * 5]
    rates = [plateau_rate(CONFIG, accuracies[:epochs]) for epochs in range(len(accuracies) + 1)]
    assert PATIENCE == 5
    assert rates == [0.01] * 7 + [0.005]


@pytest.mark.parametrize(
    ("accuracies", "halved"),
    [
        ([], 0),
        ([0.0], 0),  # the first is better than none
        ([0.9], 0),
        ([0.9] * 5, 0),
        ([0.9] * 6, 1),  # equal is not better
        ([0.9] * 10, 1),  # the count restarts
        ([0.9] * 11, 2),
        ([0.9] * 26, 5),
        ([0.9, 0.1, 0.2, 0.3, 0.4, 0.5], 1),  # better than the one before is not better than all
        ([0.9, 0.1, 0.2, 0.3, 0.4, 0.91], 0),
        ([*[0.9] * 5, 0.91, *[0.91] * 4], 0),  # a better one restarts the count, too
        ([*[0.9] * 5, 0.91, *[0.91] * 5], 1),
        ([*[0.9] * 6, 0.8, 0.95, *[0.8] * 4], 1),
        ([*[0.9] * 6, 0.8, 0.95, *[0.8] * 5], 2),  # a halved rate stays, whatever comes
        ([number / 100 for number in range(100)], 0),
    ],
)
def test_how_often_it_has_halved(accuracies, halved):
    assert plateau_rate(CONFIG, accuracies) == 0.01 / 2**halved


def test_it_equals_a_stateful_reference():
    """The reference remembers the best accuracy from epoch to epoch, as a callback would."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        accuracies = list(rng.integers(0, 40, 60) / 40)
        rate, best, waited = 0.01, None, 0
        for epoch, accuracy in enumerate(accuracies, start=1):
            if best is None or accuracy > best:
                best, waited = accuracy, 0
            else:
                waited += 1
            if waited >= 5:
                rate, waited = rate / 2, 0
            assert plateau_rate(CONFIG, accuracies[:epoch]) == rate
        assert rate < 0.01


# The steps of SGD, and weight decay.


def test_sgd_has_nesterovs_momentum(model):
    """Reference: v = 0.9 v - rate * gradient, and the weight goes by 0.9 v - rate * gradient."""
    optimizer, weight = build_optimizer(replace(CONFIG, optimizer="sgd"), model, STEPS_PER_EPOCH), model.head.bias
    weight.assign(0.0)
    place = velocity = 0.0
    for gradient in (1.0, 1.0, -3.0, 0.0):
        optimizer.apply_gradients([(tf.constant(gradient), weight)])
        velocity = MOMENTUM * velocity - 0.01 * gradient
        place += MOMENTUM * velocity - 0.01 * gradient
        assert float(weight) == pytest.approx(place, rel=1e-5)


def test_the_optimizer_momentum_is_classical_and_rises_over_the_epochs(model):
    """Reference: v = m v - rate * gradient, and the weight goes by v; m is 0.5, 0.7 and 0.9 in three epochs."""
    config, weight = replace(CONFIG, optimizer="momentum", epochs=3), model.head.bias
    optimizer = build_optimizer(config, model, steps_per_epoch=1)
    weight.assign(0.0)
    place = velocity = 0.0
    for momentum in (0.5, 0.7, 0.9):
        optimizer.apply_gradients([(tf.ones(()), weight)])
        velocity = momentum * velocity - 0.01
        place += velocity
        assert float(weight) == pytest.approx(place, rel=1e-5)


def test_kernels_are_what_is_trained_of_the_tower_and_no_vector():
    model = model_of("small_cnn", "concat")
    assert [tuple(one.shape)[-1] for one in kernels(model)] == [32, 48, 96, 128, 4]  # the head's three are not
    model.tower.get_layer("block2_conv").trainable = False
    assert [tuple(one.shape)[-1] for one in kernels(model)] == [32, 96, 128, 4]
    model.tower.trainable = False
    assert kernels(model) == []
    assert len(model.trainable_variables) == 6


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("head", "kinds"), [("euclidean", {0, 1, 2, 4}), ("concat", {1, 2, 4})])
def test_weight_decay_takes_its_share_of_the_towers_kernels_and_leaves_vectors_and_the_head_alone(
    optimizer, head, kinds
):
    """A step with zero gradients: every kernel of the tower shrinks by 0.01 * 0.5."""
    model = model_of("small_cnn", head)
    built = build_optimizer(replace(CONFIG, weight_decay=0.5, optimizer=optimizer), model, STEPS_PER_EPOCH)
    variables = model.trainable_variables
    for variable in variables:
        variable.assign(tf.fill(variable.shape, 2.0))
    built.apply_gradients([(tf.zeros(variable.shape), variable) for variable in variables])
    assert {len(variable.shape) for variable in variables} == kinds
    of_head = {id(variable) for variable in model.head.trainable_variables}
    for variable in variables:
        left = 2.0 * (1 - 0.01 * 0.5) if len(variable.shape) > 1 and id(variable) not in of_head else 2.0
        np.testing.assert_allclose(variable.numpy(), left, rtol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_without_weight_decay_nothing_goes(optimizer):
    model = model_of()
    built = build_optimizer(replace(CONFIG, optimizer=optimizer), model, STEPS_PER_EPOCH)
    before = model.get_weights()
    built.apply_gradients([(tf.zeros(one.shape), one) for one in model.trainable_variables])
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weight_decay_of_a_tower_without_kernels_to_train_is_none(optimizer):
    """The last layer of some towers is a normalization; `train_last` may make it the only trainable one."""
    image = keras.Input((8, 8, 1))
    x = keras.layers.Dense(4, trainable=False)(keras.layers.Flatten()(image))
    model = model_of(keras.Model(image, keras.layers.BatchNormalization()(x)))
    built = build_optimizer(replace(CONFIG, weight_decay=0.5, optimizer=optimizer), model, STEPS_PER_EPOCH)
    before = model.get_weights()
    built.apply_gradients([(tf.zeros(one.shape), one) for one in model.trainable_variables])
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
