import math

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.losses.triplet_sums import TripletSums, hinge_sums, softplus_sums


def reference(
    distances: np.ndarray, positive: np.ndarray, negative: np.ndarray, margin: float | None
) -> tuple[float, int, np.ndarray]:
    """Returns the hinge with a margin, log(1 + exp) without one."""
    total, active, gradient = 0.0, 0, np.zeros(distances.shape)
    for a in range(len(distances)):
        for p in np.flatnonzero(positive[a]):
            for n in np.flatnonzero(negative[a]):
                excess = float(distances[a, p] - distances[a, n])
                if margin is None:
                    loss, derivative = math.log1p(math.exp(excess)), 1 / (1 + math.exp(-excess))
                    active += excess > 0
                else:
                    loss, derivative = (excess + margin, 1.0) if excess + margin > 0 else (0.0, 0.0)
                    active += excess + margin > 0
                total += loss
                gradient[a, p] += derivative
                gradient[a, n] -= derivative
    return total, active, gradient


def sums(distances: np.ndarray, positive: np.ndarray, negative: np.ndarray, margin: float | None) -> TripletSums:
    if margin is None:
        return softplus_sums(tf.constant(distances), tf.constant(positive), tf.constant(negative))
    return hinge_sums(tf.constant(distances), tf.constant(positive), tf.constant(negative), margin)


def test_worked_example():
    # One anchor at 0, its positives at 2 and 5, the negatives at 1, 3 and 4; margin 1. The other rows have no positive.
    distances = np.zeros((6, 6))
    distances[0] = [0, 2, 5, 1, 3, 4]
    positive, negative = np.zeros((6, 6), bool), np.zeros((6, 6), bool)
    positive[0, 1:3], negative[0, 3:] = True, True
    # Positive 2 has limit 3: only negative 1 is below it, 2 - 1 + 1 = 2. Positive 5: all three, 5 + 3 + 2 = 10.
    total, active, gradient = sums(distances, positive, negative, 1.0)
    assert (float(total), int(active)) == (12.0, 4)
    np.testing.assert_array_equal(gradient[0], [0, 1, 3, -2, -1, -1])
    np.testing.assert_array_equal(gradient[1:], 0)


def test_worked_example_with_soft_margin():
    # A positive at 1, negatives at 1 and 0: log(1 + 1) and log(1 + e), gradients 1/2 and 1/(1 + 1/e).
    distances, positive, negative = np.zeros((3, 3)), np.zeros((3, 3), bool), np.zeros((3, 3), bool)
    distances[0], positive[0, 0], negative[0, 1:] = [1, 1, 0], True, True
    total, active, gradient = sums(distances, positive, negative, None)
    assert float(total) == pytest.approx(math.log(2) + math.log(1 + math.e))
    assert int(active) == 1
    derivative = 1 / (1 + 1 / math.e)
    np.testing.assert_allclose(gradient[0], [0.5 + derivative, -0.5, -derivative])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("margin", [0.0, 0.25, 1.0, 100.0, None])
def test_the_sums_equal_a_slow_reference(margin, dtype):
    """Covers asymmetric matrices, ties, and images that are neither positive nor negative."""
    rng = np.random.default_rng(6)
    for count in (1, 2, 7, 20):
        distances = (rng.integers(0, 17, (count, count)) / 8).astype(dtype)
        kind = rng.integers(0, 3, (count, count))
        total, active, gradient = sums(distances, kind == 1, kind == 2, margin)
        expected = reference(distances, kind == 1, kind == 2, margin)
        assert total.dtype == gradient.dtype == dtype
        assert active.dtype == tf.int64
        assert float(total) == pytest.approx(expected[0], rel=1e-6)
        assert int(active) == expected[1]
        np.testing.assert_allclose(gradient, expected[2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("margin", [1.0, None])
@pytest.mark.parametrize("kinds", [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2)])
def test_no_triplet_no_sum(margin, kinds):
    distances, kind = np.ones((3, 3), np.float32), np.tile(np.array([*kinds, 0]), (3, 1))
    total, active, gradient = sums(distances, kind == 1, kind == 2, margin)
    assert (float(total), int(active)) == (0.0, 0)
    np.testing.assert_array_equal(gradient, np.zeros((3, 3)))


def test_the_soft_sum_of_a_huge_excess_is_the_excess():
    distances = np.float32([[1000.0, 0.0], [0.0, 1000.0]])
    total, _, gradient = sums(distances, np.array([[True, False]] * 2), np.array([[False, True]] * 2), None)
    assert float(total) == 1000.0
    np.testing.assert_array_equal(gradient, [[1, -1], [0, 0]])


def test_the_count_is_exact_where_float32_is_not():
    # 300 anchors, 150 positives and 150 negatives each: 6,750,000 triplets.
    kind = np.tile(np.arange(300) % 2, (300, 1)).astype(bool)
    _, active, gradient = sums(np.zeros((300, 300), np.float32), kind, ~kind, 1.0)
    assert int(active) == 300 * 150 * 150
    np.testing.assert_array_equal(gradient, np.where(kind, 150, -150))
