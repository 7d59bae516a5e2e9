import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.config.catalog import OBJECTIVES
from siamese_tf.config.rows import Objective
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.models.heads import build_head
from siamese_tf.training.embedding_objective import EmbeddingObjective, distinct_labels, unit


def spread_loss(config):
    """A toy loss: the sum of the embeddings times the number of different labels."""
    return lambda labels, embeddings: tf.reduce_sum(embeddings) * tf.cast(tf.size(tf.unique(labels).y), tf.float32)


@pytest.fixture
def step(monkeypatch):
    row = Objective(loss=f"{__name__}:spread_loss", reads="embeddings", head="cosine", batches="classes")
    monkeypatch.setitem(OBJECTIVES, "spread", row)
    return EmbeddingObjective(TrainConfig(objective="spread", head="cosine"), build_head("cosine", 2))


def test_the_loss_reads_unit_embeddings_and_distinct_labels(step):
    """(3, 4) and (0, 2) become (0.6, 0.8) and (0, 1) twice, which sum to 3.4; the labels 5, -1 and -1 are three."""
    embeddings = tf.constant([[3.0, 4], [0, 2], [0, 2]])
    metrics = step(embeddings, {"labels": tf.constant([5, -1, -1])})
    assert tuple(metrics) == step.names == ("loss",)
    assert float(metrics["loss"]) == pytest.approx(3 * 3.4)


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_each_image_of_unknown_class_gets_its_own_label(dtype):
    labels = distinct_labels(tf.constant([4, -1, 0, -1, -1], dtype))
    assert labels.dtype == dtype
    np.testing.assert_array_equal(labels, [4, -2, 0, -4, -5])


def test_an_embedding_of_zeros_stays_finite():
    np.testing.assert_allclose(unit(tf.constant([[0.0, 0], [0, -3]])), [[0, 0], [0, -1]])
