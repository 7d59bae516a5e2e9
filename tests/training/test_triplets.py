import importlib.util
import itertools
import warnings
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.config.train_config import MINING_NAMES, TrainConfig
from siamese_tf.data.sampling.class_batches import class_batches
from siamese_tf.errors import ConfigError
from siamese_tf.losses.triplet import triplet_batch_all_loss, triplet_hard_loss, triplet_semihard_loss
from siamese_tf.models.heads import build_head
from siamese_tf.training.triplet_objective import TripletObjective
from siamese_tf.training.triplets import ADDONS, losses_from, triplet_loss, triplet_metric, triplet_record

CONFIG = TrainConfig(objective="triplet", head="euclidean", margin=0.5, losses="native")
INSTALLED = importlib.util.find_spec(ADDONS) is not None
needs_addons = pytest.mark.skipif(not INSTALLED, reason="TensorFlow Addons is not installed")

ALL, REST_UNKNOWN, REST_A_CLASS = (
    {},
    {"one_vs_rest": "7"},
    {"one_vs_rest": "7", "rest_is_a_class": True},
)
KINDS = {"all classes": ALL, "rest unknown": REST_UNKNOWN, "rest a class": REST_A_CLASS}
# The losses that Addons does not have, by (mining, soft, kind of labels).
MISSING = {
    **{("all", soft, kind): "batch-all loss" for soft in (False, True) for kind in KINDS},
    **{("semi-hard", True, kind): "semi-hard loss with a soft margin" for kind in KINDS},
    **{("hard", soft, "rest unknown"): "hard loss without anchors of unknown class" for soft in (False, True)},
}
TABLE = list(itertools.product(MINING_NAMES, (False, True), KINDS))


