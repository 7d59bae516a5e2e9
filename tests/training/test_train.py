import csv
import functools
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TEST, VALIDATION, PairDataset, load_pair_file, save_pair_file
from siamese_tf.errors import ConfigError, SiameseError
from siamese_tf.evaluation.thresholds import max_accuracy_threshold
from siamese_tf.locks import LOCK, locked_workdir
from siamese_tf.models.keras_settings import keras_settings
from siamese_tf.models.model_file import load_model
from siamese_tf.training import callbacks
from siamese_tf.training.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from siamese_tf.training.pipeline import training_steps
from siamese_tf.training.run_data import load_run_data
from siamese_tf.training.train import train_and_evaluate

ROOT = Path(__file__).resolve().parents[2]
PICTURES = {"accuracy.png", "roc.png", "scores.png", "sample.png", "mistakes.png"}
PROMISED = {"siamese.keras", "record.json", "config.json", "history.csv", CHECKPOINT, "logs"} | PICTURES


@pytest.fixture(scope="module")
def config(digit_pairs):
    return TrainConfig(pairs=str(digit_pairs), epochs=3, batch_pairs=64, embedding_dim=16)


train = functools.partial(train_and_evaluate, quiet=True, pictures=False)


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """An unbroken run: its model and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    return train_and_evaluate(config, folder, quiet=True, command="make it"), folder


def assert_same_bits(model, other):
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        assert (one.dtype, one.shape, one.tobytes()) == (two.dtype, two.shape, two.tobytes())
    assert model.threshold == other.threshold


def history(folder):
    """Returns the rows of `history.csv` without the seconds, which differ between runs."""
    with open(folder / "history.csv", encoding="utf-8", newline="") as file:
        return [{name: float(row[name]) for name in row if name != "seconds"} for row in csv.DictReader(file)]


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.iterdir()}


def without(record, *names):
    """Returns a copy of a record without the training times, the command and the named parts."""
    copy = json.loads(json.dumps(record))
    for name in ("training", "command", *names):
        part = copy
        *way, last = name.split(".")
        for key in way:
            part = part[key]
        part.pop(last, None)
    return copy


class TestTheUnbrokenRun:
    def test_it_writes_the_promised_files_and_no_others(self, whole):
        folder = whole[1]
        assert files(folder) == PROMISED
        assert all((folder / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n") for name in PICTURES)
        assert [path for path in (folder / "logs").rglob("*") if path.is_file() and path.stat().st_size > 100]

    def test_it_has_learned(self, whole):
        accuracy = whole[0].record["accuracy"]
        assert min(accuracy["train"], accuracy["validation"], accuracy["test"]) > 0.8
        assert accuracy["test_ci95"][0] > 0.7

    def test_the_record(self, whole, digit_pairs):
        model, folder = whole
        record = json.loads((folder / "record.json").read_text())
        assert record == model.record == load_model(folder / "siamese.keras").record
        assert list(record) == (
            "schema dataset objective tower seed command versions pairs training threshold accuracy metrics".split()
        )
        assert (record["dataset"], record["objective"], record["tower"]) == ("digits", "contrastive", "small_cnn")
        assert (record["seed"], record["command"]) == (0, "make it")
        test_file = digit_pairs.with_name("test_pairs.npz")
        sha256 = {"train": load_pair_file(digit_pairs).sha256, "test": load_pair_file(test_file).sha256}
        assert record["pairs"] == {"train": 800, "validation": 200, "test": 200, "sha256": sha256} | {
            "leaks": 0,
            "split": "image",
            "seed": 0,
        }
        assert list(record["metrics"]) == ["train", "validation", "test"]

    def test_the_resolved_config_is_written(self, whole, config):
        written = TrainConfig.load(whole[1] / "config.json")
        resolved = {"head": "cosine", "augment": "shift", "learning_rate": 6e-3, "margin": 0.5, "whiten": False}
        assert written == replace(config, dataset="digits", **resolved)

    def test_the_history_and_the_best_epoch(self, whole):
        model, folder = whole
        rows = history(folder)
        assert [row["epoch"] for row in rows] == [1, 2, 3]
        assert rows[0]["loss"] > rows[2]["loss"]
        assert rows[0]["learning_rate"] > rows[1]["learning_rate"] > rows[2]["learning_rate"] >= 0
        best = int(np.argmax([row["validation_accuracy"] for row in rows]))
        assert model.record["training"]["best_epoch"] == best + 1
        assert model.record["training"]["epochs"] == 3
        # With the threshold chosen on the same pairs, the model is as accurate on them as in its best epoch.
        assert model.record["accuracy"]["validation"] == pytest.approx(rows[best]["validation_accuracy"], abs=1e-12)

    def test_the_weights_are_those_of_the_best_epoch(self, whole):
        model, folder = whole
        run = json.loads(str(np.load(folder / CHECKPOINT)["facts"]))["run"]
        state = load_checkpoint(folder, run)
        assert state is not None
        *tower, _scale, _bias = state.best  # calibration changed these two
        assert len(tower) == len(model.get_weights()) - 2
        for best, weight in zip(tower, model.get_weights(), strict=False):
            np.testing.assert_array_equal(best, weight)

    def test_the_best_weights_are_averages_of_the_trained_ones(self, whole):
        """So the tests of resuming below would fail if the average started again."""
        run = json.loads(str(np.load(whole[1] / CHECKPOINT)["facts"]))["run"]
        state = load_checkpoint(whole[1], run)
        assert state is not None
        assert state.best_epoch == 3
        count = len(state.variables) // 2
        trained, averages = state.variables[:count], state.variables[count:]
        for one, other in zip(averages, state.best, strict=True):
            np.testing.assert_array_equal(one, other)
        *tower, _scale, _bias = zip(averages, trained, strict=True)
        assert not any(np.array_equal(one, other) for one, other in tower)

    def test_the_threshold_is_the_best_one_on_the_validation_pairs(self, whole, digit_pairs):
        pairs = load_pair_file(digit_pairs)
        rows = pairs.rows(VALIDATION)
        scores = whole[0].score_pairs(pairs.images, pairs.img1[rows], pairs.img2[rows])
        assert whole[0].threshold == max_accuracy_threshold(pairs.similarity[rows], scores)
        assert whole[0].record["threshold"] == {"value": whole[0].threshold, "chosen_on": "validation"}


def test_a_second_run_gives_the_same_bits_whatever_its_test_labels_are(whole, config, digit_pairs, tmp_path, capsys):
    """With permuted labels of the test pairs, only the results on them may change."""
    test = load_pair_file(digit_pairs.with_name("test_pairs.npz"))
    permuted = np.random.default_rng(0).permutation(test.similarity)
    save_pair_file(tmp_path / "permuted.npz", replace(test, similarity=permuted, labels=None))
    config = replace(config, test_pairs=str(tmp_path / "permuted.npz"))
    model = train(config, tmp_path / "run")
    assert_same_bits(model, whole[0])
    assert history(tmp_path / "run") == history(whole[1])
    assert model.record["accuracy"]["validation"] == whole[0].record["accuracy"]["validation"]
    assert model.record["accuracy"]["test"] < 0.65
    assert capsys.readouterr() == ("", "")  # quiet


def test_another_seed_gives_other_weights(config, tmp_path):
    config = replace(config, tower="reference", epochs=1, batch_pairs=1000, learning_rate=1e-12)
    one, two = (train(replace(config, seed=seed), tmp_path) for seed in (1, 2))
    assert not np.allclose(one.get_weights()[0], two.get_weights()[0])


def test_a_run_in_bfloat16_leaves_a_model_in_float32(config, tmp_path, digit_pairs):
    """The loaded model gives the same scores as the returned one."""
    config = replace(config, precision="bfloat16", epochs=1, embedding_dim=8)
    model = train(config, tmp_path)
    loaded = load_model(tmp_path / "siamese.keras")
    assert_same_bits(loaded, model)
    pairs = load_pair_file(digit_pairs)
    scores = [one.score_pairs(pairs.images, pairs.img1, pairs.img2) for one in (model, loaded)]
    np.testing.assert_array_equal(*scores)
    assert np.ptp(scores[0]) > 0.3
    for one in (model, loaded):
        assert {layer.compute_dtype for layer in one.tower.layers} == {"float32"}
        assert {weight.dtype.name for weight in one.get_weights()} == {"float32"}
    run = json.loads(str(np.load(tmp_path / CHECKPOINT)["facts"]))["run"]
    state = load_checkpoint(tmp_path, run)
    assert state is not None
    assert {array.dtype.name for array in state.variables} == {"float32"}
    with pytest.raises(ConfigError, match="precision must be left out with a custom tower"):
        train(config, tmp_path / "own", tower=tower_with_dropout())
    assert not (tmp_path / "own").exists()


# Whitening.


def test_a_whitened_tower_with_nothing_else_to_learn_is_not_trained(whole, config, tmp_path, capsys):
    """In the folder of an earlier run, whose files are removed."""
    shutil.copytree(whole[1], tmp_path / "run")
    settings = {"tower": "hog", "embedding_dim": 32}
    model = train(replace(config, **settings), tmp_path / "run", quiet=False)
    assert "fitted the whitening layer to " in capsys.readouterr().out
    assert files(tmp_path / "run") == PROMISED - {"history.csv", "accuracy.png", CHECKPOINT, "logs"}
    training = model.record["training"]
    assert (training["epochs"], training["best_epoch"], training["whitened"]) == (0, 0, True)
    assert training["seconds"] > 0
    assert "whitened" not in whole[0].record["training"]
    assert model.record["accuracy"]["test"] > 0.85
    assert_same_bits(load_model(tmp_path / "run" / "siamese.keras"), model)
    again = train(replace(config, **settings, whiten=True), tmp_path / "run", resume=True)
    assert_same_bits(again, model)


def test_a_trained_tower_is_whitened_at_the_end_and_again_when_resumed(whole, config, tmp_path):
    """All weights before the last layer are those of the run without whitening."""
    whitened = replace(config, whiten=True)
    model = train(whitened, tmp_path)
    *before, white, shift = model.tower.get_weights()
    *trained, kernel, bias = whole[0].tower.get_weights()
    for one, two in zip(before, trained, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.allclose(white, kernel)
    assert not np.allclose(shift, bias)
    assert history(tmp_path) == history(whole[1])
    assert_same_bits(train(whitened, tmp_path, resume=True), model)


def test_one_class_against_the_rest_is_whitened_by_what_is_known(config, tmp_path):
    against = replace(config, tower="hog", embedding_dim=16, one_vs_rest="7")
    model = train(against, tmp_path)
    assert model.record["training"]["whitened"]
    assert model.record["one_vs_rest"]["test"]["auc"] > 0.8


def test_the_weights_a_tower_starts_with_are_those_that_are_whitened(whole, config, tmp_path):
    start = {"start_from": str(whole[1] / "siamese.keras"), "train_last": 1, "whiten": True}
    model = train(replace(config, **start), tmp_path)
    assert model.record["training"]["epochs"] == 0
    for one, two in zip(model.tower.get_weights()[:-2], whole[0].tower.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(one, two)


def test_nothing_of_an_earlier_run_is_touched_where_whitening_fails(whole, config, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    shutil.copytree(whole[1], run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    hog = replace(config, tower="hog")

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("siamese_tf.training.train.whiten", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(hog, run, quiet=False)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    train(hog, run, quiet=False)
    assert f"Replacing the run in {run} (--resume" in capsys.readouterr().out
    train(hog, run, quiet=False)
    assert f"Replacing the run in {run}.\n" in capsys.readouterr().out


def test_files_that_are_no_runs_stay(config, tmp_path):
    (tmp_path / "logs").mkdir()
    mine = [tmp_path / "logs" / "mine.txt", tmp_path / "history.csv", tmp_path / "accuracy.png"]
    for path in mine:
        path.write_text("mine")
    train(replace(config, tower="hog"), tmp_path)
    assert [path.read_text() for path in mine] == ["mine"] * 3


def test_a_tower_that_cannot_be_whitened_is_refused_before_anything_is_written(config, tmp_path):
    with pytest.raises(ConfigError, match="whiten requires a tower that ends in a Dense layer"):
        train(replace(config, tower="reference", whiten=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_in_which_another_run_trains_is_refused_and_stays(config, tmp_path):
    (tmp_path / "config.json").write_text("the other run's")
    with locked_workdir(tmp_path), pytest.raises(SiameseError) as refused:
        train(config, tmp_path)
    assert str(refused.value) == (
        f"workdir {tmp_path} is in use by another run (process {os.getpid()}). Wait, or name another --workdir"
    )
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("config.json", "the other run's")]


@pytest.mark.parametrize("quiet", [True, False])
def test_a_leak_is_warned_of_quiet_or_not(config, digit_pairs, tmp_path, capsys, quiet):
    pairs = load_pair_file(digit_pairs)
    leaking = replace(pairs, img1=np.where(pairs.split == VALIDATION, pairs.img1[0], pairs.img1).astype(np.int32))
    save_pair_file(tmp_path / "leaking.npz", replace(leaking, similarity=_same(leaking)))
    with locked_workdir(tmp_path / "run"), pytest.raises(SiameseError, match="in use"):
        train(replace(config, pairs=str(tmp_path / "leaking.npz")), tmp_path / "run", quiet=quiet)
    out, err = capsys.readouterr()
    assert err.startswith("warning: These pairs leak (")
    assert "These pairs leak" not in out


@pytest.mark.parametrize("quiet", [True, False])
def test_warnings_of_a_folder_go_to_standard_error_quiet_or_not(config, tmp_path, monkeypatch, capsys, quiet):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for person in "abcdefg":
        (tmp_path / "people" / person).mkdir(parents=True)
        for number in range(2):
            image = Image.fromarray(rng.integers(0, 256, (6, 5), np.uint8))
            image.save(tmp_path / "people" / person / f"{number}.png")
    image.save(tmp_path / "people" / "top.png")
    with locked_workdir(tmp_path / "run"), pytest.raises(SiameseError, match="in use"):
        train(replace(config, pairs=None, dataset="people"), tmp_path / "run", quiet=quiet)
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert first.startswith("warning: image files that are not directly in a class folder are ignored: 1 (top")
    assert second.startswith("warning: validation has ")
    assert "warning" not in out


def _same(pairs):
    return (pairs.labels[pairs.img1] == pairs.labels[pairs.img2]).astype(np.uint8)


# Stopping and resuming.


def stop_in_step(monkeypatch, count):
    """Raises KeyboardInterrupt after `count` steps."""
    steps = iter(range(1, count + 1))

    def interrupt(self, batch, logs=None):
        if next(steps) == count:
            raise KeyboardInterrupt

    monkeypatch.setattr(callbacks.ValidationCheckpoint, "on_train_batch_end", interrupt, raising=False)


def stop_after_checkpoint(monkeypatch, count):
    """Raises KeyboardInterrupt after the checkpoint of epoch `count`, before the history is written."""
    epochs = iter(range(1, count + 1))

    def interrupt(rows, path):
        if next(epochs) == count:
            raise KeyboardInterrupt
        write(rows, path)

    write = callbacks.write_history
    monkeypatch.setattr(callbacks, "write_history", interrupt)


def test_a_run_stopped_again_and_again_ends_like_the_unbroken_one(runs, tmp_path, monkeypatch, capsys):
    config, unbroken, folder = runs["contrastive, 3 against the rest"]
    steps = training_steps(load_run_data(config), TrainConfig.load(folder / "config.json"))
    for stop, count in (
        (stop_in_step, 3),  # in epoch 1: nothing is left to resume from
        (stop_in_step, steps + 5),  # in epoch 2
        (stop_after_checkpoint, 1),  # after epoch 2
    ):
        with monkeypatch.context() as patch:
            stop(patch, count)
            with pytest.raises(KeyboardInterrupt):
                train(config, tmp_path, resume=any(tmp_path.iterdir()), quiet=False)
        assert not (tmp_path / "siamese.keras").exists()
    out = capsys.readouterr().out
    assert out.count("Resuming after epoch 1 of 3") == 1
    assert out.count(f"No checkpoint of the run in {tmp_path} yet: starting from the first epoch.") == 1
    model = train(config, tmp_path, resume=True, quiet=False)
    assert "Resuming after epoch 2 of 3" in capsys.readouterr().out
    assert_same_bits(model, unbroken)
    assert history(tmp_path) == history(folder)
    assert without(model.record) == without(unbroken.record)
    assert files(tmp_path) == PROMISED - PICTURES


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


# Triplets, and one class against the rest.


@pytest.fixture(scope="module")
def one_file(digit_pairs, tmp_path_factory) -> PairDataset:
    """All three parts in one file, where test images could be mistaken for the others."""
    train, test = (load_pair_file(digit_pairs.with_name(f"{name}_pairs.npz")) for name in ("train", "test"))
    count = len(test.images)
    columns = {
        "images": np.concatenate([test.images, train.images]),
        "labels": np.concatenate([test.labels, train.labels]),
        "img1": np.concatenate([train.img1 + count, test.img1]).astype(np.int32),
        "img2": np.concatenate([train.img2 + count, test.img2]).astype(np.int32),
        "similarity": np.concatenate([train.similarity, test.similarity]),
        "split": np.concatenate([train.split, test.split]),
    }
    path = tmp_path_factory.mktemp("one") / "digits.npz"
    save_pair_file(path, PairDataset(**columns, manifest={"source": "digits", "class_names": list("0123456789")}))
    return load_pair_file(path)


def other_test_images(pairs):
    """Replaces the test images by noise, and their labels by others, one of which is not in the training set."""
    rng = np.random.default_rng(0)
    test = pairs.images_of(TEST)
    images, labels = pairs.images.copy(), pairs.labels.copy()
    images[test] = rng.integers(0, 255, images[test].shape)
    labels[test] = rng.permutation(np.where(labels[test] == 5, 10, labels[test]))
    of_test = (labels[pairs.img1] == labels[pairs.img2]).astype(np.uint8)
    similarity = np.where(pairs.split == TEST, of_test, pairs.similarity)
    return replace(pairs, images=images, labels=labels, similarity=similarity)


IMAGES = {"tower": "reference", "embedding_dim": 8, "learning_rate": 0.01, "epochs": 3}
TRIPLETS = {**IMAGES, "objective": "triplet", "classes_per_batch": 10, "images_per_class": 4}
RUNS = {
    "semi-hard": TRIPLETS,
    "all, cosine": TRIPLETS | {"mining": "all", "head": "cosine"},
    "hard, 3 against the rest": TRIPLETS
    | {"mining": "hard", "margin": "soft", "one_vs_rest": "3", "classes_per_batch": 2, "images_per_class": 16},
    "contrastive, 3 against the rest": IMAGES | {"one_vs_rest": "3", "batch_pairs": 32},
}
ADDONS = importlib.util.find_spec("tensorflow_addons") is not None


@pytest.fixture(scope="module")
def runs(one_file, tmp_path_factory):
    """The config, the model and the folder of an uninterrupted run, by the names of RUNS."""
    ended = {}
    for name, settings in RUNS.items():
        config, folder = TrainConfig(pairs=str(one_file.path), **settings), tmp_path_factory.mktemp("run")
        ended[name] = config, train(config, folder), folder
    return ended


@pytest.mark.parametrize("name", RUNS)
def test_what_a_run_learns_and_leaves(runs, name):
    config, model, folder = runs[name]
    assert files(folder) == PROMISED - PICTURES
    record = json.loads((folder / "record.json").read_text())
    assert record == model.record == load_model(folder / "siamese.keras").record
    assert_same_bits(load_model(folder / "siamese.keras"), model)
    assert min(record["accuracy"][part] for part in ("train", "validation", "test")) > 0.7
    rows = history(folder)
    metrics = ["active_fraction", "positive_distance", "negative_distance"] if config.objective == "triplet" else []
    assert list(rows[0]) == ["epoch", "loss", *metrics, "validation_accuracy", "learning_rate"]
    if config.mining != "all":  # whose mean is over fewer and fewer triplets, the hard ones
        assert rows[0]["loss"] > rows[2]["loss"]
    if metrics:
        assert 1 > rows[0]["active_fraction"] > rows[2]["active_fraction"] > 0
        assert rows[2]["positive_distance"] < 0.6 * rows[2]["negative_distance"]


def test_the_records_of_triplets(runs):
    records = {name: model.record for name, (_, model, _) in runs.items()}
    assert ["triplet" in record for record in records.values()] == [True, True, True, False]
    assert records["semi-hard"]["triplet"] == {
        "mining": "semi-hard",
        "margin": 0.5,
        "losses": "addons" if ADDONS else "native",
        "classes_per_batch": 10,
        "images_per_class": 4,
        "short_classes": 0,
    }
    others = [records[name]["triplet"] for name in list(RUNS)[1:3]]
    assert [(record["mining"], record["margin"], record["losses"]) for record in others] == [
        ("all", 0.5, "native"),
        ("hard", "soft", "native"),
    ]
    for record in records.values():
        used = record.get("triplet", {}).get("losses") == "addons"
        assert ("tensorflow-addons" in record["versions"]) is used
    assert TrainConfig.load(runs["semi-hard"][2] / "config.json").losses == ("addons" if ADDONS else "native")


def test_the_records_of_images(runs, one_file):
    """Retrieval with triplets, membership with one class against the rest."""
    records = {name: model.record for name, (_, model, _) in runs.items()}
    assert ["embeddings" in record for record in records.values()] == [True, True, True, False]
    assert ["one_vs_rest" in record for record in records.values()] == [False, False, True, True]
    test = one_file.images_of(TEST)
    assert all(record["embeddings"]["images"] == len(test) for record in records.values() if "embeddings" in record)
    assert records["semi-hard"]["embeddings"]["recall_at"]["1"] > 0.5  # chance: 0.1
    for name in list(RUNS)[2:]:
        class_info = records[name]["one_vs_rest"]
        assert (class_info["class"], class_info["label"], class_info["rest_is_a_class"], class_info["references"]) == (
            "3",
            3,
            False,
            10,
        )
        assert class_info["chosen_on"] == "validation"
        assert class_info["test"]["members"] == (one_file.labels[test] == 3).sum()
        assert class_info["test"]["f1"] > 0.6
        assert records[name]["dataset"] == "digits-3-vs-rest"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("semi-hard", marks=pytest.mark.slow),
        "hard, 3 against the rest",
        "contrastive, 3 against the rest",
    ],
)
def test_no_test_image_and_no_test_label_changes_anything_but_the_report_on_them(runs, one_file, tmp_path, name):
    """Weights, calibration, threshold, history and all other results are equal bit for bit."""
    config, model, folder = runs[name]
    save_pair_file(tmp_path / "digits.npz", other_test_images(one_file))
    other = train(replace(config, pairs=str(tmp_path / "digits.npz")), tmp_path / "run")
    assert_same_bits(other, model)
    assert (float(other.head.scale), float(other.head.bias)) == (float(model.head.scale), float(model.head.bias))
    assert history(tmp_path / "run") == history(folder)
    of_test = ["accuracy.test", "accuracy.test_ci95", "metrics.test", "pairs.sha256", "pairs.test", "embeddings"]
    of_test += ["one_vs_rest.test"] if config.one_vs_rest else []
    assert without(other.record, *of_test) == without(model.record, *of_test)
    assert other.record["accuracy"]["test"] < model.record["accuracy"]["test"] - 0.1
    assert other.record.get("embeddings", 1) != model.record.get("embeddings", 0)


@pytest.mark.parametrize("name", [pytest.param("semi-hard", marks=pytest.mark.slow), "hard, 3 against the rest"])
def test_a_run_of_triplets_stopped_and_resumed_ends_like_the_unbroken_one(runs, tmp_path, monkeypatch, capsys, name):
    config, model, folder = runs[name]
    with monkeypatch.context() as patch:
        stop_after_checkpoint(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path, quiet=False)
    resumed = train(config, tmp_path, resume=True, quiet=False)
    out, err = capsys.readouterr()
    assert out.count("Resuming after epoch 1 of 3") == 1
    batches = f"batches of {config.classes_per_batch} classes with {config.images_per_class} images each"
    assert out.count(batches) == 2
    assert ("is it 3?" in out) is (config.one_vs_rest is not None)
    assert "embeddings of the test images:" in out
    assert err == ""  # no collapse
    assert_same_bits(resumed, model)
    assert history(tmp_path) == history(folder)
    assert without(resumed.record) == without(model.record)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mining": "all"}, "mining was 'semi-hard' and is now 'all'"),
        ({"one_vs_rest": "3", "classes_per_batch": 2}, "one_vs_rest was None and is now '3'"),
        ({"images_per_class": 5}, "images_per_class was 4 and is now 5"),
        ({"margin": "soft"}, "margin was 0.5 and is now 'soft'"),
    ],
)
def test_resuming_triplets_with_other_settings_is_refused(runs, change, words):
    config, _, folder = runs["semi-hard"]
    with pytest.raises(ConfigError) as caught:
        train(replace(config, losses=None, **change), folder, resume=True)
    assert words in str(caught.value)


def test_more_classes_than_there_are_are_refused_before_anything_is_written(runs, tmp_path):
    config = replace(runs["semi-hard"][0], classes_per_batch=11)
    with pytest.raises(ConfigError, match="classes_per_batch must be at most 10, the number of classes; got 11"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_collapse_is_reported_beside_the_progress_line(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    image = keras.Input((8, 8, 1))
    flat = keras.layers.Dense(4, activation="relu")(keras.layers.Flatten()(image))
    blind = keras.Model(image, keras.layers.Rescaling(0.0, offset=1.0)(flat))
    config = replace(runs["semi-hard"][0], mining="hard", epochs=2, tower="custom", embedding_dim=None)
    train(config, tower=blind, quiet=False)
    out, err = capsys.readouterr()
    assert err.count("the embeddings have collapsed: the loss stays at 0.5000") == 1
    assert "epoch 2/2" in out
    assert "does not separate similar from dissimilar validation pairs" in out
    assert (tmp_path / "runs" / "digits" / "triplet" / "siamese.keras").exists()


# Custom towers, and pairs without labels.


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


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
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


# Other processes: loading models, and resuming after a kill.

SCORE_THEN_TRAIN = """
import os, signal, sys
import numpy as np
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import load_pair_file
from siamese_tf.models.model_file import load_model
from siamese_tf.training import callbacks
from siamese_tf.training.train import train_and_evaluate

