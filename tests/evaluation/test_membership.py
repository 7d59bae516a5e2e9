import json
from dataclasses import replace

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.errors import ConfigError, ImageError, PairFileError, SiameseError
from siamese_tf.evaluation.membership import (
    evaluate_membership,
    membership_lines,
    membership_report,
    membership_scores,
)
from siamese_tf.models.siamese_model import SiameseModel


class Brightness:
    """Stands in for a model: an image's embedding is its brightness, a logit is 4 minus the difference of two."""

    input_size = (2, 2, 1)

    def __init__(self):
        self.embedded = []

    def embed(self, images):
        self.embedded.append(images)
        return images.mean(axis=(1, 2, 3), dtype=np.float32)[:, np.newaxis]

    def pair_logits(self, embeddings, rows1, rows2):
        return 4.0 - np.abs(embeddings[rows1, 0] - embeddings[rows2, 0]).astype(np.float64)


def gray(*values):
    """One even 2x2 image for each value."""
    return np.broadcast_to(np.array(values, np.uint8)[:, None, None, None], (len(values), 2, 2, 1))


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


def pairs_of(*parts, seed=0):
    """For each part 30 images of classes 0, 1 and 2, class k of brightness around 20 k, and pairs that use them all."""
    rng = np.random.default_rng(seed)
    count = 30 * len(parts)
    labels = np.arange(count) % 3
    img1 = np.arange(count, dtype=np.int32)
    img2 = img1 + np.where(img1 % 3 == 2, -1, 1).astype(np.int32)
    return PairDataset(
        images=np.array(gray(*(20 * labels + rng.integers(0, 8, count)))),
        labels=labels,
        img1=img1,
        img2=img2,
        similarity=np.zeros(count, np.uint8),
        split=np.repeat(np.array(parts, np.uint8), 30),
    )


@pytest.fixture
def train_test():
    return TrainTestPairs(pairs_of(TRAIN, VALIDATION), pairs_of(TEST, seed=1), "greys", "")


def test_scores_by_hand():
    # Brightness 10 and 14: to 11 the differences are 1 and 3, mean logit 2; to 14, 4 and 0; to 22, 12 and 8.
    scores = membership_scores(Brightness(), gray(10, 14), gray(11, 14, 22))
    np.testing.assert_allclose(scores, sigmoid([2, 2, -6]))
    assert scores.dtype == np.float64


@pytest.mark.parametrize("head", ["cosine", "euclidean", "concat"])
def test_scores_are_the_mean_logit_of_the_pairs_of_a_model(head):
    keras.utils.set_random_seed(0)
    model = SiameseModel((8, 8, 1), "reference", 8, head)
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 1), np.uint8)
    one_by_one = np.stack([model.score(image, images[3:]) for image in images[:3]])
    expected = sigmoid(np.log(one_by_one / (1 - one_by_one)).mean(axis=0))
    np.testing.assert_allclose(membership_scores(model, images[:3], images[3:]), expected, atol=1e-6)
    assert np.ptp(expected) > 1e-4
    with pytest.raises(ImageError):
        membership_scores(model, images[:3, :5], images[3:])


def test_each_image_is_embedded_once():
    model = Brightness()
    references, images = gray(1, 2, 3), gray(*range(50))
    membership_scores(model, references, images)
    assert [len(stack) for stack in model.embedded] == [3, 50]


@pytest.mark.parametrize("member", [[1, 1], [0, 0]])
def test_one_kind_alone_is_refused(member):
    with pytest.raises(SiameseError, match="at least one of each"):
        membership_report(member, [0.1, 0.2], 0.5)


def test_report_by_hand():
    # Members score 0.9, 0.8, 0.2, others 0.7, 0.1, 0.1; of nine comparisons 8 go right (0.2 loses to 0.7).
    report = membership_report([1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.2, 0.7, 0.1, 0.1], 0.5)
    assert report == {
        "images": 6,
        "members": 3,
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(2 / 3),
        "auc": pytest.approx(8 / 9),
        "confusion": {"tp": 2, "fp": 1, "tn": 2, "fn": 1},
        "threshold": 0.5,
    }
    assert json.loads(json.dumps(report)) == report


def test_the_threshold_comes_from_validation_and_the_numbers_from_every_image(train_test):
    report = evaluate_membership(Brightness(), train_test, 1, references=4)
    assert json.loads(json.dumps(report)) == report
    assert list(report) == ["references", "threshold", "chosen_on", "validation", "test"]
    assert (report["references"], report["chosen_on"]) == (4, "validation")
    for name in ("validation", "test"):
        part = report[name]
        assert (part["images"], part["members"], part["threshold"]) == (30, 10, report["threshold"])
        assert part["f1"] == part["auc"] == 1  # the classes lie 13 apart, more than members among themselves


