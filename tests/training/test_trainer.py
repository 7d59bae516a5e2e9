from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.catalog import OBJECTIVES
from siamese_tf.config.train_config import OBJECTIVE_NAMES, OPTIMIZERS, TrainConfig
from siamese_tf.models.model_file import load_model, save_model
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.objectives import build_step
from siamese_tf.training.optimizer import MOMENTUM, build_optimizer
from siamese_tf.training.pipeline import training_batches
from siamese_tf.training.trainer import Trainer

pytestmark = pytest.mark.train

CONFIG = TrainConfig(batch_pairs=16, embedding_dim=4, head="euclidean", augment="none", margin=0.8)
TRIPLETS = replace(CONFIG, objective="triplet", losses="native", classes_per_batch=3, images_per_class=4)


def config_of(objective):
    if objective == "triplet":
        return TRIPLETS
    batch = {"classes_per_batch": 3, "images_per_class": 4} if OBJECTIVES[objective].batches == "classes" else {}
    margin = CONFIG.margin if objective == "contrastive" else None
    return replace(CONFIG, objective=objective, margin=margin, **batch)


def linear_tower():
    image = keras.Input((8, 8, 1))
    return keras.Model(image, keras.layers.Dense(4)(keras.layers.Flatten()(image)))


def model_of(config, tower=linear_tower):
    """Builds the model of a config; the same seed gives the same weights."""
    keras.utils.set_random_seed(config.seed)
    return SiameseModel((8, 8, 1), tower(), head=config.head)


def another(model):
    """Copies a model, with its own variables."""
    return SiameseModel((8, 8, 1), keras.models.clone_model(model.tower), head=model.head_name)


def trainer_of(model, config, learning_rate=0.0):
    trainer = Trainer(model, another(model), config)
    trainer.compile(optimizer=keras.optimizers.Adam(learning_rate), jit_compile=False)
    trainer.optimizer.build(model.trainable_variables)
    return trainer


def built_trainer(config, tower=linear_tower):
    """Builds a trainer with the optimizer of its config."""
    config = replace(config, epochs=1, schedule="constant")
    model = model_of(config, tower)
    trainer = Trainer(model, another(model), config)
    trainer.compile(optimizer=build_optimizer(config, model, 10), jit_compile=False)
    return trainer


def measured(trainer, batch):
    """Returns the metrics of a single step, without those of the steps before."""
    for mean in trainer.means.values():
        mean.reset_state()
    return {name: float(value) for name, value in trainer.train_step(batch).items()}


@pytest.fixture(scope="module")
def run(quarters, run_of):
    return run_of(quarters)


@cache
def _batches(run, config):
    return list(training_batches(run, config, range(1)))


def batches_of(run, config=CONFIG):
    """Returns the batches of the first epoch, cached for all configs that draw the same ones."""
    return _batches(run, replace(config_of(config.objective), pairs_per_step=config.pairs_per_step))


def first_batch(run, config=CONFIG):
    return batches_of(run, config)[0]


@pytest.mark.parametrize("objective", OBJECTIVE_NAMES)
def test_a_step_measures_what_the_objective_does_on_the_embeddings_of_the_batch(run, objective):
    config = config_of(objective)
    model, batch = model_of(config), first_batch(run, config)
    trainer = trainer_of(model, config)
    expected = build_step(config, model.head)(model.embed(batch["images"].numpy()), batch)
    assert tuple(expected) == trainer.step.names == tuple(trainer.means)
    for name, value in measured(trainer, batch).items():
        assert value == pytest.approx(float(expected[name]), rel=1e-4)
        assert value != 0


CASES = {
    f"{objective} {per_step}": replace(config_of(objective), pairs_per_step=per_step)
    for objective in OBJECTIVE_NAMES[:3]
    for per_step in ("all", "listed")
}
CASES |= {
    f"{mining} {margin}": replace(TRIPLETS, mining=mining, margin=margin)
    for mining in ("semi-hard", "hard")
    for margin in (0.8, "soft")
}
CASES["all 0.8"] = replace(TRIPLETS, mining="all")
SLOW_CASES = ("bce listed", "mse all", "contrastive listed", "semi-hard soft", "hard 0.8")


