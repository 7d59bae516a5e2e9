import json
from dataclasses import replace

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.data.sampling.draw_pairs import make_pairs
from siamese_tf.errors import ImageError, PairFileError, SiameseError
from siamese_tf.evaluation.evaluate import (
    EmbeddedPairs,
    ScoredSplit,
    classes_are_split,
    evaluate_model,
    save_pictures,
    score_files,
)
from siamese_tf.evaluation.report import split_report
from siamese_tf.models import inputs
from siamese_tf.models.siamese_model import SiameseModel

PICTURES = {"roc.png", "scores.png", "sample.png", "mistakes.png"}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return SiameseModel((8, 8, 1), "reference", 8, "euclidean", threshold=0.5)


def pairs_of(*splits, seed=0, images=30):
    """Noise images (30, 8, 8, 1) of three classes, of which pairs use the first 24; twenty pairs for each split."""
    rng = np.random.default_rng(seed)
    labels = np.arange(images) % 3
    img1, img2, similarity = make_pairs(labels[:24], 20 * len(splits), np.random.SeedSequence(seed))
    split = np.tile(np.array(splits, np.uint8), 20)
    return PairDataset(rng.integers(0, 256, (images, 8, 8, 1), np.uint8), labels, img1, img2, similarity, split)


@pytest.fixture(scope="module")
def pairs():
    return pairs_of(TRAIN, VALIDATION)


def counted(model, monkeypatch):
    """The stacks of images that the model embeds from now on."""
    stacks = []
    embed = model.embed
    monkeypatch.setattr(model, "embed", lambda images: (stacks.append(images), embed(images))[1])
    return stacks


@pytest.mark.parametrize("split", [TRAIN, VALIDATION])
def test_the_scores_are_those_of_the_model_in_the_order_of_the_rows(model, pairs, split):
    scored = EmbeddedPairs(model, pairs).scored(split)
    rows = pairs.rows(split)
    assert len(rows) == 20
    np.testing.assert_allclose(
        scored.scores, model.score(pairs.images[pairs.img1[rows]], pairs.images[pairs.img2[rows]]), atol=1e-6
    )
    assert scored.scores.dtype == np.float64
    assert np.ptp(scored.scores) > 0
    np.testing.assert_array_equal(scored.img1, pairs.img1[rows])
    np.testing.assert_array_equal(scored.img2, pairs.img2[rows])
    np.testing.assert_array_equal(scored.similarity, pairs.similarity[rows])
    assert scored.images is pairs.images


def test_the_logits_are_those_of_the_scores(model, pairs):
    embedded = EmbeddedPairs(model, pairs)
    np.testing.assert_allclose(1 / (1 + np.exp(-embedded.logits(TRAIN))), embedded.scored(TRAIN).scores, rtol=1e-12)


def test_every_image_that_a_pair_uses_is_embedded_once_and_no_other(model, pairs, monkeypatch):
    used = np.unique(np.concatenate([pairs.img1, pairs.img2]))
    assert len(used) < len(pairs.images)
    stacks = counted(model, monkeypatch)
    embedded = EmbeddedPairs(model, pairs)
    for split in (TRAIN, VALIDATION, TRAIN):
        embedded.scored(split)
    (stack,) = stacks
    np.testing.assert_array_equal(stack, pairs.images[used])
    unused = np.setdiff1d(np.arange(30), used)
    assert not embedded.embeddings[unused].any()


def test_images_are_taken_from_the_file_a_block_at_a_time(model, monkeypatch):
    pairs = pairs_of(TRAIN, VALIDATION, TEST, images=24)
    expected = EmbeddedPairs(model, pairs).embeddings
    monkeypatch.setattr(inputs, "EMBED_BATCH", 10)
    stacks = counted(model, monkeypatch)
    np.testing.assert_allclose(EmbeddedPairs(model, pairs).embeddings, expected, atol=1e-6)
    assert [len(stack) for stack in stacks] == [10, 10, 4]


@pytest.mark.parametrize("size", [(8, 9, 1), (9, 8, 1), (8, 8, 3)])
def test_images_of_another_size_are_refused(model, pairs, size):
    other = replace(pairs, images=np.zeros((30, *size), np.uint8), path="other.npz")
    with pytest.raises(PairFileError) as caught:
        EmbeddedPairs(model, other)
    assert "must be (8, 8, 1) (height, width, channels)" in str(caught.value)
    assert f"got {size} in" in str(caught.value)


