import json
import platform
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config import TrainConfig
from siamese_tf.data.open import OpenedPairs
from siamese_tf.data.pair_file import TEST, VALIDATION, load_pair_file, save_pair_file
from siamese_tf.evaluation.calibration import MIN_SLOPE, best_threshold
from siamese_tf.evaluation.evaluate import EmbeddedPairs
from siamese_tf.models.model_file import load_model
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.checkpoint import RunState
from siamese_tf.training.finish import calibrate, calibrate_and_report
from siamese_tf.version import __version__

CONFIG = TrainConfig(dataset="toys", objective="bce", tower="custom", head="euclidean", epochs=2, seed=9)
PICTURES = {"accuracy.png", "roc.png", "scores.png", "sample.png", "mistakes.png"}


def two_halves_model(blind=False):
    """Knows the toys without training: embeds an image as the brightness of its left and of its right half."""
    kernel = np.zeros((64, 2), np.float32)
    kernel.reshape(8, 8, 2)[:, :4, 0] = kernel.reshape(8, 8, 2)[:, 4:, 1] = 0 if blind else 1 / 32
    image = keras.Input((8, 8, 1))
    half = keras.layers.Dense(2, kernel_initializer=keras.initializers.Constant(kernel))
    model = SiameseModel((8, 8, 1), keras.Model(image, half(keras.layers.Flatten()(image))), head="euclidean")
    if blind:
        half.bias.assign(tf.ones(2))
    return model


@pytest.fixture(scope="module")
def toys(toy_pairs, tmp_path_factory):
    """The toys as a file, and as the pairs of a run."""
    path = tmp_path_factory.mktemp("toys") / "toys.npz"
    save_pair_file(path, toy_pairs)
    pairs = load_pair_file(path)
    return OpenedPairs(pairs, pairs, "toys", "", leaks=7)


def finish(toys, folder, model=None, config=CONFIG):
    """Ends a run of two epochs; returns what it said."""
    numbers = {"loss": 0.5, "validation_accuracy": 0.75, "learning_rate": 1e-3, "seconds": 2.0}
    state = RunState({}, history=[{"epoch": 1, **numbers}, {"epoch": 2, **numbers}], best_epoch=1)
    said: list[str] = []
    model = model or two_halves_model()
    calibrate_and_report(model, config, toys, state, folder, seconds=4.04, command="make it", say=said.append)
    return model, said


