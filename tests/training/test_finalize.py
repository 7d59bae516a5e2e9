import json
from dataclasses import replace

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, load_pair_file, save_pair_file
from siamese_tf.evaluation.calibration import MIN_SLOPE
from siamese_tf.evaluation.embedding_report import embedding_lines, embedding_report, normalize_for_distance
from siamese_tf.evaluation.evaluate import EmbeddedPairs
from siamese_tf.evaluation.membership import evaluate_membership
from siamese_tf.evaluation.thresholds import max_accuracy_threshold
from siamese_tf.models.model_file import load_model
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training import finalize
from siamese_tf.training.checkpoint import RunState
from siamese_tf.training.finalize import calibrate, finalize_run

CONFIG = TrainConfig(dataset="toys", objective="bce", tower="custom", head="euclidean", epochs=2, seed=9)
TRIPLETS = TrainConfig(
    objective="triplet",
    head="euclidean",
    margin=0.5,
    losses="native",
    epochs=2,
    classes_per_batch=3,
    images_per_class=4,
)
PICTURES = {"accuracy.png", "roc.png", "scores.png", "sample.png", "mistakes.png"}


def model_of_parts(*parts):
    """Builds a model that embeds an image as the brightness of its parts, without training."""
    kernel = np.stack([np.where(part, 1 / part.sum(), 0.0) for part in parts], axis=-1).reshape(64, len(parts))
    image = keras.Input((8, 8, 1))
    dense = keras.layers.Dense(len(parts), kernel_initializer=keras.initializers.Constant(kernel))
    return SiameseModel((8, 8, 1), keras.Model(image, dense(keras.layers.Flatten()(image))), head="euclidean")


def two_halves_model():
    left = np.arange(8) < np.full((8, 1), 4)
    return model_of_parts(left, ~left)


def four_quarters_model():
    left = np.arange(8) < np.full((8, 1), 4)
    return model_of_parts(left & left.T, ~left & left.T, left & ~left.T, ~left & ~left.T)


def blind_model():
    model = two_halves_model()
    dense = model.tower.layers[-1]
    dense.set_weights([np.zeros((64, 2)), np.ones(2)])
    return model


@pytest.fixture(scope="module")
def toys(toy_pairs, run_of, tmp_path_factory):
    """The data of a run on the toys, saved as a file."""
    path = tmp_path_factory.mktemp("toys") / "toys.npz"
    save_pair_file(path, toy_pairs)
    return run_of(load_pair_file(path))


def finish(run, folder, model=None, config=CONFIG, pictures=False, epochs=2):
    """Finalizes a run; returns the model and the logged lines."""
    numbers = {"loss": 0.5, "validation_accuracy": 0.75, "learning_rate": 1e-3, "seconds": 2.0}
    history = [{"epoch": epoch + 1, **numbers} for epoch in range(epochs)]
    state = RunState({}, history=history, best_epoch=min(epochs, 1))
    lines: list[str] = []
    model = model or two_halves_model()
    finalize_run(model, config, run, state, folder, command="make it", log=lines.append, pictures=pictures)
    return model, lines