@pytest.mark.parametrize(
    "config",
    [pytest.param(CASES[name], id=name, marks=pytest.mark.slow if name in SLOW_CASES else ()) for name in CASES],
)
def test_the_loss_falls(run, config):
    trainer = trainer_of(model_of(config), config, learning_rate=0.03)
    batch = first_batch(run, config)
    losses = [measured(trainer, batch)["loss"] for _ in range(12)]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_loss_falls_with_either_optimizer(run, optimizer):
    trainer = built_trainer(replace(config_of("bce"), optimizer=optimizer, learning_rate=0.03))
    batch = first_batch(run)
    losses = [measured(trainer, batch)["loss"] for _ in range(12)]
    assert losses[-1] < 0.7 * losses[0]


def test_contrastive_and_mse_train_different_weights_from_the_same_ones(run):
    """With the same head, whose sigmoid output would make both the same loss (contrastive on 1 - p, margin 1)."""
    ends = []
    for objective in ("contrastive", "mse", "mse"):
        config = replace(config_of(objective), head="concat", pairs_per_step="listed")
        config = replace(config, margin=1.0) if objective == "contrastive" else config
        model = model_of(config)
        start = model.get_weights()
        trainer = trainer_of(model, config, learning_rate=0.01)
        for batch in batches_of(run, config):
            trainer.train_step(batch)
        ends.append((start, model.get_weights()))
    for values in zip(*(start for start, _ in ends), strict=True):
        assert np.array_equal(values[0], values[1])
    contrastive, mse, again = (end for _, end in ends)
    assert all(np.array_equal(one, other) for one, other in zip(mse, again, strict=True))
    kernels = [(one, other) for one, other in zip(contrastive, mse, strict=True) if one.ndim == 2]
    assert len(kernels) == 4
    assert all(np.abs(one - other).max() > 1e-3 for one, other in kernels)


@pytest.mark.parametrize(
    ("objective", "head", "moves"),
    [
        ("contrastive", "euclidean", False),
        ("contrastive", "cosine", False),
        ("triplet", "euclidean", False),
        ("triplet", "cosine", False),
        ("bce", "euclidean", True),
        ("mse", "cosine", True),
    ],
)
def test_only_a_loss_on_logits_moves_scale_and_bias(run, objective, head, moves):
    config = replace(config_of(objective), head=head)
    model = model_of(config)
    before = [float(model.head.scale), float(model.head.bias)], model.get_weights()
    trainer = trainer_of(model, config, learning_rate=0.01)
    for _ in range(3):
        trainer.train_step(first_batch(run, config))
    after = [float(model.head.scale), float(model.head.bias)], model.get_weights()
    assert (before[0] != after[0]) is moves
    assert not np.array_equal(before[1][0], after[1][0])  # the tower has learned


def test_all_images_of_a_step_meet_one_batch_norm_statistic(run):
    """The moving mean is that of all 2m images, not of one side of the pairs."""

    def normalized_tower():
        image = keras.Input((8, 8, 1))
        x = keras.layers.BatchNormalization(momentum=0.0)(keras.layers.Flatten()(image))
        return keras.Model(image, keras.layers.Dense(4)(x))

    batch = first_batch(run)
    model = model_of(CONFIG, normalized_tower)
    trainer_of(model, CONFIG).train_step(batch)
    (mean,) = (weight.numpy() for weight in model.tower.weights if "moving_mean" in weight.name)
    np.testing.assert_allclose(mean, batch["images"].numpy().reshape(32, 64).mean(axis=0) / 255, rtol=1e-4)


@pytest.mark.parametrize("count", [32, 7])
def test_where_no_image_depends_on_others_it_makes_no_difference_with_which_it_is_embedded(count):
    """Such a batch is embedded in halves, unless its number of images is odd."""
    config = replace(CONFIG, tower="reference")
    model = SiameseModel((8, 8, 1), "reference", 4)
    images = np.random.default_rng(0).random((count, 8, 8, 1), np.float32)
    embeddings = trainer_of(model, config)._embed(tf.constant(images))
    np.testing.assert_allclose(embeddings, model.tower(images), atol=1e-6)
    assert np.ptp(embeddings, axis=0).max() > 0.01


