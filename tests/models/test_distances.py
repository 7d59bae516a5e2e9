import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.models.distances import (
    cosine_distance,
    cosine_distance_matrix,
    euclidean_distance,
    euclidean_distance_matrix,
)


def unit_rows(count: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 7)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def euclidean_twin(a: np.ndarray, b: np.ndarray) -> float:
    return float(sum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5)


def cosine_twin(a: np.ndarray, b: np.ndarray) -> float:
    return 1.0 - sum(float(x) * float(y) for x, y in zip(a, b, strict=True))


EACH = [
    pytest.param(euclidean_distance, euclidean_distance_matrix, euclidean_twin, id="euclidean"),
    pytest.param(cosine_distance, cosine_distance_matrix, cosine_twin, id="cosine"),
]


def test_pencil_euclidean():
    # (3, 4) from (0, 0): 5. (1, 1) from (1, 3): 2.
    a, b = tf.constant([[3.0, 4.0], [1.0, 1.0]]), tf.constant([[0.0, 0.0], [1.0, 3.0]])
    np.testing.assert_allclose(euclidean_distance(a, b), [5, 2])
    np.testing.assert_allclose(euclidean_distance_matrix(a, b), [[5, 5**0.5], [2**0.5, 2]], rtol=1e-6)


def test_pencil_cosine():
    # The same way: 0. At right angles: 1. The other way: 2.
    a, b = tf.constant([[1.0, 0.0]] * 3), tf.constant([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    np.testing.assert_allclose(cosine_distance(a, b), [0, 1, 2])
    np.testing.assert_allclose(cosine_distance_matrix(a, b), [[0, 1, 2]] * 3)


@pytest.mark.parametrize(("rows", "matrix", "twin"), EACH)
def test_rows_and_matrix_are_the_slow_twin(rows, matrix, twin):
    a, b = unit_rows(6, seed=1), unit_rows(6, seed=2)
    np.testing.assert_allclose(rows(a, b), [twin(x, y) for x, y in zip(a, b, strict=True)], atol=1e-5)
    np.testing.assert_allclose(matrix(a, b[:4]), [[twin(x, y) for y in b[:4]] for x in a], atol=1e-5)


def test_identical_rows_have_the_smallest_distance_and_no_slope():
    rows = tf.Variable(unit_rows(3, seed=3))
    with tf.GradientTape() as tape:
        distance = euclidean_distance(rows, tf.identity(rows))
    np.testing.assert_allclose(distance, [1e-6] * 3)
    np.testing.assert_array_equal(tape.gradient(distance, rows), np.zeros((3, 7)))


def test_identical_rows_in_the_matrix_are_near_nothing_with_a_finite_slope():
    rows = tf.Variable(np.repeat(unit_rows(2, seed=4), 3, axis=0))
    with tf.GradientTape() as tape:
        distance = euclidean_distance_matrix(rows, rows)
    same = np.kron(np.eye(2), np.ones((3, 3))) == 1
    assert distance.numpy()[same].max() < 5e-4
    assert distance.numpy()[~same].min() > 0.1
    assert np.isfinite(tape.gradient(distance, rows)).all()


def test_in_float64_nothing_that_counts_cancels():
    rows = unit_rows(200, seed=5)
    near = rows + np.float32(1e-4) * unit_rows(200, seed=6)
    for other in (rows, near):
        distance = euclidean_distance_matrix(tf.constant(rows, tf.float64), tf.constant(other, tf.float64))
        np.testing.assert_allclose(np.diag(distance), euclidean_distance(rows, other), atol=1e-7)


@pytest.mark.parametrize(("rows", "matrix", "twin"), EACH)
def test_no_rows_give_no_distances(rows, matrix, twin):
    assert rows(tf.zeros((0, 7)), tf.zeros((0, 7))).shape == (0,)
    assert matrix(tf.zeros((0, 7)), tf.zeros((0, 7))).shape == (0, 0)
