"""An uninterrupted run, whitening, and the folders and pairs that a run refuses or warns of."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from trained_runs import PICTURES, PROMISED, assert_same_bits, files, history, train

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import VALIDATION, load_pair_file, save_pair_file
from siamese_tf.errors import ConfigError, SiameseError
from siamese_tf.evaluation.thresholds import max_accuracy_threshold
from siamese_tf.locks import locked_workdir
from siamese_tf.models.model_file import load_model
from siamese_tf.training.checkpoint import CHECKPOINT, load_checkpoint

pytestmark = pytest.mark.train


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
        assert (record["dataset"], record["objective"], record["tower"]) == ("digits", "contrastive", "small_cnn_v2")
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
        resolved["precision"] = "float32"
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

    def test_the_best_weights_are_averages_of_the_trained_ones(self, config, tmp_path):
        """Without validation of earlier epochs, the last one is the best on every processor."""
        train(replace(config, validate_every=config.epochs), tmp_path)
        run = json.loads(str(np.load(tmp_path / CHECKPOINT)["facts"]))["run"]
        state = load_checkpoint(tmp_path, run)
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
        train(config, tmp_path / "own", tower=model.tower)
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
