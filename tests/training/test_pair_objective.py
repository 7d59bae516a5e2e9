from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.catalog import HEADS, OBJECTIVES
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.models.heads import build_head
from siamese_tf.training.pair_objective import PairObjective

CONFIG = TrainConfig(margin=0.8)


def config_of(objective, **more):
    return TrainConfig(objective=objective, margin=0.8 if objective == "contrastive" else None, **more)


PAIR_OBJECTIVES = tuple(name for name, row in OBJECTIVES.items() if row.reads in ("distance", "logit"))


def step_of(config, head):
    return PairObjective(config, head)


def loss_of(config, head, batch):
    embeddings = tf.constant(batch["embeddings"], tf.float32)
    metrics = step_of(config, head)(embeddings, {name: tf.constant(array) for name, array in batch.items()})
    assert list(metrics) == ["loss"]
    assert metrics["loss"].shape == ()
    return float(metrics["loss"])


def batch_of(labels, index, seed=0):
    """A batch of pairs of images with random embeddings: the same image, the same embedding."""
    labels, index = np.asarray(labels), np.asarray(index, np.int32)
    half = len(labels) // 2
    return {
        "embeddings": np.random.default_rng(seed).normal(size=(100, 4))[index],
        "labels": labels,
        "index": index,
        "similarity": (labels[:half] == labels[half:]).astype(np.float32),
    }


@pytest.fixture(scope="module")
def batch():
    """16 pairs of 32 images of three classes; some images occur twice."""
    index = np.random.default_rng(3).integers(0, 25, 32)
    assert len(set(index)) < 32
    return batch_of(index % 3, index)


def loss_by_hand(head, name, objective, first, second, similarity):
    """The loss of each pair of (m, d) embeddings, by NumPy from the formulas of the papers."""
    if name in ("concat", "weighted_l1"):
        x = np.concatenate([first, second], axis=1) if name == "concat" else np.abs(first - second)
        for layer in head.layers:
            kernel, bias = layer.get_weights()
            x = x @ kernel + bias
            x = x if layer is head.layers[-1] else np.maximum(x, 0)
        logit = x[:, 0]
        distance = np.log1p(np.exp(-logit))
    else:
        first, second = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second))
        cosine = np.sum(first * second, axis=1)
        distance = 1 - cosine if name == "cosine" else np.linalg.norm(first - second, axis=1)
        scale = 10.0 if name == "cosine" else 5.0
        logit = 5.0 - scale * distance
    p = 1 / (1 + np.exp(-logit))
    if objective == "bce":
        return -similarity * np.log(p) - (1 - similarity) * np.log(1 - p)
    if objective == "mse":
        return (similarity - p) ** 2
    return similarity * distance**2 + (1 - similarity) * np.maximum(0.8 - distance, 0) ** 2


@pytest.fixture(scope="module", params=HEADS)
def head(request):
    keras.utils.set_random_seed(0)
    return request.param, build_head(request.param, 4)


@pytest.mark.parametrize("objective", PAIR_OBJECTIVES)
def test_the_loss_on_listed_pairs_is_the_mean_over_them(head, batch, objective):
    name, layer = head
    similarity = batch["similarity"]
    expected = loss_by_hand(layer, name, objective, *np.split(batch["embeddings"], 2), similarity).mean()
    assert 0 < similarity.mean() < 1
    config = config_of(objective, pairs_per_step="listed")
    np.testing.assert_allclose(loss_of(config, layer, batch), expected, rtol=1e-4)


def all_pairs_by_hand(head, name, objective, batch):
    """Half the mean over similar pairs plus half the mean over dissimilar ones, pair after pair."""
    labels, index, embeddings = batch["labels"], batch["index"], batch["embeddings"]
    losses = {0: [], 1: []}
    for i in range(len(labels)):
        for j in range(len(labels)):
            if index[i] == index[j] or (labels[i] == -1 and labels[j] == -1):
                continue
            same = int(labels[i] == labels[j])
            pair = embeddings[i : i + 1], embeddings[j : j + 1]
            losses[same].append(loss_by_hand(head, name, objective, *pair, np.array([same]))[0])
    return sum(np.mean(kind) for kind in losses.values() if kind) / 2