def test_the_test_pairs_come_from_the_test_file_alone(model):
    train, test = pairs_of(TRAIN, VALIDATION, TEST), pairs_of(TEST, TRAIN, seed=1)
    scored = score_files(EmbeddedPairs(model, train), test)
    assert list(scored) == ["train", "validation", "test"]
    for name, file, split in (("train", train, TRAIN), ("validation", train, VALIDATION), ("test", test, TEST)):
        np.testing.assert_array_equal(scored[name].img1, file.img1[file.rows(split)])
        assert scored[name].images is file.images
    assert list(score_files(EmbeddedPairs(model, train), None)) == ["train", "validation"]


def test_one_file_for_all_is_embedded_once(model, monkeypatch):
    pairs = pairs_of(TRAIN, VALIDATION, TEST)
    stacks = counted(model, monkeypatch)
    scored = score_files(EmbeddedPairs(model, pairs), pairs)
    assert list(scored) == ["train", "validation", "test"]
    assert len(stacks) == 1


def test_splits_without_pairs_are_left_out(model):
    assert list(score_files(EmbeddedPairs(model, pairs_of(VALIDATION)), None)) == ["validation"]
    test = pairs_of(TEST)
    assert list(score_files(EmbeddedPairs(model, test), test)) == ["test"]


def test_the_report_is_made_with_the_threshold_of_the_model(model, pairs):
    train_test = TrainTestPairs(pairs, None, "noise", "")
    reports = evaluate_model(model, train_test)
    assert list(reports) == ["train", "validation"]
    rows = pairs.rows(TRAIN)
    img1, img2, similarity = pairs.img1[rows], pairs.img2[rows], pairs.similarity[rows]
    scores = EmbeddedPairs(model, pairs).scored(TRAIN).scores
    assert reports["train"] == split_report(similarity, img1, img2, scores, 0.5)
    called_same = np.mean((scores >= 0.5) == similarity)
    assert reports["train"]["accuracy"] == called_same


def file_of(labels, parts, **manifest):
    """A pair file of as many images as labels, of which every two in a row are a pair."""
    labels = np.array(labels)
    one, two = np.arange(0, labels.size, 2), np.arange(1, labels.size, 2)
    same = (labels[one] == labels[two]).astype(np.uint8)
    images = np.zeros((labels.size, 8, 8, 1), np.uint8)
    return PairDataset(images, labels, one, two, same, np.array(parts, np.uint8), manifest)


@pytest.mark.parametrize(
    ("train", "test", "split"),
    [
        (file_of([0, 0, 1, 1], [TRAIN, VALIDATION]), None, True),
        (file_of([0, 0, 0, 1], [TRAIN, VALIDATION]), None, False),
        (file_of([0, 0, 1, 1], [TRAIN, VALIDATION]), file_of([2, 2, 3, 1], [TEST, TEST]), True),
        (file_of([0, 0, 1, 1], [TRAIN, VALIDATION]), file_of([2, 2, 0, 1], [TEST, TEST]), False),
        (
            file_of([0, 0], [TRAIN], class_names=["anna"]),
            file_of([0, 0], [TEST], class_names=["ben"]),
            True,
        ),
        (
            file_of([0, 0], [TRAIN], class_names=["anna"]),
            file_of([1, 1], [TEST], class_names=["ben", "anna"]),
            False,
        ),
        (file_of([0, 0], [TRAIN], class_names=["anna"]), file_of([0, 0], [TEST]), False),
        (file_of([0, 0], [TEST], split="class"), "itself", True),
        (file_of([0, 0], [TEST], split="image"), "itself", False),
        (file_of([0, 0], [TEST], split="given"), "itself", None),
        (file_of([0, 0], [TEST]), "itself", None),
        (file_of([0, 0], [TRAIN]), None, None),
        (replace(file_of([0, 0], [TRAIN]), labels=None), file_of([0, 0], [TEST]), None),
        (file_of([0, 0], [TRAIN]), replace(file_of([0, 0], [TEST]), labels=None), None),
    ],
)
def test_whether_classes_were_split_shows_in_the_data(train, test, split):
    assert classes_are_split(TrainTestPairs(train, train if test == "itself" else test, "data", "")) is split


