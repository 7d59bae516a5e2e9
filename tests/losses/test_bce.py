import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.losses.bce import binary_cross_entropy


def reference(similarity: np.ndarray, logit: np.ndarray) -> np.ndarray:
    losses = []
    for y, z in zip(similarity, logit, strict=True):
        p = 1.0 / (1.0 + np.exp(-z))
        losses.append(-np.log(p) if y == 1 else -np.log(1.0 - p))
    return np.array(losses)


def test_worked_example():
    # logit 0 is p = 1/2: -log(1/2) = log 2 either way. logit log 3 is p = 3/4: -log(3/4) if same, -log(1/4) if not.
    logit = tf.constant([0.0, 0.0, np.log(3.0), np.log(3.0)], tf.float32)
    loss = binary_cross_entropy(tf.constant([1, 0, 1, 0]), logit)
    np.testing.assert_allclose(loss, [np.log(2), np.log(2), np.log(4 / 3), np.log(4)], rtol=1e-6)


def test_the_loss_equals_a_slow_reference_and_that_of_keras():
    rng = np.random.default_rng(1)
    similarity, logit = rng.integers(0, 2, 200, dtype=np.uint8), rng.normal(0, 4, 200).astype(np.float32)
    loss = binary_cross_entropy(similarity, tf.constant(logit)).numpy()
    np.testing.assert_allclose(loss, reference(similarity, logit.astype(np.float64)), rtol=1e-5, atol=1e-5)
    from_keras = keras.losses.BinaryCrossentropy(from_logits=True)(similarity.astype(np.float32), logit)
    assert loss.mean() == pytest.approx(float(from_keras), rel=1e-5)


def test_the_shape_is_preserved():
    assert binary_cross_entropy(tf.zeros((3, 3), tf.uint8), tf.zeros((3, 3))).shape == (3, 3)


def test_a_logit_of_any_size_gives_a_finite_loss_and_gradient():
    logit = tf.Variable([1e4, -1e4, 1e4, -1e4])
    with tf.GradientTape() as tape:
        loss = binary_cross_entropy(tf.constant([1, 0, 0, 1]), logit)
    np.testing.assert_allclose(loss, [0, 0, 1e4, 1e4])
    np.testing.assert_allclose(tape.gradient(loss, logit), [0, 0, 1, -1])


def test_better_logits_lower_the_loss():
    logits = tf.constant([-2.0, -1.0, 0.0, 1.0, 2.0])
    same, different = (binary_cross_entropy(tf.fill([5], y), logits).numpy() for y in (1, 0))
    assert (np.diff(same) < 0).all()
    assert (np.diff(different) > 0).all()


def test_identical_embeddings_give_finite_loss_and_gradients(values_at_identical_embeddings):
    numbers = values_at_identical_embeddings(binary_cross_entropy, "logit")
    assert len(numbers) > 2
    assert all(np.isfinite(array).all() for array in numbers)
