import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.losses.pairs import balanced_mean, flat_pairs


def reference(losses: np.ndarray, similarity: np.ndarray, counted: np.ndarray) -> float:
    total = 0.0
    for kind in (0, 1):
        chosen = [x for x, y, c in zip(losses.flat, similarity.flat, counted.flat, strict=True) if c == 1 and y == kind]
        total += 0.5 * sum(chosen) / len(chosen) if chosen else 0.0
    return total


def test_flat_pairs_brings_labels_and_outputs_to_one_shape_and_type():
    labels, outputs = flat_pairs(tf.constant([1, 0, 1], tf.uint8), tf.constant([[0.1], [0.2], [0.3]]))
    np.testing.assert_array_equal(labels, [1.0, 0.0, 1.0])
    np.testing.assert_allclose(outputs, [0.1, 0.2, 0.3])
    assert labels.dtype == outputs.dtype == tf.float32


def test_worked_example():
    # One similar pair of loss 6, three dissimilar of mean 2: (6 + 2) / 2 = 4; the plain mean would be 3.
    losses, similarity = tf.constant([6.0, 1.0, 2.0, 3.0]), tf.constant([1.0, 0.0, 0.0, 0.0])
    assert float(balanced_mean(losses, similarity, tf.ones(4))) == 4.0


def test_a_pair_that_does_not_count_is_left_out():
    # The pair with loss 100 is excluded, and so is its weight: similar mean 6, dissimilar mean (1 + 3) / 2.
    losses, similarity = tf.constant([6.0, 1.0, 100.0, 3.0]), tf.constant([1.0, 0.0, 0.0, 0.0])
    assert float(balanced_mean(losses, similarity, tf.constant([1.0, 1.0, 0.0, 1.0]))) == 4.0


def test_the_mean_equals_a_slow_reference_on_a_matrix():
    rng = np.random.default_rng(5)
    losses = rng.uniform(0, 3, (9, 9)).astype(np.float32)
    similarity, counted = (rng.integers(0, 2, (9, 9)).astype(np.float32) for _ in range(2))
    ours = balanced_mean(tf.constant(losses), tf.constant(similarity), tf.constant(counted))
    assert float(ours) == pytest.approx(reference(losses, similarity, counted), abs=1e-5)


@pytest.mark.parametrize(
    ("similarity", "counted", "expected"),
    [
        ([1.0, 1.0], [1.0, 1.0], 1.5),  # no dissimilar pair: half the similar mean of 3
        ([0.0, 0.0], [1.0, 1.0], 1.5),  # no similar pair
        ([1.0, 0.0], [1.0, 0.0], 1.0),  # the dissimilar pair is excluded
        ([1.0, 0.0], [0.0, 0.0], 0.0),  # all pairs are excluded
    ],
)
def test_a_missing_kind_adds_nothing_and_breaks_no_gradient(similarity, counted, expected):
    losses = tf.Variable([2.0, 4.0])
    with tf.GradientTape() as tape:
        mean = balanced_mean(losses, tf.constant(similarity), tf.constant(counted))
    assert float(mean) == expected
    gradient = tape.gradient(mean, losses).numpy()
    assert np.isfinite(gradient).all()
    assert (gradient[np.array(counted) == 0] == 0).all()


def test_no_pair_at_all_costs_nothing():
    assert float(balanced_mean(tf.zeros(0), tf.zeros(0), tf.zeros(0))) == 0.0