def test_where_classes_were_split_the_reports_are_over_classes(model, pairs):
    labels = np.where(np.arange(30) % 2, 7, 8) if pairs.labels is None else pairs.labels
    labeled = replace(pairs, labels=labels)
    for test, over in ((labeled, "images"), (replace(labeled, labels=labels + 100), "classes")):
        test = replace(test, split=np.full_like(test.split, TEST))
        reports = evaluate_model(model, TrainTestPairs(labeled, test, "noise", ""))
        assert [report["ci95_over"] for report in reports.values()] == [over] * 3


def test_another_threshold_gives_another_report(model, pairs, monkeypatch):
    monkeypatch.setattr(model, "threshold", 1.0)
    reports = evaluate_model(model, TrainTestPairs(pairs, None, "noise", ""))
    assert reports["train"]["confusion"]["tp"] == reports["train"]["confusion"]["fp"] == 0
    assert reports["train"]["accuracy"] == np.mean(pairs.similarity[pairs.rows(TRAIN)] == 0)


def test_a_folder_gets_the_report_and_the_pictures(model, pairs, tmp_path):
    folder = tmp_path / "new" / "folder"
    reports = evaluate_model(model, TrainTestPairs(pairs, pairs_of(TEST, seed=1), "noise", ""), folder)
    assert {path.name for path in folder.iterdir()} == {"report.json"} | PICTURES
    assert json.loads((folder / "report.json").read_text()) == reports
    assert list(reports) == ["train", "validation", "test"]
    assert all((folder / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n") for name in PICTURES)


def test_a_split_of_one_kind_is_refused(model, pairs):
    alike = replace(pairs, similarity=np.ones_like(pairs.similarity), labels=None)
    with pytest.raises(SiameseError, match="got 20 same and 0 different pairs"):
        evaluate_model(model, TrainTestPairs(alike, None, "noise", ""))


def test_the_pictures_show_the_last_split_and_the_curves_all(pairs, tmp_path, monkeypatch):
    calls = {}
    for name in ("save_roc_plot", "save_scores_plot", "save_sample_plot", "save_mistakes_plot"):
        monkeypatch.setattr(
            f"siamese_tf.evaluation.evaluate.{name}", lambda *a, name=name, **k: calls.update({name: (a, k["title"])})
        )
    rng = np.random.default_rng(0)
    splits = {
        name: ScoredSplit(
            pairs.images, pairs.img1[rows], pairs.img2[rows], pairs.similarity[rows], rng.uniform(size=len(rows))
        )
        for name, rows in (("train", pairs.rows(TRAIN)), ("test", pairs.rows(VALIDATION)))
    }
    save_pictures(splits, 0.25, tmp_path, title="noise")
    (curves, path), title = calls["save_roc_plot"]
    assert (list(curves), path, title) == (["train", "test"], tmp_path / "roc.png", "noise")
    assert curves["train"] == (splits["train"].similarity, splits["train"].scores)
    test = splits["test"]
    expected = (test.similarity, test.scores, 0.25, tmp_path / "scores.png")
    assert calls["save_scores_plot"] == (expected, "noise, test pairs")
    grid = (test.images, test.img1, test.img2, test.similarity, test.scores, 0.25)
    assert calls["save_sample_plot"] == ((*grid, tmp_path / "sample.png"), "noise, test pairs")
    assert calls["save_mistakes_plot"] == ((*grid, tmp_path / "mistakes.png"), "noise, test pairs")


@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_a_model_without_embeddings_is_not_evaluated(pairs, model, monkeypatch, tmp_path, nothing):
    monkeypatch.setattr(model, "embed", lambda images: np.full((len(images), 8), nothing, np.float32))
    with pytest.raises(ImageError, match="not all zero; got 23 invalid ones for the 23 images of the pairs"):
        evaluate_model(model, TrainTestPairs(pairs, None, "noise", ""), tmp_path / "report")
    assert not (tmp_path / "report").exists()
    EmbeddedPairs(model, pairs)  # training looks at them, too
