import math

import numpy as np
import tensorflow as tf

from siamese_tf.losses.episode import episode_loss


def in_numpy(labels, logits):
    losses = []
    for anchor, label in enumerate(labels):
        negatives = [logits[anchor, other] for other in range(len(labels)) if labels[other] != label]
        for positive in range(len(labels)):
            if positive != anchor and labels[positive] == label and negatives:
                total = math.log(sum(math.exp(value) for value in negatives))
                losses.append(math.log(1 + math.exp(total - logits[anchor, positive])))
    return np.mean(losses) if losses else 0.0


def test_worked_example():
    """Anchor 0: negatives log(e^1 + e^0); positive 2. Anchor 1: negatives log(e^0 + e^0); positive 2."""
    logits = np.array([[9, 2, 1, 0], [2, 9, 0, 0], [1, 0, 9, 3], [0, 0, 3, 9]], np.float32)
    expected = [
        math.log(1 + (math.e + 1) / math.exp(2)),
        math.log(1 + 2 / math.exp(2)),
        math.log(1 + (math.e + 1) / math.exp(3)),
        math.log(1 + 2 / math.exp(3)),
    ]
    np.testing.assert_allclose(episode_loss(tf.constant([0, 0, 1, 1]), logits), np.mean(expected), rtol=1e-6)


def test_it_equals_the_slow_version_for_uneven_classes():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 17)
    logits = rng.normal(0, 4, (17, 17)).astype(np.float32)
    np.testing.assert_allclose(episode_loss(tf.constant(labels), logits), in_numpy(labels, logits), rtol=1e-5)


def test_it_is_the_cross_entropy_among_the_positive_and_the_negatives():
    logits = tf.constant([[0.0, 3.0, 1.0, -2.0]] * 4)
    labels = tf.constant([0, 0, 1, 2])
    chosen = -tf.nn.log_softmax([3.0, 1.0, -2.0])[0]
    other = -tf.nn.log_softmax([0.0, 1.0, -2.0])[0]
    np.testing.assert_allclose(episode_loss(labels, logits), (chosen + other) / 2, rtol=1e-6)


def test_without_a_positive_or_a_negative_it_is_zero_with_finite_gradients():
    for labels in ([0, 1, 2], [0, 0, 0]):
        logits = tf.Variable(np.full((3, 3), 50.0, np.float32))
        with tf.GradientTape() as tape:
            loss = episode_loss(tf.constant(labels), logits)
        assert float(loss) == 0
        assert np.isfinite(tape.gradient(loss, logits)).all()


def test_extreme_logits_give_finite_losses_and_gradients():
    logits = tf.Variable(np.array([[0, -1e4, 1e4], [-1e4, 0, 1e4], [1e4, 1e4, 0]], np.float32))
    with tf.GradientTape() as tape:
        loss = episode_loss(tf.constant([0, 0, 1]), logits)
    np.testing.assert_allclose(loss, 2e4)
    assert np.isfinite(tape.gradient(loss, logits)).all()