folder, *runs = sys.argv[1:]
for number, run in enumerate(runs):
    pairs = load_pair_file(TrainConfig.load(run + "/config.json").pairs)
    scores = load_model(run + "/siamese.keras").score_pairs(pairs.images, pairs.img1, pairs.img2)
    np.save(f"{folder}/scores{number}.npy", scores)
config = TrainConfig.load(runs[0] + "/config.json")
callbacks.write_history = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
train_and_evaluate(config, folder + "/run", quiet=True)
"""


def python(script, *arguments):
    return [sys.executable, "-c", script, *map(str, arguments)]


@pytest.fixture(scope="module")
def killed(whole, runs, tmp_path_factory):
    """The folder of a process that scored with the saved models, and was killed after its first checkpoint."""
    folder = tmp_path_factory.mktemp("killed")
    saved = [whole[1], *(folder for _, _, folder in runs.values())]
    ended = subprocess.run(python(SCORE_THEN_TRAIN, folder, *saved), cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return folder


def test_another_process_scores_the_same(whole, runs, killed, digit_pairs, one_file):
    models = [(whole[0], load_pair_file(digit_pairs)), *((model, one_file) for _, model, _ in runs.values())]
    for number, (model, pairs) in enumerate(models):
        scores = model.score_pairs(pairs.images, pairs.img1, pairs.img2)
        np.testing.assert_array_equal(np.load(killed / f"scores{number}.npy"), scores)
        assert np.ptp(scores) > 0.5


def test_a_process_killed_after_its_first_checkpoint_is_resumed_to_the_same_bits(whole, config, killed):
    run = killed / "run"
    assert files(run) == {"config.json", CHECKPOINT, "logs", LOCK}  # a lock that nobody holds
    model = train(TrainConfig.load(run / "config.json"), run, resume=True)
    assert_same_bits(model, whole[0])
    assert history(run) == history(whole[1])


# Prints when training starts, and kills itself before a given call of a write; fsync, chmod and replace are such calls.
TRAIN = """
import os, signal, sys
from siamese_tf import files
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.training.train import train_and_evaluate

