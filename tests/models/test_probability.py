import numpy as np

from siamese_tf.models.probability import probability


def test_worked_example():
    # log 3: 3 / (3 + 1).
    np.testing.assert_allclose(probability(np.array([0, np.log(3), -np.log(3)])), [0.5, 0.75, 0.25])
    np.testing.assert_array_equal(probability(np.array([1e4, -1e4])), [1, 0])