@pytest.fixture(scope="module")
def finished(toys, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    return *finish(toys, folder), folder


def test_the_files(finished):
    folder = finished[2]
    assert {path.name for path in folder.iterdir()} == {"siamese.keras", "record.json"} | PICTURES
    assert all((folder / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n") for name in PICTURES)


def test_the_record(finished, toys):
    model, _, folder = finished
    record = json.loads((folder / "record.json").read_text())
    assert record == model.record
    versions = record.pop("versions")
    assert versions["siamese_tf"] == __version__
    assert versions["python"] == platform.python_version()
    assert versions["tensorflow"] == tf.__version__
    assert {"keras", "numpy", "scikit-learn", "pillow"} < set(versions)
    metrics, accuracy = record.pop("metrics"), record.pop("accuracy")
    threshold = record.pop("threshold")
    assert record == {
        "schema": 1,
        "dataset": "toys",
        "objective": "bce",
        "tower": "custom",
        "seed": 9,
        "command": "make it",
        "pairs": {
            "train": 70,
            "validation": 30,
            "test": 20,
            "sha256": {"train": toys.train.sha256, "test": toys.train.sha256},
            "leaks": 7,
            "split": None,
            "seed": None,
        },
        "training": {"epochs": 2, "best_epoch": 1, "seconds": 4.0},
    }
    assert threshold == {"value": model.threshold, "chosen_on": "validation"}
    assert list(accuracy) == ["train", "validation", "test", "test_ci95"]
    assert list(metrics) == ["train", "validation", "test"]
    for name, split in metrics.items():
        assert list(split) == ["auc", "eer", "f1", "tar_at_far", "confusion"]
        counts = split["confusion"]
        assert sum(counts.values()) == record["pairs"][name]
        assert (counts["tp"] + counts["tn"]) / record["pairs"][name] == accuracy[name] == 1.0
    low, high = accuracy["test_ci95"]
    assert 0 <= low <= accuracy["test"] <= high <= 1


def test_the_file_holds_the_calibrated_model_and_the_record(finished, toys):
    model, _, folder = finished
    loaded = load_model(folder / "siamese.keras", tower=two_halves_model().tower)
    assert loaded.record == model.record == json.loads((folder / "record.json").read_text())
    assert loaded.threshold == model.threshold
    arrays = toys.train.images, toys.train.img1, toys.train.img2
    np.testing.assert_array_equal(loaded.score_pairs(*arrays), model.score_pairs(*arrays))


def test_what_is_said(finished):
    model, said, _ = finished
    text = "\n".join(said)
    assert "train" in text
    assert "validation" in text
    assert f"threshold {model.threshold:.4f}, chosen on the validation pairs" in text
    assert "cannot tell" not in text


def test_the_threshold_and_the_probability_come_from_the_validation_pairs_alone(toys):
    """Whatever the others say: their scores and labels turned round change nothing."""
    plain, turned = two_halves_model(), two_halves_model()
    others = toys.train.split != VALIDATION
    similarity = np.where(others, 1 - toys.train.similarity, toys.train.similarity).astype(np.uint8)
    for model, pairs in ((plain, toys.train), (turned, replace(toys.train, similarity=similarity, labels=None))):
        before = EmbeddedPairs(model, pairs).logits(VALIDATION)
        assert calibrate(model, EmbeddedPairs(model, pairs)) is True
        scored = EmbeddedPairs(model, pairs).scored(VALIDATION)
        assert model.threshold == best_threshold(scored.similarity, scored.scores)
        np.testing.assert_array_equal(np.argsort(scored.scores), np.argsort(before))
    assert (plain.threshold, float(plain.head.scale), float(plain.head.bias)) == (
        turned.threshold,
        float(turned.head.scale),
        float(turned.head.bias),
    )


def test_the_scores_are_probabilities_afterwards(toys):
    """The untrained head is sure of nothing; calibrated, it puts nearly all on what is nearly always right."""
    model = two_halves_model()
    model.head.calibrate(0.01, 0.0)
    embedded = EmbeddedPairs(model, toys.train)
    assert np.abs(embedded.scored(TEST).scores - 0.5).max() < 0.02
    calibrate(model, embedded)
    test = embedded.scored(TEST)
    assert test.scores[test.similarity == 1].min() > 0.9
    assert test.scores[test.similarity == 0].max() < 0.1


def test_a_model_that_has_learned_nothing_says_so(toys, tmp_path, monkeypatch):
    monkeypatch.setattr("siamese_tf.training.finish.save_pictures", lambda *_, **__: None)  # they take a second
    model, said = finish(toys, tmp_path, two_halves_model(blind=True))
    assert any("cannot tell similar validation pairs from dissimilar ones" in line for line in said)
    assert np.ptp(model.score_pairs(toys.train.images, toys.train.img1, toys.train.img2)) < MIN_SLOPE
    assert model.record["accuracy"]["validation"] <= 0.75
    assert (tmp_path / "siamese.keras").exists()


def test_without_test_pairs(toys, tmp_path, monkeypatch):
    drawn: list[str] = []
    monkeypatch.setattr("siamese_tf.training.finish.save_pictures", lambda scored, *_, **__: drawn.extend(scored))
    pairs = replace(toys.train, split=np.minimum(toys.train.split, VALIDATION))
    model, _ = finish(replace(toys, train=pairs, test=None), tmp_path)
    assert model.record["accuracy"]["test"] is None
    assert model.record["accuracy"]["test_ci95"] is None
    assert list(model.record["metrics"]) == ["train", "validation"]
    assert model.record["pairs"]["sha256"] == {"train": toys.train.sha256, "test": None}
    assert drawn == ["train", "validation"]
