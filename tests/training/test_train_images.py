"""Runs on batches of classes and on one class against the rest, also in another process."""

import importlib.util
import json
import signal
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from tensorflow import keras
from trained_runs import (
    PICTURES,
    PROMISED,
    ROOT,
    assert_same_bits,
    files,
    history,
    python,
    stop_after_checkpoint,
    stop_in_step,
    train,
    without,
)

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TEST, PairDataset, load_pair_file, save_pair_file
from siamese_tf.errors import ConfigError
from siamese_tf.locks import LOCK
from siamese_tf.models.model_file import load_model
from siamese_tf.training.checkpoint import CHECKPOINT
from siamese_tf.training.epochs import training_steps
from siamese_tf.training.run_data import load_run_data

pytestmark = pytest.mark.train


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
