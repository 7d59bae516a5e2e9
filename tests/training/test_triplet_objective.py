import math
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.config.train_config import MINING_NAMES, TrainConfig
from siamese_tf.models.heads import build_head
from siamese_tf.training.triplet_objective import TripletObjective

CONFIG = TrainConfig(objective="triplet", head="euclidean", margin=0.5, losses="native")


def step_on(embeddings, labels, config):
    """The metrics, and the gradient of the loss."""
    x = tf.Variable(embeddings, dtype=tf.float32)
    with tf.GradientTape() as tape:
        metrics = TripletObjective(config, build_head(config.head, x.shape[1]))(x, {"labels": tf.constant(labels)})
    assert tuple(metrics) == TripletObjective.names
    assert all(value.shape == () and value.dtype == tf.float32 for value in metrics.values())
    return {name: float(value) for name, value in metrics.items()}, tape.gradient(metrics["loss"], x).numpy()


def metrics_by_loops(embeddings, labels, config):
    """The four metrics by loops. An image with label -1 is known to be of no labeled class."""
    n = len(labels)
    x = [row / np.linalg.norm(row) for row in embeddings]
    to = [[float(1 - a @ b if config.head == "cosine" else np.linalg.norm(a - b)) for b in x] for a in x]
    margin = 0.0 if config.soft else config.margin

    def alike(a, b):
        return labels[a] == labels[b] != -1

    def unlike(a, b):
        return labels[a] != labels[b]

    def cost(a, p, n):
        excess = to[a][p] - to[a][n]
        return math.log1p(math.exp(excess)) if config.soft else max(excess + margin, 0.0)

    images = range(n)
    near = [to[a][b] for a in images for b in images if a != b and alike(a, b)]
    far = [to[a][b] for a in images for b in images if unlike(a, b)]
    triplets = [(a, p, b) for a in images for p in images for b in images if a != p and alike(a, p) and unlike(a, b)]
    active = [(a, p, b) for a, p, b in triplets if to[a][p] - to[a][b] + margin > 0]
    if config.mining == "all":
        mined = triplets if config.soft else active
    elif config.mining == "hard":
        mined = []
        for a in images:
            if labels[a] != -1:
                positives = [p for p in images if p != a and alike(a, p)]
                negatives = [b for b in images if unlike(a, b)]
                mined.append((a, max(positives, key=to[a].__getitem__), min(negatives, key=to[a].__getitem__)))
    else:
        mined = []
        for a, p in {(a, p) for a, p, _ in triplets}:
            negatives = [b for b in images if unlike(a, b)]
            beyond = [b for b in negatives if to[a][b] > to[a][p]]
            chosen = min(beyond, key=to[a].__getitem__) if beyond else max(negatives, key=to[a].__getitem__)
            mined.append((a, p, chosen))
    return {
        "loss": np.mean([cost(*triplet) for triplet in mined]),
        "active_fraction": len(active) / len(triplets),
        "positive_distance": np.mean(near),
        "negative_distance": np.mean(far),
    }


def draw_embeddings(labels, seed, spread=1.0):
    """Embeddings of any length, scattered around one direction per label."""
    rng = np.random.default_rng(seed)
    centers = 0.5 * rng.normal(size=(12, 5))
    return centers[np.asarray(labels)] + spread * rng.normal(size=(len(labels), 5))