@pytest.mark.parametrize("objective", PAIR_OBJECTIVES)
def test_the_loss_on_all_pairs_weighs_both_kinds_alike(head, batch, objective):
    name, layer = head
    expected = all_pairs_by_hand(layer, name, objective, batch)
    np.testing.assert_allclose(loss_of(config_of(objective), layer, batch), expected, rtol=1e-3)


@pytest.mark.parametrize("objective", PAIR_OBJECTIVES)
def test_two_images_of_the_rest_are_neither_similar_nor_dissimilar(head, batch, objective):
    """Labels 1 and -1 of one class against the rest; with the rest as a class, the loss differs."""
    name, layer = head
    unknown = batch | {"labels": np.where(batch["labels"] == 1, 1, -1)}
    config = config_of(objective)
    loss = loss_of(config, layer, unknown)
    np.testing.assert_allclose(loss, all_pairs_by_hand(layer, name, objective, unknown), rtol=1e-3)
    as_a_class = unknown | {"labels": np.where(batch["labels"] == 1, 1, 0)}
    assert abs(loss - loss_of(config, layer, as_a_class)) > 1e-3


def test_pencil():
    """Squared distances of the corners of a square: 2 between neighbours, 4 across. The class: (1, 0) and (0, 1),
    2 apart. The rest: (-1, 0) and (0, -1). Margin 2: class to rest (2 - sqrt 2)^2 for neighbours, 0 across.
    Pairs within the rest are not counted."""
    batch = batch_of([1, 1, -1, -1], [0, 1, 2, 3])
    batch["embeddings"] = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], float)
    config = TrainConfig(objective="contrastive", margin=2.0)
    dissimilar = (0 + (2 - 2**0.5) ** 2 + (2 - 2**0.5) ** 2 + 0) / 4  # (0, 2), (0, 3), (1, 2), (1, 3)
    np.testing.assert_allclose(loss_of(config, build_head("euclidean", 2), batch), (2 + dissimilar) / 2, rtol=1e-5)


@pytest.mark.parametrize("objective", PAIR_OBJECTIVES)
def test_a_batch_of_the_rest_alone_has_no_loss_and_no_gradient(objective):
    batch = batch_of([-1] * 8, range(8))
    embeddings = tf.Variable(batch["embeddings"], dtype=tf.float32)
    step = step_of(config_of(objective), build_head("euclidean", 4))
    with tf.GradientTape() as tape:
        loss = step(embeddings, {name: tf.constant(array) for name, array in batch.items()})["loss"]
    assert float(loss) == 0
    assert not np.any(tape.gradient(loss, embeddings))


def test_an_image_with_itself_is_not_counted():
    """Every image is the same: no pair is left, whatever the labels."""
    for labels in ([0] * 8, [0, 1] * 4):
        assert loss_of(config_of("mse"), build_head("cosine", 4), batch_of(labels, [7] * 8)) == 0


def test_a_listed_pair_needs_no_labels_and_all_pairs_do_not_read_the_listed_similarity(batch):
    head = build_head("euclidean", 4)
    other_labels = batch | {"labels": batch["labels"] * 0 - 1}
    other_similarity = batch | {"similarity": 1 - batch["similarity"]}
    losses = {
        (per_step, name): loss_of(replace(CONFIG, pairs_per_step=per_step), head, these)
        for per_step in ("all", "listed")
        for name, these in (("right", batch), ("labels", other_labels), ("similarity", other_similarity))
    }
    assert losses["listed", "right"] == losses["listed", "labels"] != losses["listed", "similarity"]
    assert losses["all", "right"] == losses["all", "similarity"] != losses["all", "labels"]
