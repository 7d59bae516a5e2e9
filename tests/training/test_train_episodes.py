"""Training with the objective episode within groups, without validation pairs and with rare validation."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from trained_runs import assert_same_bits, stop_after_checkpoint, train

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TRAIN, VALIDATION, load_pair_file, save_pair_file
from siamese_tf.evaluation.thresholds import max_accuracy_threshold
from siamese_tf.models.model_file import load_model

pytestmark = pytest.mark.train
EPISODES = TrainConfig(
    objective="episode",
    batch_within="group",
    groups_per_batch=2,
    classes_per_batch=4,
    classes_from="rotations",
    augment="warp",
    tower="small_cnn",
    embedding_dim=16,
    epochs=3,
)


@pytest.fixture(scope="module")
def grouped(digit_pairs, tmp_path_factory):
    """Digits in two groups, 0 to 4 and 5 to 9, with authors."""
    pairs = load_pair_file(digit_pairs)
    path = tmp_path_factory.mktemp("grouped") / "train_pairs.npz"
    save_pair_file(path, replace(pairs, groups=pairs.labels // 5, authors=np.arange(len(pairs.labels)) % 7))
    return path


def test_a_stopped_run_ends_with_the_same_bits(grouped, tmp_path, monkeypatch):
    config = replace(EPISODES, pairs=str(grouped), tower="reference", augment="elastic", validate_every=2)
    unbroken = train(config, tmp_path / "unbroken")
    with monkeypatch.context() as patch:
        stop_after_checkpoint(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "stopped")
    assert_same_bits(train(config, tmp_path / "stopped", resume=True), unbroken)
    assert_same_bits(train(config, tmp_path / "again"), unbroken)
    rows = [*csv.DictReader((tmp_path / "stopped" / "history.csv").read_text().splitlines())]
    assert [row["validation_accuracy"] == "" for row in rows] == [True, False, False]


def test_it_learns_without_validation_and_calibrates_on_the_training_pairs(grouped, tmp_path):
    pairs = load_pair_file(grouped)
    rows = pairs.split != VALIDATION
    arrays = {name: getattr(pairs, name)[rows] for name in ("img1", "img2", "similarity", "split")}
    save_pair_file(tmp_path / "train_pairs.npz", replace(pairs, **arrays))
    config = replace(EPISODES, pairs=str(tmp_path / "train_pairs.npz"))
    train(config, tmp_path / "run", pictures=True)
    history = (tmp_path / "run" / "history.csv").read_text().splitlines()
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["accuracy"]["train"] > 0.8
    assert record["accuracy"]["validation"] is None
    assert record["threshold"]["chosen_on"] == "train"
    expected = {"epochs": 3, "best_epoch": 3, "seconds": 0, "precision": "float32"}
    assert record["training"] | {"seconds": 0} == expected
    assert [row["validation_accuracy"] for row in csv.DictReader(history)] == [""] * 3
    model, pairs = load_model(tmp_path / "run" / "siamese.keras"), load_pair_file(config.pairs)
    rows = pairs.rows(TRAIN)
    scores = model.score_pairs(pairs.images, pairs.img1[rows], pairs.img2[rows])
    assert model.threshold == pytest.approx(max_accuracy_threshold(pairs.similarity[rows], scores), abs=1e-6)
