"""Custom towers, pairs without labels, and losses that are not finite."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras
from trained_runs import assert_same_bits, files, history, stop_after_checkpoint, train

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import load_pair_file, save_pair_file
from siamese_tf.errors import ConfigError, SiameseError
from siamese_tf.models.model_file import load_model
from siamese_tf.training.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint

pytestmark = pytest.mark.train


def tower_with_dropout(width=8):
    """Builds a tower with dropout, which a resumed run must repeat exactly."""
    keras.utils.set_random_seed(1)
    image = keras.Input((8, 8, 1))
    x = keras.layers.Dropout(0.25)(keras.layers.Flatten()(image))
    return keras.Model(image, keras.layers.Dense(width)(x))


def test_a_custom_tower_on_listed_pairs_without_labels(config, digit_pairs, tmp_path, monkeypatch):
    pairs = replace(load_pair_file(digit_pairs), labels=None)
    save_pair_file(tmp_path / "bare.npz", replace(pairs, manifest={}))
    config = replace(config, pairs=str(tmp_path / "bare.npz"), tower="custom", pairs_per_step="listed", batch_pairs=200)
    whole = train(config, tmp_path / "whole", tower=tower_with_dropout())
    assert whole.record["accuracy"]["validation"] > 0.6
    assert (whole.record["tower"], whole.record["dataset"]) == ("custom", "bare")
    assert whole.record["accuracy"]["test"] is None

    with monkeypatch.context() as patch:
        stop_after_checkpoint(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "stopped", tower=tower_with_dropout())
    with pytest.raises(ConfigError, match="must have weights with the shapes of this tower"):
        train(config, tmp_path / "stopped", tower=tower_with_dropout(9), resume=True)
    resumed = train(config, tmp_path / "stopped", tower=tower_with_dropout(), resume=True)
    assert_same_bits(resumed, whole)
    assert history(tmp_path / "stopped") == history(tmp_path / "whole")
    assert_same_bits(load_model(tmp_path / "stopped" / "siamese.keras", tower=tower_with_dropout()), whole)


def test_a_loss_that_is_not_finite_ends_in_a_clear_error(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = keras.Input((8, 8, 1))
    spoilt = keras.layers.Rescaling(float("nan"))(keras.layers.Dense(4)(keras.layers.Flatten()(image)))
    with pytest.raises(SiameseError, match=r"the loss became NaN or infinite in epoch 1\. Use a --learning-rate below"):
        train(config, tower=keras.Model(image, spoilt))
    assert files(tmp_path / "runs" / "digits" / "contrastive") == {"config.json", "logs"}


class SpoiltFrom(keras.layers.Layer):
    """Returns NaN from the given training step on."""

    def __init__(self, step):
        super().__init__()
        self.step = step
        self.steps = self.add_weight(name="steps", shape=(), initializer="zeros", trainable=False)

    def call(self, x, training=False):
        if training:
            self.steps.assign_add(1.0)
        return x + tf.where(tf.convert_to_tensor(self.steps) < self.step, 0.0, float("nan"))


def tower_spoilt_from(step):
    image = keras.Input((8, 8, 1))
    keras.utils.set_random_seed(0)
    return keras.Model(image, SpoiltFrom(step)(keras.layers.Dense(8)(keras.layers.Flatten()(image))))


@pytest.mark.parametrize("schedule", ["cosine", pytest.param("constant", marks=pytest.mark.slow)])
def test_a_loss_that_is_not_finite_late_in_a_run_costs_only_the_epochs_after(config, tmp_path, capsys, schedule):
    """The best epoch is returned, and the run can be resumed with a lower learning rate."""
    run, steps = tmp_path / "run", 800 // 64
    spoilt = replace(config, epochs=4, tower="custom", average=0.0, schedule=schedule, learning_rate=0.01)
    model = train(spoilt, run, tower=tower_spoilt_from(2 * steps + 5), quiet=False)
    out, err = capsys.readouterr()
    best = model.record["training"]["best_epoch"]
    assert err == (
        f"warning: the loss became NaN or infinite in epoch 3 of 4; the model is that of epoch {best}, the best one"
        " before. To continue after epoch 2, use --resume with a --learning-rate below 0.01\n"
    )
    assert "threshold" in out
    training = json.loads((run / "record.json").read_text())["training"]
    assert (training["epochs"], training["stopped_at_nan"]) == (2, 3)
    assert_same_bits(load_model(run / "siamese.keras", tower=tower_spoilt_from(1)), model)

    lower = replace(spoilt, learning_rate=0.001)
    resumed = train(lower, run, tower=tower_spoilt_from(1000), resume=True, quiet=False)
    assert "The learning rate is 0.001 from epoch 3 on; it was 0.01." in capsys.readouterr().out
    assert "stopped_at_nan" not in resumed.record["training"]
    assert "learning_rates" not in training
    assert resumed.record["training"]["learning_rates"] == [[1, 0.01], [3, 0.001]]
    rates = [row["learning_rate"] for row in history(run)]
    assert len(rates) == 4
    assert max(rates[:2]) > 0.004 > 0.0011 > max(rates[2:])
    assert TrainConfig.load(run / "config.json").learning_rate == 0.001
    if schedule == "constant":
        assert rates == pytest.approx([0.01, 0.01, 0.001, 0.001])


def test_a_default_learning_rate_does_not_replace_that_of_the_run(whole, config, tmp_path):
    """A run with another rate than the default is not resumed with the default."""
    facts = json.loads(str(np.load(whole[1] / CHECKPOINT)["facts"]))
    state = load_checkpoint(whole[1], facts["run"])
    state.run["learning_rate"] = 0.5
    del state.history[2:]
    save_checkpoint(state, tmp_path)
    with pytest.raises(ConfigError, match="learning_rate was 0.5 and is now 0.006"):
        train(config, tmp_path, resume=True)


def test_a_huge_learning_rate_ends_in_a_clear_error_and_the_old_model_is_still_there(whole, config, tmp_path, capsys):
    shutil.copytree(whole[1], tmp_path, dirs_exist_ok=True)
    mad = replace(config, objective="bce", head="concat", tower="reference", learning_rate=1e38)
    with pytest.raises(SiameseError, match=r"NaN or infinite in epoch 1\. Use a --learning-rate below 1e\+38"):
        train(mad, tmp_path, quiet=False)
    assert f"Replacing the run in {tmp_path} (--resume would have continued it)" in capsys.readouterr().out
    assert (tmp_path / "siamese.keras").read_bytes() == (whole[1] / "siamese.keras").read_bytes()
    # These belong to the run before: --resume and `compare` must not meet them.
    assert not (tmp_path / CHECKPOINT).exists()
    assert not (tmp_path / "record.json").exists()