@pytest.mark.parametrize("config", [CONFIG, TRIPLETS], ids=["pairs", "triplets"])
def test_the_images_are_augmented_by_the_seed_of_the_batch(run, config):
    augmented = replace(config, augment="shift-flip")
    model, batch = model_of(config), first_batch(run, config)
    plain = trainer_of(model, config).train_step(batch)["loss"]
    first, again = (trainer_of(model, augmented).train_step(batch)["loss"] for _ in range(2))
    other = trainer_of(model, augmented).train_step(batch | {"seed": batch["seed"] + 5})["loss"]
    assert float(first) == float(again)
    assert len({float(plain), float(first), float(other)}) == 3


@pytest.mark.parametrize("config", [config_of("bce"), TRIPLETS], ids=["pairs", "triplets"])
def test_fit_goes_through_every_batch_once_and_reports_the_means_of_the_epoch(run, config):
    indices = []

    class Watched(Trainer):
        def train_step(self, batch):
            indices.append(batch["index"].numpy())
            return super().train_step(batch)

    batches = list(training_batches(run, config, range(1, 3)))
    steps = len(batches) // 2
    model = model_of(config)
    trainer = Watched(model, another(model), config)
    trainer.compile(optimizer=keras.optimizers.SGD(0.0), run_eagerly=True)
    history = trainer.fit(
        training_batches(run, config, range(1, 3)),
        steps_per_epoch=steps,
        initial_epoch=1,
        epochs=3,
        shuffle=False,
        verbose=0,
    ).history
    np.testing.assert_array_equal(indices, [batch["index"] for batch in batches])
    alone = trainer_of(model, config)
    single = [measured(alone, batch) for batch in batches]
    assert set(history) == set(trainer.step.names)
    for name in history:
        values = [step[name] for step in single]
        np.testing.assert_allclose(history[name], [np.mean(values[:steps]), np.mean(values[steps:])], rtol=1e-5)
        assert float(trainer.last_metrics[name]) == pytest.approx(values[-1], rel=1e-5)


def test_metrics_are_no_weights_of_the_model(run):
    """Otherwise they would be in the checkpoint and in the saved model."""
    model = model_of(TRIPLETS)
    before = len(model.weights), len(model.variables)
    trainer = trainer_of(model, TRIPLETS, learning_rate=0.1)
    trainer.train_step(first_batch(run, TRIPLETS))
    assert (len(model.weights), len(model.variables)) == before
    assert float(trainer.last_metrics["loss"]) > 0


# The moving average of the weights.


def normalized_tower():
    image = keras.Input((8, 8, 1))
    x = keras.layers.Dense(4, use_bias=False)(keras.layers.Flatten()(image))
    return keras.Model(image, keras.layers.BatchNormalization(momentum=0.5)(x))


def values(variables):
    return [variable.numpy().copy() for variable in variables]


def steps_of(run, average, count=5):
    """Yields the trained weights and their averages after each step, with a high learning rate."""
    config = replace(config_of("bce"), average=average)
    trainer = trainer_of(model_of(config, normalized_tower), config, learning_rate=0.1)
    for batch in batches_of(run, config)[:count]:
        trainer.train_step(batch)
        yield values(trainer.model.variables), values(trainer.ema_variables)