@pytest.fixture(params=[True, False], ids=["with Addons", "without Addons"])
def installed(request, monkeypatch):
    look = importlib.util.find_spec

    def find_spec(name, *package):
        return (object() if request.param else None) if name == ADDONS else look(name, *package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    return request.param


@pytest.mark.parametrize(("mining", "soft", "kind"), TABLE)
def test_the_implementation_of_the_loss(mining, soft, kind, installed):
    config = TrainConfig(objective="triplet", mining=mining, margin="soft" if soft else 0.2, **KINDS[kind])
    missing = MISSING.get((mining, soft, kind))
    assert losses_from(replace(config, losses="native")) == "native"
    assert losses_from(config) == ("addons" if installed and missing is None else "native")
    assert losses_from(replace(config, losses="auto")) == losses_from(config)
    asked = replace(config, losses="addons")
    if installed and missing is None:
        assert losses_from(asked) == "addons"
        return
    reason = f"TensorFlow Addons has no {missing}" if missing else "TensorFlow Addons is not installed"
    with pytest.raises(ConfigError) as caught:
        losses_from(asked)
    hint = "Use 'native'" if missing else "Use 'native', which gives the same values"
    assert str(caught.value) == f"losses must be 'native' here; got 'addons': {reason}. {hint}"


@pytest.mark.parametrize(("classes", "images", "groups"), [(16, 8, None), (16, 9, None), (8, 8, 2), (8, 8, 3)])
def test_large_batches_use_the_losses_of_this_project_unless_addons_is_set(classes, images, groups, installed):
    shape = {"classes_per_batch": classes, "images_per_class": images, "groups_per_batch": groups}
    config = replace(CONFIG, losses="auto", batch_within="group" if groups else None, **shape)
    small = classes * images * (groups or 1) <= 128
    assert losses_from(config) == ("addons" if installed and small else "native")
    if installed:
        assert losses_from(replace(config, losses="addons")) == "addons"


def test_the_table_has_both_kinds_of_row():
    assert 0 < len(MISSING) == 11 < len(TABLE) == 18


def test_the_loss_is_that_of_this_environment():
    """Without the fixture: Addons is installed, or it is not."""
    assert losses_from(CONFIG) == "native"
    assert losses_from(replace(CONFIG, losses=None)) == ("addons" if INSTALLED else "native")


# The native losses get the margin, the soft margin and the head of the config.


@pytest.fixture(scope="module")
def batch():
    """(labels, unit embeddings) of a batch of 5 classes with 6 images each, drawn as in training."""
    rng = np.random.default_rng(4)
    classes = rng.integers(0, 8, 200)
    labels = classes[next(class_batches(classes, 5, 6, seed=4))]
    embeddings = rng.normal(size=(8, 16))[labels] + 1.5 * rng.normal(size=(30, 16))
    return tf.constant(labels), tf.math.l2_normalize(tf.constant(embeddings, tf.float32), axis=1)


@pytest.mark.parametrize("head", ["euclidean", "cosine"])
@pytest.mark.parametrize("margin", [0.3, "soft"])
def test_the_native_losses(batch, head, margin):
    labels, embeddings = batch
    config = replace(CONFIG, head=head, margin=margin)
    keywords = {
        "margin": config.numeric_margin,
        "soft": config.soft,
        "distance_metric": {"euclidean": "L2", "cosine": "angular"}[head],
    }
    for mining, loss in zip(
        MINING_NAMES, (triplet_semihard_loss, triplet_hard_loss, triplet_batch_all_loss), strict=True
    ):
        expected = float(loss(labels, embeddings, **keywords))
        assert float(triplet_loss(replace(config, mining=mining))(labels, embeddings)) == expected > 0


def test_the_metric_is_that_of_the_head():
    assert {name: triplet_metric(replace(CONFIG, head=name)) for name in ("euclidean", "cosine")} == {
        "euclidean": "L2",
        "cosine": "angular",
    }


def test_the_distance_of_a_head_is_the_metric_of_the_loss(batch):
    for name in ("euclidean", "cosine"):
        distances = build_head(name, 16).distance_matrix(batch[1], batch[1])
        config = replace(CONFIG, head=name, mining="all", margin=100.0)  # above every distance: every triplet is active
        near, far = (distances[0, 1], distances[0, 6])
        one = tf.gather(batch[1], [0, 1, 6])
        # anchors 0 and 1, one triplet each
        expected = (near - far + near - distances[1, 6]) / 2 + 100
        assert float(triplet_loss(config)([0, 0, 1], one)) == pytest.approx(float(expected), abs=1e-3), triplet_metric(
            config
        )


@pytest.mark.parametrize("margin", [0.3, "soft"])
def test_with_the_rest_unknown_only_images_of_the_class_are_anchors_of_the_hard_loss(margin):
    """At right angles, two of the class c and two of the rest: (1, 0), (0, 1) and (-1, 0), (0, -1). The anchors of c
    have their positive at sqrt 2 and their nearest negative at sqrt 2. An anchor of the rest would cost more than 0 at
    a hinge of 0.3 only where it had a positive."""
    config = replace(CONFIG, mining="hard", margin=margin, one_vs_rest="7")
    embeddings = tf.constant([[1.0, 0], [0, 1], [-1, 0], [0, -1], [0, -1]])
    labels = tf.constant([1, 1, -1, -2, -3])
    cost = np.log(2) if margin == "soft" else 0.3
    assert float(triplet_loss(config)(labels, embeddings)) == pytest.approx(cost, rel=1e-5)
    all_anchors = float(triplet_loss(replace(config, one_vs_rest=None))(labels, embeddings))
    assert all_anchors != pytest.approx(cost, rel=1e-2)


# Addons.


def loss_and_gradient(config, labels, embeddings):
    """Computed by the step of a run."""
    x = tf.Variable(embeddings)
    step = TripletObjective(config, build_head(config.head, x.shape[1]))
    with tf.GradientTape() as tape:
        loss = step(x, {"labels": labels})["loss"]
    return float(loss), tf.convert_to_tensor(tape.gradient(loss, x)).numpy()


@needs_addons
@pytest.mark.parametrize("head", ["euclidean", "cosine"])
@pytest.mark.parametrize(("mining", "soft", "kind"), [row for row in TABLE if row not in MISSING])
def test_addons_and_native_are_the_same(batch, mining, soft, kind, head):
    labels, embeddings = batch
    if kind != "all classes":
        labels = tf.where(labels == labels[0], 1, -1 if kind == "rest unknown" else 0)
    margin = "soft" if soft else 0.5
    config = replace(CONFIG, mining=mining, margin=margin, head=head, **KINDS[kind])
    native, gradient = loss_and_gradient(config, labels, embeddings)
    addons, expected = loss_and_gradient(replace(config, losses="addons"), labels, embeddings)
    assert native == pytest.approx(addons, abs=1e-5)
    assert native > 0.01
    np.testing.assert_allclose(gradient, expected, atol=1e-5)
    assert np.abs(expected).max() > 1e-3


@needs_addons
def test_the_loss_of_addons_is_called_and_gives_no_warning(batch, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        triplet_loss(replace(CONFIG, losses="addons"))
    called = []
    monkeypatch.setattr(f"{ADDONS}.losses.triplet_semihard_loss", lambda *args: called.append(args) or tf.constant(0.0))
    monkeypatch.setattr(f"{ADDONS}.losses.triplet_hard_loss", lambda *args: called.append(args) or tf.constant(0.0))
    labels, embeddings = batch
    triplet_loss(replace(CONFIG, losses="addons", head="cosine"))(labels, embeddings)
    triplet_loss(replace(CONFIG, losses="addons", mining="hard", margin="soft"))(labels, embeddings)
    semihard, hard = (list(args[2:]) for args in called)
    assert semihard == [0.5, "angular"]
    assert hard == [0.0, True, "L2"]


def test_native_needs_no_addons(monkeypatch, batch):
    import sys

    monkeypatch.setitem(sys.modules, ADDONS, None)  # an import of it fails
    for mining in MINING_NAMES:
        assert float(triplet_loss(replace(CONFIG, mining=mining))(*batch)) > 0


def test_the_record_has_the_triplets_of_a_step(quarters, run_of):
    config = replace(CONFIG, mining="hard", classes_per_batch=3, images_per_class=4)
    assert triplet_record(config, run_of(quarters)) == {
        "mining": "hard",
        "margin": 0.5,
        "losses": "native",
        "classes_per_batch": 3,
        "images_per_class": 4,
        "short_classes": 1,  # the last class has 3 training images
    }
