import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.train_config import MINING_NAMES, TrainConfig
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.collapse import STEPS, CollapseMonitor
from siamese_tf.training.epochs import training_steps
from siamese_tf.training.pipeline import training_batches
from siamese_tf.training.trainer import Trainer

pytestmark = pytest.mark.train

CONFIG = TrainConfig(
    objective="triplet",
    head="euclidean",
    mining="hard",
    margin=0.5,
    losses="native",
    classes_per_batch=3,
    images_per_class=4,
    augment="none",
    learning_rate=0.02,
)
HEALTHY = (0.2, 1.1)


def stderr(capsys):
    out, err = capsys.readouterr()
    assert out == ""
    return err


class Steps:
    """Steps with given metrics, as the callback reads them."""

    def __init__(self, config=CONFIG):
        self.last_metrics = {name: tf.Variable(0.0) for name in ("loss", "negative_distance")}
        self.monitor = CollapseMonitor(SimpleNamespace(last_metrics=self.last_metrics), config)

    def run(self, loss, spread, count=1):
        for name, value in (("loss", loss), ("negative_distance", spread)):
            self.last_metrics[name].assign(value)
        for step in range(count):
            self.monitor.on_train_batch_end(step, {})


def test_with_a_tiny_margin_a_loss_near_0_is_no_collapse(capsys):
    steps = Steps(replace(CONFIG, margin=1e-3))
    steps.run(0.0, 1.0, 2 * STEPS)
    assert stderr(capsys) == ""
    steps.run(1e-3, 1.0, STEPS)
    assert stderr(capsys).count("\n") == 1


@pytest.mark.parametrize(("loss", "spread"), [(0.5, 1.0), (0.4991, 1.0), (0.5009, 1.0), (0.2, 0.009), (0.2, 0.0)])
def test_a_collapse_is_reported_once_after_30_steps(capsys, loss, spread):
    steps = Steps()
    steps.run(loss, spread, STEPS - 1)
    assert STEPS == 30
    assert stderr(capsys) == ""
    steps.run(loss, spread)
    assert stderr(capsys).count("\n") == 1
    steps.run(loss, spread, 200)
    assert stderr(capsys) == ""


@pytest.mark.parametrize(("loss", "spread"), [HEALTHY, (0.4985, 1.0), (0.5015, 0.02), (0.0, 1.4), (math.log(2), 1.0)])
def test_a_healthy_run_is_not_reported(capsys, loss, spread):
    Steps().run(loss, spread, 100)
    assert stderr(capsys) == ""


def test_a_loss_that_crosses_the_margin_is_no_collapse(capsys):
    steps = Steps()
    for _ in range(5):
        steps.run(0.5, 1.0, STEPS - 1)
        steps.run(*HEALTHY)
    assert stderr(capsys) == ""


def test_a_soft_margin_collapses_at_log_2(capsys):
    steps = Steps(replace(CONFIG, margin="soft"))
    steps.run(0.5, 1.0, 100)
    assert stderr(capsys) == ""
    steps.run(0.6931, 1.0, STEPS)
    assert "the loss stays at 0.6931" in stderr(capsys)


@pytest.mark.parametrize("mining", MINING_NAMES)
def test_the_message_has_a_hint(capsys, mining):
    steps = Steps(replace(CONFIG, mining=mining, learning_rate=3e-3))
    steps.run(0.5, 0.0004, STEPS)
    hint = "" if mining == "semi-hard" else "--mining semi-hard, "
    assert stderr(capsys) == (
        "warning: the embeddings have collapsed: the loss stays at 0.5000, its value when all embeddings are equal"
        f" (mean distance of images of different classes 0.000). Stop the run and try {hint}a lower"
        " --learning-rate than 0.003, or another --margin.\n"
    )


# In `fit`.


@pytest.fixture(scope="module")
def run(quarters, run_of):
    return run_of(quarters)


def constant_tower():
    """A tower with trainable weights and the same embedding for every image."""
    image = keras.Input((8, 8, 1))
    x = keras.layers.Dense(4, activation="relu")(keras.layers.Flatten()(image))
    return keras.Model(image, keras.layers.Rescaling(0.0, offset=1.0)(x))


def linear_tower():
    image = keras.Input((8, 8, 1))
    return keras.Model(image, keras.layers.Dense(4)(keras.layers.Flatten()(image)))


def fit(run, tower, config, steps):
    """The trainer after at least this many steps."""
    keras.utils.set_random_seed(0)
    model = SiameseModel((8, 8, 1), tower, head=config.head)
    trainer = Trainer(model, SiameseModel((8, 8, 1), keras.models.clone_model(tower), head=config.head), config)
    trainer.compile(optimizer=keras.optimizers.Adam(config.learning_rate), jit_compile=False)
    per_epoch = training_steps(run, config)
    epochs = -(-steps // per_epoch)
    monitor = CollapseMonitor(trainer, config)
    batches = training_batches(run, config, range(epochs))
    trainer.fit(batches, steps_per_epoch=per_epoch, epochs=epochs, shuffle=False, verbose=0, callbacks=[monitor])
    return trainer


@pytest.mark.parametrize(
    ("mining", "margin"),
    [
        ("semi-hard", "soft"),
        ("hard", 0.5),
        pytest.param("all", 0.5, marks=pytest.mark.slow),
    ],
)
def test_a_constant_tower_is_reported_within_50_steps(run, capsys, mining, margin):
    fit(run, constant_tower(), replace(CONFIG, mining=mining, margin=margin), 50)
    assert stderr(capsys).count("the embeddings have collapsed") == 1


def test_a_network_that_collapses_in_training_is_reported(run, run_of, quarters, capsys):
    """Noise with labels drawn at random: the hardest triplets cannot be separated, and a collapse lowers the loss."""
    rng = np.random.default_rng(0)
    noise = replace(quarters, images=rng.integers(0, 255, quarters.images.shape, np.uint8))
    config = replace(CONFIG, head="cosine", images_per_class=20, learning_rate=0.05)
    trainer = fit(run_of(noise), linear_tower(), config, 60)
    assert float(trainer.last_metrics["negative_distance"]) < 0.01
    assert stderr(capsys).count("the embeddings have collapsed") == 1


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(CONFIG, id="hard"),
        pytest.param(replace(CONFIG, mining="semi-hard", margin="soft"), id="soft", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_learns_is_not_reported(run, capsys, config):
    trainer = fit(run, linear_tower(), config, 80)
    assert stderr(capsys) == ""
    assert float(trainer.last_metrics["negative_distance"]) > 0.5
