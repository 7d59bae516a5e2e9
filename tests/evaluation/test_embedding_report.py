"""Metrics of embeddings: by hand, against a slow reference, and at chance for a network that has learned nothing."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import embedding_report as module
from siamese_tf.evaluation.embedding_report import embedding_lines, embedding_report, normalize_for_distance

# On a line: a at 0 and 1, b at 3, 4.5 and 20.
LINE = np.array([[0.0], [1], [3], [4.5], [20]])
CLASSES = np.array([5, 5, 9, 9, 9])


def clusters(images=300, classes=6, dimensions=8, noise=1.2, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    centres = rng.normal(size=(classes, dimensions))
    return (centres[labels] + noise * rng.normal(size=(images, dimensions))).astype(np.float32), labels


def slow_reference(embeddings, labels):
    """recall@1, 5, 10, R-precision and MAP@R, one query after the other."""
    found_at, r_precisions, precisions = {1: [], 5: [], 10: []}, [], []
    for query in range(len(labels)):
        others = [other for other in range(len(labels)) if other != query]
        others.sort(key=lambda other: np.linalg.norm(embeddings[query].astype(float) - embeddings[other]))
        right = [bool(labels[other] == labels[query]) for other in others]
        if not any(right):
            continue
        for k, found in found_at.items():
            found.append(any(right[:k]))
        wanted = sum(right)
        r_precisions.append(sum(right[:wanted]) / wanted)
        precisions.append(sum(sum(right[: i + 1]) / (i + 1) for i in range(wanted) if right[i]) / wanted)
    return {str(k): np.mean(found) for k, found in found_at.items()}, np.mean(r_precisions), np.mean(precisions)


def test_report_by_hand():
    # 0 finds 1; 1 finds 0; 3 finds 4.5 (1.5 away, 1 is 2 away), then 1; 4.5 finds 3, then 1; 20 finds 4.5, then 3.
    # So every query finds its class at once. Average precisions: 1, 1, (1 + 0) / 2, (1 + 0) / 2, 1.
    report = embedding_report(LINE, CLASSES)
    assert " ".join(report) == "images classes queries recall_at r_precision map_at_r silhouette"
    assert (report["images"], report["classes"], report["queries"]) == (5, 2, 5)
    assert report["recall_at"] == {"1": 1.0, "5": 1.0, "10": 1.0}
    assert report["map_at_r"] == pytest.approx(4 / 5)
    assert report["r_precision"] == pytest.approx((1 + 1 + 1 / 2 + 1 / 2 + 1) / 5)
    # Silhouettes, (other - own) / the larger: of 0, own 1, other 27.5 / 3; and so on.
    own = np.array([1, 1, (1.5 + 17) / 2, (1.5 + 15.5) / 2, (17 + 15.5) / 2])
    other = np.array([27.5 / 3, (2 + 3.5 + 19) / 3, (3 + 2) / 2, (4.5 + 3.5) / 2, (20 + 19) / 2])
    assert report["silhouette"] == pytest.approx(np.mean((other - own) / np.maximum(own, other)))


def test_average_precision_counts_only_the_first_r():
    # The query 0 has R = 2: it finds b, a | a. Precision at its one right answer among two is 1/2, over R: 1/4.
    line = np.array([[0.0], [1], [2], [3]])
    report = embedding_report(line, np.array([0, 1, 0, 0]))
    # 2 finds (b or a at distance 1): a (3) and b (1) tie; 3 finds a (2), then b (1).
    assert report["queries"] == 3
    assert report["map_at_r"] in [pytest.approx((1 / 4 + two + 1 / 2) / 3) for two in (1 / 2, 1 / 4)]
    assert report["recall_at"]["5"] == 1.0


@pytest.mark.parametrize("distances_at_once", [1, 1000, module.DISTANCES_PER_BLOCK])
def test_report_is_that_of_the_slow_reference(monkeypatch, distances_at_once):
    monkeypatch.setattr(module, "DISTANCES_PER_BLOCK", distances_at_once)
    embeddings, labels = clusters()
    labels[:2] = [50, 60]  # alone in their class
    report = embedding_report(embeddings, labels)
    recall_at, r_precision, map_at_r = slow_reference(embeddings, labels)
    assert 0.3 < recall_at["1"] < recall_at["5"] < 1
    assert report["recall_at"] == pytest.approx(recall_at)
    assert report["r_precision"] == pytest.approx(r_precision)
    assert report["map_at_r"] == pytest.approx(map_at_r)
    assert (report["images"], report["classes"], report["queries"]) == (300, 8, 298)


def test_an_image_far_from_zero_is_ranked_like_one_near_it():
    embeddings, labels = clusters()
    moved = embeddings.astype(np.float64) + 1e6
    near, fmr = embedding_report(embeddings, labels), embedding_report(moved, labels)
    assert fmr["map_at_r"] == pytest.approx(near["map_at_r"])
    assert fmr["recall_at"] == near["recall_at"]


@pytest.mark.parametrize("labels", [np.arange(2000) % 10, np.arange(2000) // 200, np.arange(2000) // 1800])
def test_a_constant_network_scores_what_guessing_would(labels):
    embeddings = np.full((2000, 16), 0.1, np.float32)  # 0.1 is no binary number: sums of it are rounded
    report = embedding_report(embeddings, labels)
    share = np.bincount(labels)[labels] / len(labels)
    assert report["recall_at"]["1"] == pytest.approx(share.mean(), abs=0.03)
    assert report["recall_at"]["10"] == pytest.approx(np.mean(1 - (1 - share) ** 10), abs=0.03)
    assert report["map_at_r"] < share.mean()
    assert report["silhouette"] == 0.0


def test_copies_of_few_points_are_at_chance_among_each_other():
    # Two points, each with images of two classes: the nearest is at the same point, its class is a coin's throw.
    places = np.random.default_rng(0).normal(size=(2, 16)).astype(np.float32)
    report = embedding_report(places[np.arange(2000) % 2], np.arange(2000) // 2 % 2)
    assert report["recall_at"]["1"] == pytest.approx(0.5, abs=0.04)


def test_the_seed_decides_ties_and_nothing_else():
    embeddings, labels = clusters()
    assert embedding_report(embeddings, labels, seed=1) == embedding_report(embeddings, labels, seed=2)
    same = np.zeros_like(embeddings)
    once, again, other = (embedding_report(same, labels, seed=seed) for seed in (1, 1, 2))
    assert once == again != other


def test_silhouette_of_many_images_is_that_of_a_sample(monkeypatch):
    embeddings, labels = clusters(images=1000)
    whole = embedding_report(embeddings, labels)["silhouette"]
    monkeypatch.setattr(module, "MAX_SILHOUETTE_IMAGES", 500)
    sampled = [embedding_report(embeddings, labels, seed=seed)["silhouette"] for seed in (1, 1, 2)]
    assert sampled[0] == sampled[1] != sampled[2]
    assert sampled[0] == pytest.approx(whole, abs=0.05)
    assert whole not in sampled


def test_undefined_metrics_are_none():
    one_class = embedding_report(LINE, np.zeros(5, int))
    assert one_class["silhouette"] is None
    assert one_class["recall_at"]["1"] == one_class["map_at_r"] == 1.0
    for labels in (np.arange(5), np.arange(5)[::-1]):
        alone = embedding_report(LINE, labels)
        assert alone["queries"] == 0
        assert alone["r_precision"] is alone["map_at_r"] is alone["silhouette"] is None
        assert alone["recall_at"] == {"1": None, "5": None, "10": None}
    assert embedding_report([[1.0, 2.0]], [3])["images"] == 1


def test_report_survives_strict_json_unchanged():
    for labels in (CLASSES, np.arange(5), CLASSES == 5):
        report = embedding_report(LINE, labels)
        assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_lines_for_people():
    assert embedding_lines(embedding_report(LINE, CLASSES)) == [
        "5 images of 2 classes",
        "recall@1          1.0000",
        "recall@5          1.0000",
        "recall@10         1.0000",
        "R-precision       0.8000",
        "MAP@R             0.8000",
        f"silhouette        {embedding_report(LINE, CLASSES)['silhouette']:.4f}",
    ]
    lines = embedding_lines(embedding_report(LINE, [0, 0, 0, 0, 7]))
    assert lines[0] == "5 images of 2 classes, 1 the only one of their class"
    assert embedding_lines(embedding_report(LINE, np.zeros(5, int)))[-1] == "silhouette        requires two classes"
    assert embedding_lines(embedding_report(LINE, np.arange(5)))[1:] == [
        "no class has two images, so that there are no queries"
    ]


def test_compared_embeddings_have_length_one_where_the_head_normalises():
    embeddings = np.array([[3, 4], [0, 0], [0, -0.5]], np.float32)
    unit = normalize_for_distance(SimpleNamespace(head=SimpleNamespace(normalizes=True)), embeddings)
    np.testing.assert_allclose(unit, [[0.6, 0.8], [0, 0], [0, -1]], atol=1e-7)
    assert unit.dtype == np.float32
    assert normalize_for_distance(SimpleNamespace(head=SimpleNamespace(normalizes=False)), embeddings) is embeddings


@pytest.mark.parametrize(
    ("embeddings", "labels", "message"),
    [
        (LINE[:, 0], CLASSES, r"got \(5,\) and \(5,\)"),
        (LINE, CLASSES[:4], r"got \(5, 1\) and \(4,\)"),
        (np.zeros((0, 3)), np.zeros(0, int), "at least one image"),
        (LINE, CLASSES / 2, "got float64"),
        (LINE * [[1], [np.nan], [1], [np.inf], [1]], CLASSES, "2 of 5 rows"),
    ],
)
def test_refuses_what_is_not_labeled_embeddings(embeddings, labels, message):
    with pytest.raises(SiameseError, match=message):
        embedding_report(embeddings, labels)