def test_references_are_training_images_of_the_class_and_each_split_is_embedded_once(train_test):
    model = Brightness()
    evaluate_membership(model, train_test, 2, references=4)
    references, validation, again, test = model.embedded
    members = train_test.train.images[:30][train_test.train.labels[:30] == 2].tolist()
    assert len(references) == 4
    assert all(image in members for image in references.tolist())
    np.testing.assert_array_equal(again, references)
    np.testing.assert_array_equal(validation, train_test.train.images[30:])
    np.testing.assert_array_equal(test, train_test.test.images)


def test_no_image_is_drawn_twice_and_the_seed_decides(train_test):
    images = train_test.train.images
    images[:] = np.arange(len(images), dtype=np.uint8)[:, None, None, None]

    def drawn(seed):
        model = Brightness()
        evaluate_membership(model, train_test, 0, references=5, seed=seed)
        return model.embedded[0][:, 0, 0, 0].tolist()

    assert len(set(drawn(0))) == 5
    assert drawn(0) == drawn(0) != drawn(1)


def test_more_references_than_there_are_take_them_all(train_test):
    assert evaluate_membership(Brightness(), train_test, 0, references=99)["references"] == 10


def test_what_the_test_shows_does_not_move_the_threshold(train_test):
    other = replace(train_test, test=replace(train_test.test, images=np.roll(train_test.test.images, 1, axis=0)))
    first, second = (evaluate_membership(Brightness(), each, 1) for each in (train_test, other))
    assert first["threshold"] == second["threshold"]
    assert first["validation"] == second["validation"]
    assert first["test"] != second["test"]


def test_without_test_pairs(train_test):
    report = evaluate_membership(Brightness(), replace(train_test, test=None), 1)
    assert report["test"] is None
    assert [line.split()[0] for line in membership_lines(report, "1")] == ["is", "validation:"]


def test_one_file_for_all():
    file = pairs_of(TRAIN, VALIDATION, TEST)
    assert evaluate_membership(Brightness(), TrainTestPairs(file, file, "greys", ""), 1)["test"]["images"] == 30


def test_lines_for_people():
    report = membership_report([1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.2, 0.7, 0.1, 0.1], 0.5)
    whole = {"references": 10, "threshold": 0.5, "chosen_on": "validation", "validation": report, "test": report}
    numbers = "F1 0.6667, precision 0.6667, recall 0.6667, AUC 0.8889; 3 of 6 images are bags"
    assert membership_lines(whole, "bags") == [
        "is it bags? from 10 reference images, threshold 0.5000 chosen on validation images",
        f"validation: {numbers}",
        f"test:       {numbers}",
    ]


@pytest.mark.parametrize("references", [0, -1])
def test_no_reference_is_refused(train_test, references):
    with pytest.raises(ConfigError, match=f"references must be 1 or more; got {references}"):
        evaluate_membership(Brightness(), train_test, 1, references=references)


def test_labels_are_needed(train_test):
    with pytest.raises(PairFileError, match="must have labels"):
        evaluate_membership(Brightness(), replace(train_test, train=replace(train_test.train, labels=None)), 1)
    with pytest.raises(PairFileError, match="must have labels"):
        evaluate_membership(Brightness(), replace(train_test, test=replace(train_test.test, labels=None)), 1)


@pytest.mark.parametrize("which", ["train", "test"])
def test_images_of_another_size_are_refused_before_any_is_looked_at(train_test, which):
    file = getattr(train_test, which)
    small = replace(train_test, **{which: replace(file, images=file.images[:, :1])})
    model = Brightness()
    with pytest.raises(PairFileError, match=r"must be \(2, 2, 1\) .* got \(1, 2, 1\) in .*\. Generate pairs from"):
        evaluate_membership(model, small, 1)
    assert model.embedded == []


@pytest.mark.parametrize(("part", "name"), [(0, "train"), (1, "validation")])
def test_a_part_without_the_class_is_refused(train_test, part, name):
    labels = train_test.train.labels.copy()
    labels[30 * part : 30 * part + 30] = 0
    with pytest.raises(PairFileError, match=f"the {name} split must have .* got 0 images of class 1 and 30 others"):
        evaluate_membership(Brightness(), replace(train_test, train=replace(train_test.train, labels=labels)), 1)


def test_pairs_without_validation_are_refused(train_test):
    with pytest.raises(PairFileError, match="the validation split must have .* got 0 images of class 1 and 0 others"):
        evaluate_membership(Brightness(), replace(train_test, train=pairs_of(TRAIN)), 1)
