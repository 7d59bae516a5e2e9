"""The verification of a model: the reported split, the source of the threshold, and the written files."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.data.sampling.draw_pairs import make_pairs
from siamese_tf.errors import ImageError, PairFileError, SiameseError
from siamese_tf.evaluation import verify_model as module
from siamese_tf.evaluation.fmr_limit import FmrLimit
from siamese_tf.evaluation.folded_report import folded_report
from siamese_tf.evaluation.thresholds import choose_threshold
from siamese_tf.evaluation.verification import verification_report
from siamese_tf.evaluation.verify_model import verify_model
from siamese_tf.models.siamese_model import SiameseModel


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return SiameseModel((8, 8, 1), "reference", 8, "euclidean", threshold=0.99)


@pytest.fixture(autouse=True)
def _few_replicates(monkeypatch):
    monkeypatch.setattr(
        module, "verification_report", lambda *args, **more: verification_report(*args, **more, replicates=100)
    )


def pairs_of(*splits, people=10, each=6):
    """Noise around a pattern for each person; forty pairs for each split."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(people), each)
    patterns = rng.integers(40, 216, (people, 8, 8, 1))
    images = np.clip(patterns[labels] + rng.normal(0, 40, (labels.size, 8, 8, 1)), 0, 255).astype(np.uint8)
    img1, img2, similarity = make_pairs(labels, 40 * len(splits), np.random.SeedSequence(0))
    return PairDataset(images, labels, img1, img2, similarity, np.tile(np.array(splits, np.uint8), 40))


def train_test_of(*splits):
    pairs = pairs_of(*splits)
    return TrainTestPairs(pairs, pairs if TEST in splits else None, "patterns", "drawn")


def scores_of(model, pairs, split):
    rows = pairs.rows(split)
    return pairs.similarity[rows], model.score_pairs(pairs.images, pairs.img1[rows], pairs.img2[rows])


def test_unasked_the_test_pairs_are_decided_by_the_models_own_threshold(model):
    train_test = train_test_of(TRAIN, VALIDATION, TEST)
    pairs, rows = train_test.train, train_test.train.rows(TEST)
    report = verify_model(model, train_test, seed=3)
    people = (pairs.labels[pairs.img1[rows]], pairs.labels[pairs.img2[rows]])
    similarity, scores = scores_of(model, pairs, TEST)
    images = (pairs.img1[rows], pairs.img2[rows])  # of people who are in the training part, too
    expected = verification_report(similarity, *people, scores, 0.99, images=images, replicates=100, seed=3)
    assert report == {"part": "test", "chosen": "the model's own", **expected, "folds": None}
    assert json.loads(json.dumps(report)) == report


def test_without_test_pairs_the_last_part_is_reported(model):
    assert verify_model(model, train_test_of(TRAIN, VALIDATION))["part"] == "validation"
    assert verify_model(model, train_test_of(TRAIN))["part"] == "train"


@pytest.mark.parametrize("rule", ["f1", "eer", 0.2])
def test_a_rule_is_followed_on_the_validation_pairs(model, rule):
    train_test = train_test_of(TRAIN, VALIDATION, TEST)
    report = verify_model(model, train_test, rule=rule)
    assert report["threshold"] == choose_threshold(*scores_of(model, train_test.train, VALIDATION), rule)
    assert report["chosen"].startswith("on validation pairs, at ")
    similarity, scores = scores_of(model, train_test.train, TEST)
    assert report["confusion"]["tp"] == int(((scores >= report["threshold"]) & (similarity == 1)).sum())


@pytest.mark.parametrize("splits", [(TEST,), (TRAIN, VALIDATION), (TRAIN, TEST)])
def test_a_rule_without_validation_pairs_beside_those_reported_is_refused(model, splits):
    with pytest.raises(
        PairFileError, match="must be chosen on validation pairs and measured on test pairs; got pairs of"
    ):
        verify_model(model, train_test_of(*splits), rule="eer")


def test_a_rate_that_validation_cannot_carry_is_refused(model):
    with pytest.raises(SiameseError, match=r"needs 300 different pairs, .* got \d+"):
        verify_model(model, train_test_of(VALIDATION, TEST), rule=0.01)


