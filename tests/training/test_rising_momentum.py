import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.training.rising_momentum import RisingMomentum


def optimizer_of(weights, epochs=3, rate=0.1):
    optimizer = RisingMomentum(rate, 0.5, 0.9, steps_per_epoch=2, epochs=epochs)
    optimizer.build(weights)
    return optimizer


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(1, [0.5, 0.5]), (2, [0.5, 0.5, *[0.9] * 6]), (3, [0.5, 0.5, 0.7, 0.7, 0.9, 0.9, 0.9, 0.9])],
)
def test_the_momentum_rises_from_epoch_to_epoch(epochs, expected):
    optimizer = optimizer_of([tf.Variable(0.0)], epochs)
    found = [float(optimizer.momentum_at(tf.constant(step, tf.int64))) for step in range(len(expected))]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_traced_step_equals_the_formula_of_classical_momentum():
    """Reference: v = m v - rate * gradient, and the weight goes by v."""
    weights = [tf.Variable(1.0), tf.Variable([2.0, -3.0])]
    optimizer = optimizer_of(weights)
    apply = tf.function(lambda *gradients: optimizer.apply_gradients(zip(gradients, weights, strict=True)))
    rng = np.random.default_rng(0)
    places, velocities = [np.array(1.0), np.array([2.0, -3.0])], [0.0, 0.0]
    for momentum in (0.5, 0.5, 0.7, 0.7, 0.9, 0.9):
        gradients = [rng.normal(size=place.shape).astype(np.float32) for place in places]
        apply(*map(tf.constant, gradients))
        velocities = [momentum * v - 0.1 * gradient for v, gradient in zip(velocities, gradients, strict=True)]
        places = [place + v for place, v in zip(places, velocities, strict=True)]
        for weight, place in zip(weights, places, strict=True):
            np.testing.assert_allclose(weight.numpy(), place, rtol=1e-5)
