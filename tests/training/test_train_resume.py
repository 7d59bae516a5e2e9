"""A run that was stopped and is resumed ends like the unbroken one."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorflow import keras
from trained_runs import assert_same_bits, history, stop_after_checkpoint, train

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import load_pair_file, save_pair_file
from siamese_tf.errors import ConfigError
from siamese_tf.models.keras_settings import keras_settings
from siamese_tf.models.model_file import load_model
from siamese_tf.training.checkpoint import CHECKPOINT
from siamese_tf.training.train import train_and_evaluate

pytestmark = pytest.mark.train


def test_a_run_whose_learning_rate_halves_ends_alike_when_it_was_stopped(toy_pairs, tmp_path, monkeypatch):
    """The best accuracy is soon reached, so the rate halves after every epoch."""
    monkeypatch.setattr("siamese_tf.training.optimizer.PATIENCE", 1)
    save_pair_file(tmp_path / "toys.npz", toy_pairs)
    sgd = {"optimizer": "sgd", "schedule": "plateau", "learning_rate": 0.02, "average": 0.5}
    config = TrainConfig(
        pairs=str(tmp_path / "toys.npz"), tower="reference", embedding_dim=4, epochs=6, batch_pairs=35, **sgd
    )
    unbroken = train(config, tmp_path / "unbroken")
    rates = [row["learning_rate"] for row in history(tmp_path / "unbroken")]
    for stop in (1, 3):  # after epoch 1, and after 4
        with monkeypatch.context() as patch:
            stop_after_checkpoint(patch, stop)
            with pytest.raises(KeyboardInterrupt):
                train(config, tmp_path / "stopped", resume=stop > 1)
    assert rates[0] == rates[1] == pytest.approx(0.02)
    assert rates[4] < rates[3] < rates[0]  # had halved before the second stop, and halves right after it
    resumed = train(config, tmp_path / "stopped", resume=True)
    assert_same_bits(resumed, unbroken)
    assert history(tmp_path / "stopped") == history(tmp_path / "unbroken")
    states = [np.load(tmp_path / folder / CHECKPOINT) for folder in ("unbroken", "stopped")]
    for name in set(states[0].files) - {"facts"}:
        np.testing.assert_array_equal(states[0][name], states[1][name])
    assert not np.array_equal(states[0]["variables.0"], states[0]["best.0"])  # it went on after its best epoch


def test_a_run_keeps_its_precision_on_another_processor(toy_pairs, tmp_path, monkeypatch, capsys):
    save_pair_file(tmp_path / "toys.npz", toy_pairs)
    config = TrainConfig(pairs=str(tmp_path / "toys.npz"), tower="reference", embedding_dim=4, epochs=2, batch_pairs=35)
    with monkeypatch.context() as patch:
        patch.setattr("siamese_tf.training.resolve.fast_precision", lambda gpus: "bfloat16")
        stop_after_checkpoint(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            train_and_evaluate(config, tmp_path / "run", pictures=False)
        assert "precision of the tower in training: bfloat16\n" in capsys.readouterr().out
    resumed = train(config, tmp_path / "run", resume=True)
    assert resumed.record["training"]["precision"] == "bfloat16"
    assert train(config, tmp_path / "new").record["training"]["precision"] == "float32"


def test_a_run_with_rising_momentum_ends_alike_when_it_was_stopped(toy_pairs, tmp_path, monkeypatch):
    save_pair_file(tmp_path / "toys.npz", toy_pairs)
    rising = {"optimizer": "momentum", "schedule": "exponential", "learning_rate": 0.02, "head": "weighted_l1"}
    config = TrainConfig(
        pairs=str(tmp_path / "toys.npz"), tower="reference", embedding_dim=4, epochs=3, batch_pairs=35, **rising
    )
    unbroken = train(config, tmp_path / "unbroken")
    with monkeypatch.context() as patch:
        stop_after_checkpoint(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "stopped")
    assert_same_bits(train(config, tmp_path / "stopped", resume=True), unbroken)
    rates = [row["learning_rate"] for row in history(tmp_path / "unbroken")]
    assert [rates[1] / rates[0], rates[2] / rates[1]] == pytest.approx([0.99, 0.99], rel=1e-5)
    assert history(tmp_path / "stopped") == history(tmp_path / "unbroken")


def test_a_run_that_trains_the_last_layers_of_an_earlier_model(whole, config, tmp_path, monkeypatch):
    """The other layers do not change, including the statistics of batch normalization, resumed or not."""
    earlier = whole[0].tower.get_weights()
    seed = Path(shutil.copy(whole[1] / "siamese.keras", tmp_path))
    transfer = {"start_from": str(seed), "train_last": 2, "layer_decay": 0.5}
    config = replace(config, epochs=2, batch_pairs=200, objective="bce", **transfer)
    model = train(config, tmp_path / "unbroken")
    same = [np.array_equal(one, other) for one, other in zip(model.tower.get_weights(), earlier, strict=True)]
    assert same == [True] * 3 * 5 + [False] * (5 + 2)
    assert_same_bits(load_model(tmp_path / "unbroken" / "siamese.keras"), model)

    with monkeypatch.context() as patch:
        stop_after_checkpoint(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "stopped")
    seed.unlink()  # it is needed no more
    resumed = train(config, tmp_path / "stopped", resume=True)
    assert_same_bits(resumed, model)
    assert history(tmp_path / "stopped") == history(tmp_path / "unbroken")
    with pytest.raises(ConfigError, match="train_last was 2 and is now 1"):
        train(replace(config, train_last=1), tmp_path / "stopped", resume=True)


def test_a_finished_run_resumed_reports_again(whole, config, tmp_path, capsys):
    shutil.copytree(whole[1], tmp_path, dirs_exist_ok=True)
    (tmp_path / "siamese.keras").unlink()
    model = train(config, tmp_path, resume=True, quiet=False)
    out = capsys.readouterr().out
    accuracy = whole[0].record["accuracy"]
    assert f"{accuracy['train']:.4f}" in out
    assert f"{accuracy['test']:.4f}" in out
    assert f"threshold {model.threshold:.4f}, chosen on the validation pairs" in out
    assert f"Results are in {tmp_path}" in out
    assert_same_bits(model, whole[0])
    assert_same_bits(load_model(tmp_path / "siamese.keras"), whole[0])
    assert (tmp_path / "history.csv").read_bytes() == (whole[1] / "history.csv").read_bytes()
    assert model.record["training"] == whole[0].record["training"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rate": 0.5}, "learning_rate was 0.006 and is now 0.5"),
        ({"epochs": 4}, "epochs was 3 and is now 4"),
        ({"objective": "bce", "head": "euclidean"}, "objective was 'contrastive' and is now 'bce'"),
    ],
)
def test_resuming_with_other_settings_is_refused(whole, config, change, words):
    before = {path: path.read_bytes() for path in whole[1].iterdir() if path.is_file()}
    with pytest.raises(ConfigError) as caught:
        train(replace(config, **change), whole[1], resume=True)
    assert words in str(caught.value)
    assert {path: path.read_bytes() for path in whole[1].iterdir() if path.is_file()} == before


def test_resuming_with_other_pairs_is_refused(whole, config, tmp_path):
    for name in ("train_pairs.npz", "test_pairs.npz"):
        pairs = load_pair_file(Path(config.pairs).with_name(name))
        save_pair_file(tmp_path / name, replace(pairs, manifest={**pairs.manifest, "seed": 1}))
    other = replace(config, pairs=str(tmp_path / "train_pairs.npz"))
    with pytest.raises(ConfigError, match="belongs to another run: its pairs differ"):
        train(other, whole[1], resume=True)


def test_a_damaged_checkpoint_is_refused(whole, config, tmp_path):
    (tmp_path / CHECKPOINT).write_bytes((whole[1] / CHECKPOINT).read_bytes()[:5000])
    with pytest.raises(ConfigError, match=r"checkpoint\.npz cannot be read.*Train without --resume"):
        train(config, tmp_path, resume=True)


def test_a_folder_without_a_run_is_refused_before_the_data_are_loaded(tmp_path):
    config = TrainConfig(pairs="nowhere.npz")
    with pytest.raises(ConfigError, match=f"nothing to resume in {tmp_path / 'mistyped'}"):
        train(config, tmp_path / "mistyped", resume=True, quiet=False)
    assert not any(tmp_path.iterdir())


def test_a_default_folder_without_a_run_is_refused(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="nothing to resume in runs/digits/contrastive"):
        train(config, resume=True)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", ["bfloat16", pytest.param("float64", marks=pytest.mark.slow)])
def test_a_tower_of_another_dtype_is_trained_whitened_and_resumed(toy_pairs, tmp_path, monkeypatch, dtype):
    def tower():
        keras.utils.set_random_seed(0)
        image = keras.Input((8, 8, 1))
        x = keras.layers.Dense(6, dtype=dtype)(keras.layers.Flatten(dtype=dtype)(image))
        return keras.Model(image, keras.layers.Dense(4, dtype=dtype)(x))

    save_pair_file(tmp_path / "toys.npz", toy_pairs)
    config = TrainConfig(pairs=str(tmp_path / "toys.npz"), tower="custom", epochs=2, batch_pairs=35, whiten=True)
    whole = train(config, tmp_path / "whole", tower=tower())
    assert {str(np.asarray(weight).dtype) for weight in whole.tower.get_weights()} == {dtype}
    with monkeypatch.context() as patch:
        stop_after_checkpoint(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "stopped", tower=tower())
    assert_same_bits(train(config, tmp_path / "stopped", tower=tower(), resume=True), whole)


def test_what_keras_is_set_to_for_other_work_changes_no_bit(toy_pairs, tmp_path):
    save_pair_file(tmp_path / "toys.npz", toy_pairs)
    config = TrainConfig(pairs=str(tmp_path / "toys.npz"), tower="reference", embedding_dim=4, epochs=1, batch_pairs=35)
    expected = train(config, tmp_path / "plain")
    with keras_settings("mixed_float16"):
        keras.backend.set_image_data_format("channels_first")
        keras.backend.set_floatx("float16")
        assert_same_bits(train(config, tmp_path / "other"), expected)
    assert history(tmp_path / "other") == history(tmp_path / "plain")