@pytest.fixture(scope="module")
def finished(toys, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    return *finish(toys, folder, pictures=True), folder


def test_the_files(finished):
    folder = finished[2]
    assert {path.name for path in folder.iterdir()} == {"siamese.keras", "record.json"} | PICTURES
    assert all((folder / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n") for name in PICTURES)


def test_the_record(finished):
    """Its contents are tested in `test_record.py`."""
    model, _, folder = finished
    record = json.loads((folder / "record.json").read_text())
    assert record == model.record
    assert (record["objective"], record["command"], record["training"]["best_epoch"]) == ("bce", "make it", 1)
    assert record["threshold"] == {"value": model.threshold, "chosen_on": "validation"}
    for name, split in record["metrics"].items():
        counts = split["confusion"]
        assert sum(counts.values()) == record["pairs"][name]
        assert (counts["tp"] + counts["tn"]) / record["pairs"][name] == record["accuracy"][name] == 1.0
    assert not {"triplet", "embeddings", "one_vs_rest"} & set(record)


def test_the_file_holds_the_calibrated_model_and_the_record(finished, toys):
    model, _, folder = finished
    loaded = load_model(folder / "siamese.keras", tower=two_halves_model().tower)
    assert loaded.record == model.record == json.loads((folder / "record.json").read_text())
    assert loaded.threshold == model.threshold
    pairs = toys.task.train
    arrays = pairs.images, pairs.img1, pairs.img2
    np.testing.assert_array_equal(loaded.score_pairs(*arrays), model.score_pairs(*arrays))


def test_the_lines(finished):
    model, lines, _ = finished
    text = "\n".join(lines)
    assert "train" in text
    assert "validation" in text
    assert f"threshold {model.threshold:.4f}, chosen on the validation pairs" in text
    assert "does not separate" not in text


def test_the_threshold_and_the_probability_come_from_the_validation_pairs_alone(toys):
    """Inverted scores and labels of the other pairs change nothing."""
    plain, turned = two_halves_model(), two_halves_model()
    toys = toys.task.train
    others = toys.split != VALIDATION
    similarity = np.where(others, 1 - toys.similarity, toys.similarity).astype(np.uint8)
    for model, pairs in ((plain, toys), (turned, replace(toys, similarity=similarity, labels=None))):
        before = EmbeddedPairs(model, pairs).logits(VALIDATION)
        assert calibrate(model, EmbeddedPairs(model, pairs)) is True
        scored = EmbeddedPairs(model, pairs).scored(VALIDATION)
        assert model.threshold == max_accuracy_threshold(scored.similarity, scored.scores)
        np.testing.assert_array_equal(np.argsort(scored.scores), np.argsort(before))
    assert (plain.threshold, float(plain.head.scale), float(plain.head.bias)) == (
        turned.threshold,
        float(turned.head.scale),
        float(turned.head.bias),
    )


def test_the_scores_are_probabilities_afterwards(toys):
    """The untrained head gives scores near 0.5; the calibrated one gives scores near 0 and 1."""
    model = two_halves_model()
    model.head.calibrate(0.01, 0.0)
    embedded = EmbeddedPairs(model, toys.task.train)
    assert np.abs(embedded.scored(TEST).scores - 0.5).max() < 0.02
    calibrate(model, embedded)
    test = embedded.scored(TEST)
    assert test.scores[test.similarity == 1].min() > 0.9
    assert test.scores[test.similarity == 0].max() < 0.1


def test_a_model_that_has_learned_nothing_is_reported(toys, tmp_path):
    model, lines = finish(toys, tmp_path, blind_model())
    assert any("does not separate similar from dissimilar validation pairs" in line for line in lines)
    pairs = toys.task.train
    assert np.ptp(model.score_pairs(pairs.images, pairs.img1, pairs.img2)) < MIN_SLOPE
    assert model.record["accuracy"]["validation"] <= 0.75
    assert {path.name for path in tmp_path.iterdir()} == {"siamese.keras", "record.json"}  # no pictures


@pytest.mark.parametrize("scale", [-5.0, 0.0])
def test_a_scale_that_no_file_has_becomes_positive_and_separates_the_pairs_again(toys, scale):
    model, usual = two_halves_model(), two_halves_model()
    model.head.scale.assign(scale)
    usual.head.scale.assign(abs(scale) or 1.0)
    for one in (model, usual):
        assert calibrate(one, EmbeddedPairs(one, toys.task.train)) is True
    assert (float(model.head.scale), model.threshold) == (float(usual.head.scale), usual.threshold)
    assert float(model.head.scale) > 0


def test_a_model_that_puts_similar_images_apart_cannot_tell_pairs_apart(toys, tmp_path):
    """Its scale is negative, so that a larger distance means a more similar pair."""
    pairs = toys.task.train
    turned = replace(pairs, similarity=1 - pairs.similarity, labels=None)
    task = replace(toys.task, train=turned, test=turned)
    model = two_halves_model()
    model.head.scale.assign(-5.0)
    _, lines = finish(replace(toys, original=task, task=task), tmp_path, model)
    assert any("does not separate similar from dissimilar validation pairs" in line for line in lines)
    loaded = load_model(tmp_path / "siamese.keras", tower=two_halves_model().tower)
    assert 0 < float(loaded.head.scale) < 0.001


@pytest.fixture
def drawn(monkeypatch):
    """Records the splits and the history that would be drawn."""
    drawn: list[str] = []
    monkeypatch.setattr(finalize, "save_pictures", lambda scored, *_, **__: drawn.extend(scored))
    accuracy_plot = "siamese_tf.evaluation.plots.training.save_accuracy_plot"
    monkeypatch.setattr(accuracy_plot, lambda history, *_, **__: drawn.append(f"{len(history)} epochs"))
    return drawn


def test_a_tower_that_was_not_trained_has_no_accuracy_plot(toys, tmp_path, drawn):
    model, _ = finish(toys, tmp_path, pictures=True, epochs=0)
    assert drawn == ["train", "validation", "test"]
    assert model.record["training"]["epochs"] == 0


def test_without_test_pairs(toys, tmp_path, drawn):
    pairs = replace(toys.task.train, split=np.minimum(toys.task.train.split, VALIDATION))
    task = replace(toys.task, train=pairs, test=None)
    model, _ = finish(replace(toys, original=task, task=task), tmp_path, pictures=True)
    assert model.record["accuracy"]["test"] is None
    assert model.record["accuracy"]["test_ci95"] is None
    assert list(model.record["metrics"]) == ["train", "validation"]
    assert model.record["pairs"]["sha256"] == {"train": pairs.sha256, "test": None}
    assert drawn == ["train", "validation", "2 epochs"]


# Reports on images, not on pairs.


def test_triplets_report_the_embeddings_of_the_test_images(quarters, run_of, tmp_path):
    model, lines = finish(run_of(quarters), tmp_path, four_quarters_model(), TRIPLETS)
    images = quarters.images_of(TEST)
    embeddings = normalize_for_distance(model, model.embed(quarters.images[images]))
    report = model.record["embeddings"]
    assert report == embedding_report(embeddings, quarters.labels[images])
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)
    assert (report["images"], report["classes"]) == (len(images), 4)
    assert report["recall_at"]["1"] == report["map_at_r"] == 1.0
    assert model.record["triplet"]["short_classes"] == 1
    reported = lines[lines.index("embeddings of the test images:") + 1 :]
    assert reported == embedding_lines(report)


def test_without_labeled_test_images_there_is_no_report_on_them(quarters, run_of, tmp_path):
    run = run_of(quarters)
    for test in (None, replace(quarters, labels=None)):
        task = replace(run.task, test=test)
        model, lines = finish(replace(run, original=task, task=task), tmp_path, four_quarters_model(), TRIPLETS)
        assert "embeddings" not in model.record
        assert "triplet" in model.record
        assert not any("embeddings" in line for line in lines)


@pytest.mark.parametrize("config", [CONFIG, replace(TRIPLETS, classes_per_batch=2)], ids=["bce", "triplet"])
def test_membership_in_one_class_is_evaluated_over_images(quarters, run_of, tmp_path, config):
    """By the true labels, whatever the labels of the task."""
    config = replace(config, one_vs_rest="south-west", rest_is_a_class=True)
    run = run_of(quarters, config)
    model, lines = finish(run, tmp_path, four_quarters_model(), config)
    report = dict(model.record["one_vs_rest"])
    assert report == {"class": "south-west", "label": 2, "rest_is_a_class": True} | evaluate_membership(
        model, run.original, 2, seed=config.seed
    )
    assert report["test"]["f1"] == report["validation"]["f1"] == 1.0
    assert report["test"]["members"] == int((quarters.labels[quarters.images_of(TEST)] == 2).sum())
    assert report["test"]["images"] == len(quarters.images_of(TEST))
    assert any(line.startswith("is it south-west? from 10 reference images") for line in lines)
    assert model.record["dataset"] == "toys-south-west-vs-rest"
    if config.objective == "triplet":
        assert model.record["embeddings"]["classes"] == 2  # the rest is one of them
        assert model.record["embeddings"]["images"] == report["test"]["images"]  # all, whichever the new pairs use
    assert load_model(tmp_path / "siamese.keras", tower=four_quarters_model().tower).record == model.record


def test_what_the_test_images_show_changes_nothing_but_the_numbers_on_them(quarters, run_of, tmp_path):
    """With other pixels and labels: same threshold, same probabilities, same numbers on all the rest."""
    test = quarters.images_of(TEST)
    rng = np.random.default_rng(0)
    images, labels = quarters.images.copy(), quarters.labels.copy()
    images[test] = rng.integers(0, 255, (len(test), 8, 8, 1))
    labels[test] = rng.permutation(labels[test])
    similarity = np.where(
        quarters.split == TEST, labels[quarters.img1] == labels[quarters.img2], quarters.similarity
    ).astype(np.uint8)
    config = replace(TRIPLETS, classes_per_batch=2, one_vs_rest="2")
    models = [
        finish(run_of(pairs, config), tmp_path, four_quarters_model(), config)[0]
        for pairs in (quarters, replace(quarters, images=images, labels=labels, similarity=similarity))
    ]
    plain, other = (model.record for model in models)
    assert plain["embeddings"] != other["embeddings"]
    for record in (plain, other):
        del record["embeddings"], record["accuracy"]["test"], record["accuracy"]["test_ci95"]
        del record["metrics"]["test"], record["one_vs_rest"]["test"]
    assert plain == other
    calibrated = [(model.threshold, float(model.head.scale), float(model.head.bias)) for model in models]
    assert calibrated[0] == calibrated[1]
    assert len(quarters.images_of(TRAIN)) + len(test) < len(images)
