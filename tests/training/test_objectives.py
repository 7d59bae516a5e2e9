from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.config.catalog import HEADS, OBJECTIVES
from siamese_tf.config.rows import Objective
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.models.heads import build_head
from siamese_tf.training.embedding_objective import EmbeddingObjective
from siamese_tf.training.episode_objective import EpisodeObjective
from siamese_tf.training.objectives import build_step
from siamese_tf.training.pair_objective import PairObjective
from siamese_tf.training.triplet_objective import TripletObjective

CONFIGS = {name: TrainConfig(objective=name, head="euclidean") for name in OBJECTIVES}
CONFIGS |= {name: replace(CONFIGS[name], margin=1.0) for name in ("contrastive", "triplet")}
CONFIGS["triplet"] = replace(CONFIGS["triplet"], losses="native")
MEASURES = {"bce": "logit", "mse": "logit", "contrastive": "distance"}


def step_of(name, config=None, head="euclidean"):
    return build_step(config or CONFIGS[name], build_head(head, 4))


def loss_of(name, similarity, measure, config=None):
    return step_of(name, config).loss(tf.constant(similarity, tf.float32), tf.constant(measure, tf.float32)).numpy()


def test_the_heads_the_margins_and_the_steps():
    assert {name: (row.head, row.margins) for name, row in OBJECTIVES.items()} == {
        "bce": ("cosine", {}),
        "mse": ("cosine", {}),
        "contrastive": ("cosine", {"cosine": 0.5, "euclidean": 1.0, "concat": 1.0, "weighted_l1": 1.0}),
        "triplet": ("euclidean", {"euclidean": 0.5, "cosine": 0.5}),
        "episode": ("cosine", {}),
    }
    steps = {name: step_of(name) for name in OBJECTIVES}
    assert {name: type(step) for name, step in steps.items()} == dict.fromkeys(MEASURES, PairObjective) | {
        "triplet": TripletObjective,
        "episode": EpisodeObjective,
    }
    assert all(step.names[0] == "loss" for step in steps.values())


def test_a_row_without_a_step_gets_one_by_what_its_loss_reads(monkeypatch):
    loss = OBJECTIVES["triplet"].loss
    monkeypatch.setitem(OBJECTIVES, "plain", Objective(loss=loss, reads="embeddings", head="euclidean"))
    monkeypatch.setitem(OBJECTIVES, "pairs", replace(OBJECTIVES["bce"], reads="distance"))
    assert type(step_of("plain", TrainConfig(objective="plain", head="euclidean"))) is EmbeddingObjective
    assert type(step_of("pairs", TrainConfig(objective="pairs"))) is PairObjective


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize(("objective", "measure"), MEASURES.items())
def test_a_loss_on_pairs_reads_the_distance_or_the_logit_of_the_head(objective, measure, name):
    """Row by row for listed pairs, as a matrix for all pairs."""
    head = build_head(name, 4)
    step = build_step(CONFIGS[objective], head)
    assert step.paired == getattr(head, measure)
    assert step.matrix == getattr(head, f"{measure}_matrix")


def test_pencil():
    """At p = 1/2: -log p = 0.6931 and (1 - p)^2 = 0.25, for both labels. At distance 0.4: 0.4^2 = 0.16 for a similar
    pair, (1 - 0.4)^2 = 0.36 for a dissimilar one, and (3 - 0.4)^2 = 6.76 with margin 3."""
    np.testing.assert_allclose(loss_of("bce", [1, 0], [0, 0]), [0.693147, 0.693147], rtol=1e-5)
    np.testing.assert_allclose(loss_of("mse", [1, 0], [0, 0]), [0.25, 0.25], rtol=1e-6)
    np.testing.assert_allclose(loss_of("contrastive", [1, 0], [0.4, 0.4]), [0.16, 0.36], rtol=1e-5)
    wide = loss_of("contrastive", [1, 0], [0.4, 0.4], TrainConfig(margin=3.0, head="euclidean"))
    np.testing.assert_allclose(wide, [0.16, 6.76], rtol=1e-5)


@pytest.mark.parametrize(("name", "measure"), MEASURES.items())
@pytest.mark.parametrize("shape", [(4,), (3, 4)])
def test_a_good_pair_costs_less_than_a_bad_one_and_every_pair_has_its_own_loss(name, measure, shape):
    alike, unlike = (2.0, -2.0) if measure == "logit" else (0.1, 0.9)
    for label, good, bad in ((1, alike, unlike), (0, unlike, alike)):
        labels = np.full(shape, label)
        low, high = (loss_of(name, labels, np.full(shape, value)) for value in (good, bad))
        assert low.shape == high.shape == shape
        assert (low < high).all()
        assert (low >= 0).all()


def test_a_good_batch_of_triplets_costs_less_than_a_bad_one():
    batch = {"labels": tf.constant([0, 0, 1, 1])}
    good = tf.constant([[1.0, 0, 0, 0], [1, 0.1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0.1]])
    bad = tf.gather(good, [0, 2, 1, 3])
    low, high = (float(step_of("triplet")(embeddings, batch)["loss"]) for embeddings in (good, bad))
    assert 0 <= low < high
