import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.losses.episode import episode_loss
from siamese_tf.models.heads import build_head
from siamese_tf.training.episode_objective import EpisodeObjective

CONFIG = TrainConfig(objective="episode", batch_within="group", groups_per_batch=2)


@pytest.mark.parametrize("head", ["cosine", "euclidean"])
def test_the_loss_is_the_mean_over_the_parts_of_a_batch(head):
    built = build_head(head, 3)
    embeddings = tf.constant(np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32))
    labels = tf.constant([0, 0, 1, 1, 5, 5, 2, 2])
    step = EpisodeObjective(CONFIG, built)
    assert step.names == ("loss",)
    parts = [
        episode_loss(labels[rows], built.logit_matrix(embeddings[rows], embeddings[rows]))
        for rows in (slice(4), slice(4, 8))
    ]
    np.testing.assert_allclose(step(embeddings, {"labels": labels})["loss"], np.mean(parts), rtol=1e-6)


def test_images_of_unknown_classes_are_no_positives_of_each_other():
    built = build_head("cosine", 2)
    embeddings = tf.constant([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    one_part = TrainConfig(objective="episode")
    assert float(EpisodeObjective(one_part, built)(embeddings, {"labels": tf.constant([-1, -1, 3])})["loss"]) == 0


def test_the_scale_of_the_head_is_trained():
    built = build_head("cosine", 3)
    embeddings = tf.constant(np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32))
    with tf.GradientTape() as tape:
        loss = EpisodeObjective(CONFIG, built)(embeddings, {"labels": tf.constant([0, 0, 1, 1, 5, 5, 2, 2])})["loss"]
    assert abs(float(tape.gradient(loss, built.scale))) > 1e-6
