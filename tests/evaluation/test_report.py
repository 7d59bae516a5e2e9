"""The report of a split: every metric by hand once, plain JSON, and the printed table."""

import json

import numpy as np
import pytest

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.accuracy_interval import bootstrap_accuracy
from siamese_tf.evaluation.intervals import accuracy_of, cluster_intervals
from siamese_tf.evaluation.report import report_table, split_report


def split(pairs=400, images=100, seed=0, noise=0.25, every=2):
    rng = np.random.default_rng(seed)
    img1 = rng.integers(0, images, pairs, np.int32)
    img2 = ((img1 + rng.integers(1, images, pairs)) % images).astype(np.int32)
    similarity = (np.arange(pairs) % every == 0).astype(np.uint8)
    scores = np.clip(0.2 + 0.6 * similarity + rng.normal(0, noise, pairs), 0, 1)
    return similarity, img1, img2, scores


def test_report_by_hand():
    # Three of the four same pairs reach 0.5, one of the four different ones does.
    similarity = np.array([1, 1, 1, 1, 0, 0, 0, 0], np.uint8)
    scores = np.array([0.9, 0.8, 0.5, 0.3, 0.7, 0.2, 0.1, 0.0], np.float32)
    img1, img2 = np.arange(8, dtype=np.int32), np.arange(1, 9, dtype=np.int32)
    report = split_report(similarity, img1, img2, scores, np.float32(0.5))
    assert (
        " ".join(report) == "pairs accuracy ci95 ci95_over ci95_count auc eer f1 precision recall tar_at_far confusion"
    )
    assert report["pairs"] == 8
    assert (report["ci95_over"], report["ci95_count"]) == ("images", 9)
    assert report["confusion"] == {"tp": 3, "fp": 1, "tn": 3, "fn": 1}
    assert report["accuracy"] == report["precision"] == report["recall"] == report["f1"] == 0.75
    # Of the 16 (same, different) couples two are the wrong way round: 0.5 and 0.3 below 0.7.
    assert report["auc"] == pytest.approx(14 / 16)
    assert report["eer"] == pytest.approx(0.25)
    assert report["tar_at_far"] == {"0.1": None, "0.01": None, "0.001": None}
    assert report["ci95"][0] < 0.75 < report["ci95"][1]


def test_interval_is_that_of_the_images():
    similarity, img1, img2, scores = split()
    report = split_report(similarity, img1, img2, scores, 0.5, seed=7)
    expected = bootstrap_accuracy(img1, img2, (scores >= 0.5) == (similarity == 1), seed=7)
    assert report["ci95"] == list(expected)
    assert report["ci95"] != split_report(similarity, img1, img2, scores, 0.5)["ci95"]


def test_where_classes_were_split_the_interval_is_that_of_the_classes():
    similarity, img1, img2, scores = split(pairs=600)
    labels = np.arange(100) // 5
    similarity = (labels[img1] == labels[img2]).astype(np.uint8)
    report = split_report(similarity, img1, img2, scores, 0.5, labels=labels)
    right = ((scores >= 0.5) == (similarity == 1)).astype(np.int64)
    expected = cluster_intervals(labels[img1], labels[img2], similarity, accuracy_of(right))["accuracy"]
    assert (report["ci95"], report["ci95_over"], report["ci95_count"]) == (list(expected), "classes", 20)
    over_images = split_report(similarity, img1, img2, scores, 0.5)
    assert report["accuracy"] == over_images["accuracy"]
    assert report["ci95"] != over_images["ci95"]


def test_of_fewer_than_five_classes_there_is_no_interval():
    similarity, img1, img2, scores = split()
    report = split_report(similarity, img1, img2, scores, 0.5, labels=np.arange(100) // 50)
    assert report["ci95"] == [0, 1]
    lines = report_table({"validation": report, "test": report})
    (row,) = (line for line in lines if line.startswith("95% interval over classes"))
    assert row.split()[-2:] == ["refused", "refused"]
    assert "95% interval, test: needs 5 classes, has 2." in lines


def test_report_survives_strict_json_unchanged():
    report = split_report(*split(), 0.5)
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_rates_are_given_as_far_as_the_different_pairs_carry():
    tar_at_far = split_report(*split(pairs=700), 0.5)["tar_at_far"]
    assert tar_at_far["0.1"] >= tar_at_far["0.01"] > 0
    assert tar_at_far["0.001"] is None


def test_table_shows_the_splits_side_by_side_and_explains_what_is_missing():
    reports = {
        "train": split_report(*split(pairs=7000, noise=0.1), 0.5),
        "validation": split_report(*split(pairs=900, seed=1), 0.5),
        "test": split_report(*split(pairs=390, seed=2, every=3), 0.5),
    }
    lines = report_table(reports)
    assert lines[0].split() == ["train", "validation", "test"]
    row = {line.split("  ")[0]: line.split()[-3:] for line in lines[1:] if line}
    assert row["pairs"] == ["7,000", "900", "390"]
    assert row["accuracy"] == [f"{report['accuracy']:.4f}" for report in reports.values()]
    low, high = reports["test"]["ci95"]
    assert row["95% interval over images"][2] == f"{low:.4f}-{high:.4f}"
    assert row["TAR at FAR 0.01"][1:] == [f"{reports['validation']['tar_at_far']['0.01']:.4f}", "refused"]
    assert row["TAR at FAR 0.001"][1:] == ["refused", "refused"]
    assert row["same called different"] == [str(report["confusion"]["fn"]) for report in reports.values()]
    assert lines[-4:] == [
        "",
        "TAR at FAR 0.01, test: needs 300 different pairs, has 260.",
        "TAR at FAR 0.001, validation: needs 3,000 different pairs, has 450.",
        "TAR at FAR 0.001, test: needs 3,000 different pairs, has 260.",
    ]


def test_table_is_aligned_and_fits_a_terminal():
    report = split_report(*split(pairs=70000, images=9000), 0.5)
    lines = report_table({"train": report, "validation": report, "test": report})
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= 80


def test_table_of_one_split():
    lines = report_table({"test": split_report(*split(), 0.5)})
    assert lines[0].split() == ["test"]
    assert lines[1].split() == ["pairs", "400"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"img1": [0, 1]}, r"\(2,\)"),
        ({"scores": np.full(400, np.nan)}, "400 of 400"),
        ({"similarity": np.ones(400)}, "400 same and 0 different"),
    ],
)
def test_refuses_what_is_not_a_split(change, message):
    arguments = dict(zip(("similarity", "img1", "img2", "scores"), split(), strict=True)) | change
    with pytest.raises(SiameseError, match=message):
        split_report(**arguments, threshold=0.5)