def test_the_average_starts_with_the_weights_after_the_first_step_and_gets_slower(run):
    """Decays 0, 1 / 11, 2 / 12, then that of the config, a fifth, and not 3 / 13."""
    (w1, k1), (w2, k2), (w3, k3), (w4, k4) = steps_of(run, average=0.2, count=4)
    for number in range(len(w1)):
        np.testing.assert_array_equal(k1[number], w1[number])
        second = (w1[number] + 10 * w2[number]) / 11
        third = (2 * second + 10 * w3[number]) / 12
        fourth = (third + 4 * w4[number]) / 5
        for averages, expected in ((k2, second), (k3, third), (k4, fourth)):
            np.testing.assert_allclose(averages[number], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("average", [0.05, 0.9, 0.999])
def test_the_average_equals_a_reference(run, average):
    """Over all variables: kernels, the head's scale and bias, and the statistics of batch normalization."""
    reference: list[np.ndarray] = []
    for step, (trained, averages) in enumerate(steps_of(run, average, count=8), start=1):
        decay = min(average, (step - 1) / (step + 9))
        reference = [decay * old + (1 - decay) * new for old, new in zip(reference or trained, trained, strict=True)]
        assert len(averages) == 1 + 4 + 2
        for one, other in zip(averages, reference, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert all(np.abs(one - other).max() > 1e-4 for one, other in zip(averages, trained, strict=True))


def test_without_an_average_the_ema_variables_are_the_weights_bit_for_bit(run):
    for trained, averages in steps_of(run, average=0):
        for one, other in zip(averages, trained, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shared", [False, True])
def test_the_ema_model_has_the_averages_inside_ema_weights_and_no_longer(run, shared):
    config = replace(config_of("bce"), average=0.9)
    model = model_of(config, normalized_tower)
    ema_model = SiameseModel((8, 8, 1), model.tower, head=model.head_name) if shared else another(model)
    trainer = Trainer(model, ema_model, config)
    trainer.compile(optimizer=keras.optimizers.Adam(0.1), jit_compile=False)
    trainer.optimizer.build(model.trainable_variables)
    for batch in batches_of(run, config)[:3]:
        trainer.train_step(batch)
    trained, before = values(model.variables), values(ema_model.variables)
    with trainer.ema_weights() as yielded:
        assert yielded is ema_model
        for one, other in zip(ema_model.variables, trainer.ema_variables, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())
    for variables, expected in ((model.variables, trained), (ema_model.variables, before)):
        for one, other in zip(variables, expected, strict=True):
            np.testing.assert_array_equal(one.numpy(), other)


def test_the_average_does_not_influence_the_training(run):
    for (one, _), (other, _) in zip(steps_of(run, 0), steps_of(run, 0.99), strict=True):
        for without, with_average in zip(one, other, strict=True):
            np.testing.assert_array_equal(without, with_average)


def test_the_state_is_every_variable_a_step_changes(run):
    config = config_of("bce")
    trainer = trainer_of(model_of(config, normalized_tower), config, learning_rate=0.1)
    before = values(trainer.state)
    for batch in batches_of(run, config)[:2]:
        trainer.train_step(batch)
    assert len(before) == 2 * len(trainer.model.variables)
    assert all(not np.array_equal(one, other) for one, other in zip(before, values(trainer.state), strict=True))


# The l2 penalty on kernels.


def deep_tower():
    """Builds a tower with three kernels, biases, and a normalization."""
    image = keras.Input((8, 8, 1))
    x = keras.layers.Dense(8, activation="tanh", name="first")(keras.layers.Flatten()(image))
    x = keras.layers.BatchNormalization(name="norm")(keras.layers.Dense(8, use_bias=False, name="second")(x))
    return keras.Model(image, keras.layers.Dense(4, name="third")(x))


def test_l2_pulls_at_kernels_by_twice_themselves_and_at_nothing_else(run):
    """The first step of SGD with Nesterov's momentum is 1.9 times rate and gradient."""
    ends, reported = [], []
    for l2 in (0.0, 0.25):
        config = replace(config_of("bce"), l2=l2, optimizer="sgd", learning_rate=0.01)
        trainer = built_trainer(config, deep_tower)
        initial = values(trainer.model.trainable_variables)
        reported.append(measured(trainer, first_batch(run)))
        ends.append(values(trainer.model.trainable_variables))
    assert reported[0] == reported[1]  # the loss of the objective, with which others can be compared
    assert [one.ndim for one in initial].count(2) == 3
    for before, without, with_l2 in zip(initial, *ends, strict=True):
        pulled = (1 + MOMENTUM) * 0.01 * 0.25 * 2 * before if before.ndim == 2 else np.zeros_like(before)
        np.testing.assert_allclose(without - with_l2, pulled, atol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_l2_makes_kernels_smaller(run, optimizer):
    sizes = []
    for l2 in (0.0, 0.1):
        trainer = built_trainer(replace(config_of("bce"), l2=l2, optimizer=optimizer, learning_rate=0.03))
        for batch in batches_of(run)[:6]:
            trainer.train_step(batch)
        sizes.append(float(np.square(trainer.model.get_weights()[0]).sum()))
    assert sizes[1] < 0.9 * sizes[0]


def only_normalized_tower():
    image = keras.Input((8, 8, 1))
    x = keras.layers.Dense(4, trainable=False)(keras.layers.Flatten()(image))
    return keras.Model(image, keras.layers.BatchNormalization()(x))


def test_l2_of_a_tower_without_kernels_to_train_is_none(run):
    """The last layer of some towers is a normalization; `train_last` may make it the only trainable one."""
    ends = []
    for l2 in (0.0, 1.0):
        config = replace(config_of("bce"), l2=l2, learning_rate=0.01)
        trainer = built_trainer(config, only_normalized_tower)
        trainer.train_step(first_batch(run))
        ends.append(values(trainer.model.trainable_variables))
    assert [one.ndim for one in ends[0]] == [1, 1, 0, 0]
    assert all(np.array_equal(one, other) for one, other in zip(*ends, strict=True))


# Learning rates by layer.


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_multiplier_scales_the_change_of_a_variable(run, optimizer):
    """Including weight decay and l2; also in graph mode, as in `fit`."""
    settings = {"optimizer": optimizer, "learning_rate": 0.02, "weight_decay": 0.5, "l2": 0.01}
    config, batch = replace(config_of("bce"), **settings), first_batch(run)
    moves = []
    for layer_decay, in_graph in ((None, False), (0.5, False), (0.5, True)):
        trainer = built_trainer(replace(config, layer_decay=layer_decay), deep_tower)
        before = values(trainer.model.trainable_variables)
        (tf.function(trainer.train_step) if in_graph else trainer.train_step)(batch)
        after = values(trainer.model.trainable_variables)
        moves.append([new - old for old, new in zip(before, after, strict=True)])
    full, slow, slow_in_graph = moves
    multipliers = [0.25] * 2 + [0.5] * 3 + [1.0] * 4  # first; second and norm; third, and the head's two
    assert trainer.lr_multipliers == multipliers
    for whole, part, again, multiplier in zip(full, slow, slow_in_graph, multipliers, strict=True):
        assert np.abs(whole).max() > 1e-5
        np.testing.assert_allclose(part, multiplier * whole, rtol=1e-3, atol=2e-7)
        np.testing.assert_allclose(again, part, rtol=1e-3, atol=2e-7)


def test_the_statistics_of_normalization_have_no_multiplier(run):
    """They are not trained by gradients."""
    ends = []
    for layer_decay in (None, 0.5):
        trainer = built_trainer(replace(config_of("bce"), learning_rate=0.01, layer_decay=layer_decay), deep_tower)
        trainer.train_step(first_batch(run))
        ends.append([weight.numpy() for weight in trainer.model.tower.get_layer("norm").non_trainable_weights])
    assert len(ends[0]) == 2
    assert all(np.array_equal(one, other) for one, other in zip(*ends, strict=True))


def test_without_a_layer_decay_a_step_is_the_optimizers_bit_for_bit(run, monkeypatch):
    ends = []
    for plainly in (False, True):
        if plainly:
            monkeypatch.setattr(Trainer, "_apply", lambda self, pairs: self.optimizer.apply_gradients(pairs))
        trainer = built_trainer(replace(config_of("bce"), learning_rate=0.01), deep_tower)
        for batch in batches_of(run)[:3]:
            trainer.train_step(batch)
        ends.append(trainer.model.get_weights())
    assert all(np.array_equal(one, other) for one, other in zip(*ends, strict=True))


# Custom towers: their losses and dtypes.


class Penalty(keras.layers.Layer):
    """Adds the mean square of its input as a loss, in training only."""

    def call(self, x, training=False):
        if training:
            self.add_loss(tf.reduce_mean(tf.square(x)))
        return x


def tower_that_adds(loss):
    """Builds a tower without batch normalization, whose images are embedded in halves unless it adds a loss."""
    kernel = {"kernel_regularizer": keras.regularizers.L2(0.5)} if loss == "kernel" else {}
    activity = {"activity_regularizer": keras.regularizers.L2(0.25)} if loss == "activity" else {}

    def build():
        image = keras.Input((8, 8, 1))
        x = keras.layers.Dense(6, use_bias=False, **kernel, **activity)(keras.layers.Flatten()(image))
        x = Penalty()(x) if loss == "add_loss" else x
        return keras.Model(image, keras.layers.Dense(4)(x))

    return build


@cache
def one_step(run, loss, **settings):
    """Returns the first kernel before and after a step of SGD, its inputs, and the reported metrics."""
    config = replace(config_of("bce"), tower="custom", optimizer="sgd", learning_rate=0.01, **settings)
    trainer = built_trainer(config, tower_that_adds(loss))
    kernel = trainer.model.tower.trainable_variables[0]
    before, batch = kernel.numpy(), first_batch(run, config)
    reported = measured(trainer, batch)
    return before, kernel.numpy(), batch["images"].numpy().reshape(len(batch["images"]), -1) / 255, reported


MOMENTUM_OF_TWO = 1 + MOMENTUM  # the first step of Nesterov's goes so much farther


@pytest.mark.parametrize("loss", ["kernel", "activity", "add_loss"])
def test_the_losses_of_a_tower_pull_with_the_objective_s(run, loss):
    """Their gradients are exact, over all images; as with l2, only the loss of the objective is reported."""
    before, without, images, reported = one_step(run, None)
    _, after, _, reported_with = one_step(run, loss)
    outputs = images @ before
    slope = {
        "kernel": 2 * 0.5 * before,
        "activity": 2 * 0.25 * images.T @ outputs / len(images),  # Keras divides by the number of images
        "add_loss": 2 * images.T @ outputs / outputs.size,
    }[loss]
    assert np.abs(slope).max() > 0.01
    np.testing.assert_allclose(without - after, 0.01 * MOMENTUM_OF_TWO * slope, atol=1e-5)
    assert reported_with == reported


def test_a_regularizer_pulls_as_l2_does(run):
    """Both minimize 0.5 times the squared first kernel; l2 also affects the second one."""
    _, by_regularizer, *_ = one_step(run, "kernel")
    _, by_l2, *_ = one_step(run, None, l2=0.5)
    np.testing.assert_allclose(by_regularizer, by_l2, atol=1e-6)


def test_the_losses_of_a_tower_are_trained_on_inside_fit(run):
    config = replace(config_of("bce"), tower="custom", learning_rate=0.01)
    sizes = []
    for loss in (None, "kernel"):
        trainer = built_trainer(config, tower_that_adds(loss))
        trainer.fit(training_batches(run, config, range(1)), steps_per_epoch=5, verbose=0, shuffle=False)
        sizes.append(np.square(trainer.model.tower.trainable_variables[0].numpy()).sum())
    assert sizes[1] < 0.97 * sizes[0]


DTYPES = ["float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16"]


@pytest.mark.filterwarnings("ignore:.*mixed_float16")
@pytest.mark.parametrize(
    ("objective", "dtype"),
    [
        pytest.param(objective, dtype, marks=[] if objective == "bce" or dtype == "float16" else pytest.mark.slow)
        for objective in OBJECTIVE_NAMES
        for dtype in DTYPES
    ],
)
def test_embeddings_of_any_float_dtype_are_trained_saved_and_scored(run, quarters, tmp_path, objective, dtype):
    def tower():
        image = keras.Input((8, 8, 1))
        return keras.Model(image, keras.layers.Dense(4, dtype=dtype)(keras.layers.Flatten(dtype=dtype)(image)))

    settings = {"tower": "custom", "optimizer": "sgd", "learning_rate": 0.01, "l2": 1e-3, "head": "cosine"}
    config = replace(config_of(objective), **settings)
    model = model_of(config, tower)
    trainer = Trainer(model, model, replace(config, epochs=1))
    trainer.compile(optimizer=build_optimizer(replace(config, epochs=1), model, 10), jit_compile=False)
    before = [np.asarray(one, np.float64) for one in trainer.model.tower.get_weights()]
    assert np.isfinite(measured(trainer, first_batch(run, config))["loss"])
    after = [np.asarray(one, np.float64) for one in trainer.model.tower.get_weights()]
    assert np.abs(before[0] - after[0]).max() > 0
    with trainer.ema_weights() as ema_model:
        pairs = quarters.images, quarters.img1[:20], quarters.img2[:20]
        scores = ema_model.score_pairs(*pairs)
        save_model(ema_model, tmp_path / "own.keras")
    np.testing.assert_allclose(load_model(tmp_path / "own.keras", tower=tower()).score_pairs(*pairs), scores, atol=1e-6)
    assert model.embed(quarters.images[0]).dtype == np.float32