config, folder, last = TrainConfig.load(sys.argv[1]), sys.argv[2], int(sys.argv[3])
calls = 0
def counted(call):
    def count(*args):
        global calls
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)
        call(*args)
    return count
for name in ("fsync", "chmod", "replace"):
    setattr(os, name, counted(getattr(os, name)))
print("go", flush=True)
train_and_evaluate(config, folder, quiet=True)
print(calls, flush=True)
"""
NEVER = 0
DRAW = random.Random(20)
# Random instants: one in each tenth of the time and of the write calls of an uninterrupted run; and one in each quarter
# of the time of a triplet run, which draws its batches differently.
INSTANTS = [("bce", kind, round((tenth + DRAW.random()) / 10, 3)) for kind in ("time", "call") for tenth in range(10)]
INSTANTS += [("triplet", "time", round((quarter + DRAW.random()) / 4, 3)) for quarter in range(4)]
QUICK = {
    "bce": {"batch_pairs": 64},
    "triplet": {"classes_per_batch": 10, "images_per_class": 4},
}


@pytest.fixture(scope="module")
def quick(digit_pairs, tmp_path_factory):
    """Runs an objective without a break in another process; returns config, model, folder, seconds, write calls."""

    @functools.cache
    def unbroken(objective):
        folder = tmp_path_factory.mktemp("quick")
        settings = {"objective": objective, "tower": "reference", "epochs": 8, "embedding_dim": 8, **QUICK[objective]}
        config = TrainConfig(pairs=str(digit_pairs), **settings)
        (folder / "config.json").write_text(json.dumps(config.to_dict()))
        with started(folder / "config.json", folder / "run", NEVER) as process:
            start = time.perf_counter()
            calls = int(process.stdout.readline())
            seconds = time.perf_counter() - start
        assert process.returncode == 0
        return config, load_model(folder / "run" / "siamese.keras"), folder, seconds, calls

    return unbroken


@contextmanager
def started(config: Path, folder: Path, last: int) -> Iterator[subprocess.Popen]:
    """Starts another process, and waits until it has loaded TensorFlow and starts to train."""
    arguments = python(TRAIN, config, folder, last)
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        yield process


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "kind", "share"), INSTANTS)
def test_kill_9_at_any_instant_leaves_whole_files_and_a_run_that_resumes_to_the_same_bits(
    quick, tmp_path, objective, kind, share
):
    config, unbroken, folder, seconds, calls = quick(objective)
    with started(folder / "config.json", tmp_path, 1 + int(share * calls) if kind == "call" else NEVER) as process:
        if kind == "time":
            time.sleep(share * seconds)
            process.kill()
    if kind == "call":
        assert process.returncode == -signal.SIGKILL

    check_files(tmp_path)
    # Killed before its first write, it left nothing to resume.
    has_run = (tmp_path / "config.json").exists()
    model = train(config, tmp_path, resume=has_run)
    assert_same_bits(model, unbroken)
    assert_same_bits(load_model(tmp_path / "siamese.keras"), unbroken)
    assert history(tmp_path) == history(folder / "run")


def check_files(folder: Path) -> None:
    """Checks that each file is missing or complete."""
    for path in folder.glob("[!.]*"):
        match path.suffix:
            case ".keras":
                assert load_model(path).record["training"]["epochs"] == 8
            case ".png":
                Image.open(path).load()
            case ".json":
                assert json.loads(path.read_text())
            case ".csv":
                assert [row["epoch"] for row in history(folder)] == list(range(1, len(history(folder)) + 1))
            case ".npz":
                with np.load(path) as file:
                    state = load_checkpoint(folder, json.loads(str(file["facts"]))["run"])
                assert state is not None
                assert 1 <= state.best_epoch <= state.epochs_done <= 8