@pytest.mark.parametrize("margin", [0.5, "soft"])
@pytest.mark.parametrize("mining", MINING_NAMES)
@pytest.mark.parametrize("head", ["euclidean", "cosine"])
@pytest.mark.parametrize("one_vs_rest", [None, "1"])
def test_the_metrics_equal_those_computed_by_loops(head, mining, margin, one_vs_rest):
    config = replace(CONFIG, head=head, mining=mining, margin=margin, one_vs_rest=one_vs_rest)
    labels = np.repeat([1, -1] if one_vs_rest else [0, 3, 7, 8], 8 if one_vs_rest else 4)
    for seed, spread in enumerate((0.7, 1.5)):
        embeddings = draw_embeddings(labels, seed, spread)
        metrics, gradient = step_on(embeddings, labels, config)
        expected = metrics_by_loops(embeddings, labels, config)
        assert 0 < expected["active_fraction"] < 1
        for name, value in expected.items():
            assert metrics[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
        assert np.isfinite(gradient).all()
        assert gradient.any()


def test_pencil():
    """On the axes, at right angles: anchors a1 = a2 = (1, 0), b1 = (0, 1), b2 = (0, -1). Distances: a1 to a2 0, b1 to
    b2 2, a to b sqrt 2. Triplets with an a as anchor cost max(0 - 1.41 + 0.5, 0) = 0; with a b, 2 - 1.41 + 0.5 = 1.09.
    Four of the eight are active, and only they are in the mean."""
    embeddings = np.array([[3.0, 0], [1, 0], [0, 2], [0, -1]])
    metrics, _ = step_on(embeddings, [0, 0, 1, 1], replace(CONFIG, mining="all"))
    assert metrics["loss"] == pytest.approx(2.5 - 2**0.5, abs=1e-5)
    assert metrics["active_fraction"] == 0.5
    assert metrics["positive_distance"] == pytest.approx(1.0, abs=1e-5)
    assert metrics["negative_distance"] == pytest.approx(2**0.5, abs=1e-5)


@pytest.mark.parametrize("mining", MINING_NAMES)
def test_images_of_the_rest_are_not_pulled_together(mining):
    """The class at one point, the rest opposite to it, far from each other: nothing is left to learn, although an image
    of the rest is nearer to the class than to another of the rest."""
    embeddings = np.array([[1.0, 0, 0], [1, 0, 0], [-0.5, 3, 0], [-0.5, -3, 0], [-0.5, 0, 3], [-0.5, 0, -3]])
    unknown = replace(CONFIG, mining=mining, one_vs_rest="1")
    metrics, gradient = step_on(embeddings, [1, 1, -1, -1, -1, -1], unknown)
    assert metrics["loss"] == metrics["active_fraction"] == 0
    assert not gradient.any()
    a_class = replace(unknown, rest_is_a_class=True)
    metrics, gradient = step_on(embeddings, [1, 1, 0, 0, 0, 0], a_class)
    assert metrics["loss"] > 0.3
    assert gradient[2:].any()


@pytest.mark.parametrize("mining", MINING_NAMES)
def test_a_rest_at_one_point_gets_no_gradient(mining):
    """Nor are two images of the rest pushed apart: they are not known to be different."""
    embeddings = np.array([[1.0, 0, 0], [1, 0, 0], [-1, 0, 0], [-1, 0, 0], [-1, 0, 0]])
    metrics, gradient = step_on(embeddings, [1, 1, -1, -1, -1], replace(CONFIG, mining=mining, one_vs_rest="1"))
    assert metrics["loss"] == 0
    assert not gradient.any()
    assert metrics["negative_distance"] == pytest.approx(2.0)  # between the class and the rest alone


def test_only_the_loss_has_a_gradient():
    embeddings = draw_embeddings([0, 0, 1, 1], 0)
    x = tf.Variable(embeddings, dtype=tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        metrics = TripletObjective(CONFIG, build_head("euclidean", 5))(x, {"labels": tf.constant([0, 0, 1, 1])})
    assert tape.gradient(metrics["loss"], x) is not None
    assert all(tape.gradient(metrics[name], x) is None for name in TripletObjective.names[1:])


@pytest.mark.parametrize("mining", MINING_NAMES)
@pytest.mark.parametrize("labels", [[1, 1, 1, 1], [-1, -1, -1, -1], [1, -1, -1, -1]])
def test_a_batch_without_a_triplet_is_finite(mining, labels):
    config = replace(CONFIG, mining=mining, one_vs_rest="1")
    metrics, gradient = step_on(draw_embeddings([0, 1, 2, 3], 1), labels, config)
    assert np.isfinite(list(metrics.values())).all()
    assert np.isfinite(gradient).all()
    assert metrics["active_fraction"] == 0


@pytest.mark.parametrize("margin", [0.5, "soft"])
@pytest.mark.parametrize("mining", MINING_NAMES)
def test_at_one_point_the_loss_is_the_margin(mining, margin):
    """`CollapseMonitor` relies on it; log 2 for a soft margin."""
    metrics, gradient = step_on(np.ones((6, 4)), [0, 0, 1, 1, 2, 2], replace(CONFIG, mining=mining, margin=margin))
    assert metrics["loss"] == pytest.approx(math.log(2) if margin == "soft" else 0.5, abs=1e-4)
    assert metrics["negative_distance"] < 1e-3
    assert np.isfinite(gradient).all()
