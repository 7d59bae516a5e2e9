import math

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.losses.labeled_batch import METRICS, batch_distances, relabel_classes, triplet_masks


def reference(a: np.ndarray, b: np.ndarray, metric: str) -> float:
    if metric == "angular":
        return 1.0 - float(a @ b) / (math.hypot(*a) * math.hypot(*b))
    squared = sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    return squared if metric == "squared-L2" else math.sqrt(squared)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        # (3, 0) and (0, 4) are the short sides of a triangle; (-6, 0) lies opposite to (3, 0).
        ("L2", [[0, 5, 9], [5, 0, math.sqrt(52)], [9, math.sqrt(52), 0]]),
        ("squared-L2", [[0, 25, 81], [25, 0, 52], [81, 52, 0]]),
        ("angular", [[0, 1, 2], [1, 0, 1], [2, 1, 0]]),
    ],
)
def test_worked_example(metric, expected):
    distances = batch_distances(tf.constant([[3.0, 0.0], [0.0, 4.0], [-6.0, 0.0]]), metric)
    np.testing.assert_allclose(distances, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("metric", METRICS)
def test_values_equal_a_slow_reference(metric, dtype):
    x = tf.cast(np.random.default_rng(7).normal(0, 3, (9, 5)), dtype)
    distances = batch_distances(x, metric)
    exact = tf.cast(x, tf.float64).numpy()
    assert distances.dtype == ("float64" if dtype == "float64" else "float32")
    np.testing.assert_allclose(
        distances, [[reference(a, b, metric) for b in exact] for a in exact], rtol=1e-6, atol=2e-6
    )


@pytest.mark.parametrize("metric", METRICS)
def test_duplicates_are_at_distance_0(metric):
    x = np.random.default_rng(8).normal(0, 10, (6, 128)).astype(np.float32)
    distances = batch_distances(tf.constant(np.concatenate([x, x])), metric).numpy()
    duplicates = np.concatenate([np.diag(distances), np.diag(distances, 6)])
    assert (duplicates >= 0).all()
    assert duplicates.max() < 1e-5  # products in float32 leave 0.01 and more


@pytest.mark.parametrize("metric", METRICS)
def test_the_gradient_is_finite_where_embeddings_are_equal_or_zero(metric):
    x = tf.Variable([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0], [1.0, 2.0], [-1.0, -2.0]])
    with tf.GradientTape() as tape:
        distances = batch_distances(x, metric)
    assert np.isfinite(distances).all()
    assert np.isfinite(tape.gradient(distances, x)).all()


def test_zero_embeddings_are_at_a_right_angle_to_all():
    distances = batch_distances(tf.constant([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0]]), "angular")
    np.testing.assert_allclose(distances, [[1, 1, 1], [1, 1, 1], [1, 1, 0]], atol=1e-6)


def test_a_function_measures_in_float32_what_came_in_less():
    dtypes = []

    def measure(x: tf.Tensor) -> tf.Tensor:
        dtypes.append(x.dtype)
        return x @ tf.transpose(x)

    for dtype, expected in (
        ("float16", "float32"),
        ("bfloat16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
    ):
        distances = batch_distances(tf.constant([[1.0, 2.0], [3.0, 4.0]], dtype), measure)
        assert distances.dtype == expected
        np.testing.assert_array_equal(distances, [[5, 11], [11, 25]])
        assert dtypes.pop() == expected


def test_an_unknown_metric_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"one of L2, squared-L2, angular, or a function; got 'l2'"):
        batch_distances(tf.zeros((2, 2)), "l2")


def test_worked_example_of_masks():
    positive, negative = triplet_masks(tf.constant([4, 7, 4]))
    np.testing.assert_array_equal(positive, [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(negative, [[0, 1, 0], [1, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize("labels", [[[4], [7], [4]], [4.0, 7.0, 4.0], ["cat", "dog", "cat"]])
def test_labels_may_be_a_column_and_of_any_kind(labels):
    for mask, expected in zip(
        triplet_masks(tf.constant(labels), 3), triplet_masks(tf.constant([4, 7, 4])), strict=True
    ):
        np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("shape", [(4, 3), (4, 1, 1), ()])
def test_other_labels_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(n,\) or \(n, 1\), one class per image; got shape .*tf.argmax"):
        triplet_masks(tf.zeros(shape))


def test_as_many_labels_as_embeddings():
    with pytest.raises(ValueError, match="the same length; got 3 labels and 4 embeddings"):
        triplet_masks(tf.zeros(3), 4)


@pytest.mark.parametrize("labels", [[7, 3, 7, 2**40, 3], [[7], [3], [7], [2**40], [3]]])
def test_a_class_by_its_first_image(labels):
    assert relabel_classes(tf.constant(labels, tf.int64)).numpy().tolist() == [0, 1, 0, 3, 1]
