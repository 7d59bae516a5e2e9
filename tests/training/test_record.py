import json
import platform
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TEST
from siamese_tf.evaluation.report import split_report
from siamese_tf.training import record
from siamese_tf.training.checkpoint import RunState
from siamese_tf.training.record import build_record, last_part, without_folders
from siamese_tf.version import __version__

CONFIG = TrainConfig(
    dataset="toys", objective="bce", tower="reference", head="cosine", epochs=2, seed=9, precision="float32"
)
TRIPLETS = TrainConfig(
    objective="triplet", margin=0.5, losses="native", classes_per_batch=3, images_per_class=4, epochs=2
)
KEYS = "schema dataset objective tower seed command versions pairs training threshold accuracy metrics".split()


@pytest.fixture(scope="module")
def run(quarters, run_of):
    file = replace(quarters, sha256="ab")
    run = run_of(file)
    return replace(run, task=replace(run.task, leaks=7))


def reports_on(pairs, *names):
    """Reports of a model that is right on every pair except the first one."""
    reports = {}
    for split, name in enumerate(("train", "validation", "test")):
        if name in names:
            rows = pairs.rows(split)
            scores = np.where(pairs.similarity[rows] == 1, 0.9, 0.1)
            scores[0] = 1 - scores[0]
            reports[name] = split_report(pairs.similarity[rows], pairs.img1[rows], pairs.img2[rows], scores, 0.5)
    return reports


def record_of(run, config, *names):
    numbers = {"loss": 0.5, "validation_accuracy": 0.75, "learning_rate": 1e-3, "seconds": 2.02}
    state = RunState({}, history=[{"epoch": 1, **numbers}, {"epoch": 2, **numbers}], best_epoch=1)
    reports = reports_on(run.task.train, *(names or ("train", "validation", "test")))
    built = build_record(config, run, state, 0.25, reports, "make it")
    assert json.loads(json.dumps(built, allow_nan=False)) == built  # plain values
    return built, reports


def test_the_contents(run):
    built, reports = record_of(run, CONFIG)
    assert list(built) == KEYS
    versions, accuracy, metrics = (built.pop(name) for name in ("versions", "accuracy", "metrics"))
    assert built == {
        "schema": 1,
        "dataset": "toys",
        "objective": "bce",
        "tower": "reference",
        "seed": 9,
        "command": "make it",
        "pairs": {
            "train": 160,
            "validation": 40,
            "test": 40,
            "sha256": {"train": "ab", "test": "ab"},
            "leaks": 7,
            "split": "image",
            "seed": 1,
        },
        "training": {"epochs": 2, "best_epoch": 1, "seconds": 4.0, "precision": "float32"},
        "threshold": {"value": 0.25, "chosen_on": "validation"},
    }
    assert set(versions) == {"siamese_tf", "python", "tensorflow", "keras", "numpy", "scikit-learn", "pillow"}
    assert (versions["siamese_tf"], versions["python"]) == (__version__, platform.python_version())
    assert (versions["tensorflow"], versions["numpy"]) == (tf.__version__, np.__version__)
    assert list(accuracy) == ["train", "validation", "test", "test_ci95"]
    assert (accuracy["train"], accuracy["validation"], accuracy["test"]) == (159 / 160, 39 / 40, 39 / 40)
    assert accuracy["test_ci95"] == reports["test"]["ci95"]
    assert metrics == {
        name: {key: report[key] for key in ("auc", "eer", "f1", "tar_at_far", "confusion")}
        for name, report in reports.items()
    }


def test_without_a_test_part(run):
    alone = replace(run, task=replace(run.task, test=None))
    built, _ = record_of(alone, CONFIG, "train", "validation")
    assert (built["accuracy"]["test"], built["accuracy"]["test_ci95"]) == (None, None)
    assert built["pairs"]["sha256"] == {"train": "ab", "test": None}
    assert list(built["metrics"]) == ["train", "validation"]
    assert "test" not in built["pairs"]


def test_triplets_record_how_their_batches_were_made(run):
    """The last class has 3 training images, so a batch of 4 repeats one."""
    built, _ = record_of(run, TRIPLETS)
    assert list(built) == [*KEYS[:9], "triplet", *KEYS[9:]]
    assert built["triplet"] == {
        "mining": "semi-hard",
        "margin": 0.5,
        "losses": "native",
        "classes_per_batch": 3,
        "images_per_class": 4,
        "short_classes": 1,
    }
    built, _ = record_of(run, replace(TRIPLETS, mining="hard", margin="soft", images_per_class=3))
    assert (built["triplet"]["mining"], built["triplet"]["margin"]) == ("hard", "soft")
    assert built["triplet"]["short_classes"] == 0


def test_the_losses_and_the_version_of_addons_where_they_were_used(run, monkeypatch):
    monkeypatch.setattr(
        record, "version", lambda package: "9.9" if package == "tensorflow-addons" else version(package)
    )
    built, _ = record_of(run, replace(TRIPLETS, losses="addons"))
    assert built["triplet"]["losses"] == "addons"
    assert built["versions"]["tensorflow-addons"] == "9.9"
    built, _ = record_of(run, TRIPLETS)
    assert "tensorflow-addons" not in built["versions"]


@pytest.mark.parametrize("rest_is_a_class", [False, True])
def test_the_record_of_one_class_against_the_rest(quarters, run_of, rest_is_a_class):
    config = replace(TRIPLETS, one_vs_rest="south-east", rest_is_a_class=rest_is_a_class, classes_per_batch=2)
    run = run_of(replace(quarters, sha256="ab"), config)
    built, _ = record_of(run, config)
    assert built["dataset"] == "toys-south-east-vs-rest"
    assert built["pairs"]["test"] == len(run.task.train.rows(TEST))
    assert built["pairs"]["sha256"] == {"train": "ab", "test": "ab"}
    assert built["triplet"]["short_classes"] == 1


@pytest.mark.parametrize(
    ("typed", "recorded"),
    [
        ("siamese-tf train --dataset mnist --margin 0.5", "siamese-tf train --dataset mnist --margin 0.5"),
        ("python main3.py --dataset /home/ann/clients/acme/", "python main3.py --dataset acme"),
        ("/usr/bin/siamese-tf train --pairs=../acme/p.npz", "siamese-tf train --pairs=p.npz"),
        ("train --dataset '/home/ann lee/the faces'", "train --dataset 'the faces'"),
        ("train --augment=flip --dataset=/a=b/c", "train --augment=flip --dataset=c"),
        ("train / 'a", "train / ''\"'\"'a'"),
        ("train_and_evaluate", "train_and_evaluate"),
    ],
)
def test_a_recorded_command_names_no_folders(typed, recorded):
    assert without_folders(typed) == recorded


def test_the_last_part_of_a_path():
    names = [last_part(path) for path in ("/a/b.npz", "a/b/", "mnist", "/", "")]
    assert names == ["b.npz", "b", "mnist", "/", ""]


def test_the_record_has_the_command_without_folders(run):
    state = RunState({}, history=[], best_epoch=1)
    reports = reports_on(run.task.train, "train", "validation", "test")
    built = build_record(CONFIG, run, state, 0.25, reports, "siamese-tf train --pairs /home/ann/p.npz")
    assert built["command"] == "siamese-tf train --pairs p.npz"