@pytest.mark.parametrize(("rule", "words"), [(None, "at the best accuracy"), ("eer", "at the EER")])
def test_with_folds_each_is_decided_by_the_others(model, rule, words):
    train_test, fold = train_test_of(TEST), np.repeat(np.arange(4), 10)
    report = verify_model(model, train_test, fold=fold, rule=rule)
    folds, thresholds = folded_report(*scores_of(model, train_test.train, TEST), fold, rule or "accuracy")
    shared = report["folds"].pop("people_in_several_folds")
    assert 0 < shared <= 10  # the pairs were dealt, not the people
    assert report["folds"] == folds
    assert report["chosen"] == f"for each fold on all others, {words}"
    assert report["threshold"] == pytest.approx(thresholds.mean())
    assert report["accuracy"] == pytest.approx(folds["accuracy"]["mean"])  # the folds are equally large


def test_without_labels_people_are_inferred_from_same_pairs(model):
    train_test = train_test_of(TEST)
    report = verify_model(
        model, replace(train_test, train=replace(train_test.train, labels=None), test=train_test.test)
    )
    assert report["people"] == verify_model(model, train_test)["people"]
    unlabelled = replace(train_test.train, labels=None)
    report = verify_model(model, replace(train_test, train=unlabelled, test=unlabelled))
    assert 10 <= report["people"] <= 60
    assert report["confusion"] == verify_model(model, train_test)["confusion"]


def test_of_people_never_trained_on_the_intervals_are_over_people(model):
    train_test = train_test_of(TRAIN, VALIDATION, TEST)
    assert verify_model(model, train_test)["ci95_over"] == "images"
    pairs = train_test.train
    apart = replace(pairs, labels=pairs.labels + 10, manifest={"class_names": [f"p{k}" for k in range(20)]})
    named = replace(pairs, manifest={"class_names": [f"p{k}" for k in range(10)]})
    reports = [verify_model(model, replace(train_test, train=named, test=test)) for test in (named, apart)]
    assert [report["ci95_over"] for report in reports] == ["images", "people"]
    assert verify_model(model, train_test_of(TEST))["ci95_over"] == "people"  # who was trained on is not known


def test_a_limit_is_over_what_was_split(model):
    train_test = train_test_of(TRAIN, VALIDATION, TEST)
    rule, rows, pairs = FmrLimit(0.3, 0.9), train_test.train.rows(VALIDATION), train_test.train
    report = verify_model(model, train_test, rule=rule)
    expected = choose_threshold(*scores_of(model, pairs, VALIDATION), rule, pairs.img1[rows], pairs.img2[rows])
    assert report["threshold"] == expected
    assert report["chosen"] == "on validation pairs, at an FMR of at most 0.3 with 90% confidence"
    with pytest.raises(SiameseError, match=r"at most 0\.01 at 95% needs 299 independent"):
        verify_model(model, train_test, rule=FmrLimit(0.01, 0.95))


def test_the_folder_gets_the_report_and_the_pictures(model, tmp_path):
    report = verify_model(model, train_test_of(VALIDATION, TEST), folder=tmp_path)
    pictures = ["det.png", "mistakes.png", "roc.png", "sample.png", "scores.png", "thresholds.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*pictures, "report.json"])
    assert json.loads((tmp_path / "report.json").read_text()) == report


def test_images_of_another_size_are_refused(model):
    train_test = train_test_of(TEST)
    small = replace(train_test.train, images=train_test.train.images[:, :4])
    with pytest.raises(PairFileError, match=r"must be \(8, 8, 1\)"):
        verify_model(model, replace(train_test, train=small, test=small))


@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_a_model_without_embeddings_is_not_verified(model, monkeypatch, nothing):
    monkeypatch.setattr(model, "embed", lambda images: np.full((len(images), 8), nothing, np.float32))
    with pytest.raises(ImageError, match="embeddings must be finite and not all zero; got"):
        verify_model(model, train_test_of(VALIDATION, TEST))
