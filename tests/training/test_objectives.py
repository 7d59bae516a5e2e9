import inspect

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.config import HEAD_NAMES, OBJECTIVE_NAMES, TrainConfig
from siamese_tf.models.heads import HEADS
from siamese_tf.training.objectives import OBJECTIVES

CONFIG = TrainConfig(margin=1.0)


def loss_of(name, similarity, measure, config=CONFIG):
    return OBJECTIVES[name].loss(tf.constant(similarity, tf.float32), tf.constant(measure, tf.float32), config).numpy()


def test_the_table_has_what_the_config_allows():
    assert tuple(OBJECTIVES) == OBJECTIVE_NAMES
    assert tuple(HEADS) == HEAD_NAMES
    for objective in OBJECTIVES.values():
        assert objective.head in HEADS
        assert objective.measure in ("logit", "distance")


def test_the_heads_and_measures():
    assert {name: (objective.head, objective.measure) for name, objective in OBJECTIVES.items()} == {
        "bce": ("cosine", "logit"),
        "mse": ("cosine", "logit"),
        "contrastive": ("euclidean", "distance"),
    }


@pytest.mark.parametrize("name", OBJECTIVE_NAMES)
def test_a_head_has_what_every_objective_reads(name):
    """Row by row for listed pairs, as a matrix for all pairs."""
    for head in HEADS.values():
        for method in (OBJECTIVES[name].measure, f"{OBJECTIVES[name].measure}_matrix"):
            assert inspect.isfunction(getattr(head, method))


def test_pencil():
    """At p = 1/2: -log p = 0.6931 and (1 - p)^2 = 0.25, for both labels. At distance 0.4: 0.4^2 = 0.16 for a similar
    pair, (1 - 0.4)^2 = 0.36 for a dissimilar one, and (3 - 0.4)^2 = 6.76 with margin 3."""
    np.testing.assert_allclose(loss_of("bce", [1, 0], [0, 0]), [0.693147, 0.693147], rtol=1e-5)
    np.testing.assert_allclose(loss_of("mse", [1, 0], [0, 0]), [0.25, 0.25], rtol=1e-6)
    np.testing.assert_allclose(loss_of("contrastive", [1, 0], [0.4, 0.4]), [0.16, 0.36], rtol=1e-5)
    wide = loss_of("contrastive", [1, 0], [0.4, 0.4], TrainConfig(margin=3.0))
    np.testing.assert_allclose(wide, [0.16, 6.76], rtol=1e-5)


@pytest.mark.parametrize("name", OBJECTIVE_NAMES)
@pytest.mark.parametrize("shape", [(4,), (3, 4)])
def test_a_good_pair_costs_less_than_a_bad_one_and_every_pair_has_its_own_number(name, shape):
    alike, unlike = (2.0, -2.0) if OBJECTIVES[name].measure == "logit" else (0.1, 0.9)
    for label, good, bad in ((1, alike, unlike), (0, unlike, alike)):
        labels = np.full(shape, label)
        cheap, dear = (loss_of(name, labels, np.full(shape, measure)) for measure in (good, bad))
        assert cheap.shape == dear.shape == shape
        assert (cheap < dear).all()
        assert (cheap >= 0).all()
