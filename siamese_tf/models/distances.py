"""Distances between embeddings: >= 0, lower is more similar.

Each distance has two variants: one for corresponding rows of two arrays (listed pairs) and one for all pairs of rows
(a matrix).
"""

import tensorflow as tf

# The gradient of sqrt is infinite at 0. Squared distances are clamped from below, so that the gradient is 0, not NaN.
SMALLEST_SQUARE = 1e-12


def euclidean_distance(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Returns the Euclidean distance between corresponding rows.

    Args:
        a, b: (n, d) float embeddings.

    Returns:
        (n,) distances; 1e-6, not 0, for identical rows (see SMALLEST_SQUARE).
    """
    return tf.sqrt(tf.maximum(tf.reduce_sum(tf.square(a - b), axis=-1), SMALLEST_SQUARE))


def squared_euclidean_distance_matrix(a: tf.Tensor, b: tf.Tensor | None = None) -> tf.Tensor:
    """Returns |a|^2 - 2ab + |b|^2 for every pair of rows, from one matrix product and without an (n, m, d) array.

    Args:
        a: (n, d) float embeddings.
        b: (m, d) float embeddings; None compares the rows of `a` with each other.

    Returns:
        (n, m) squared distances, which rounding can leave slightly below 0.
    """
    squares_a = tf.reduce_sum(tf.square(a), axis=-1)
    products = tf.matmul(a, a if b is None else b, transpose_b=True)  # (n, m)
    squares_b = squares_a if b is None else tf.reduce_sum(tf.square(b), axis=-1)
    return squares_a[:, tf.newaxis] - 2.0 * products + squares_b[tf.newaxis, :]


def euclidean_distance_matrix(a: tf.Tensor, b: tf.Tensor | None = None) -> tf.Tensor:
    """Returns the Euclidean distance between every row of `a` and every row of `b`.

    Args:
        a: (n, d) float embeddings.
        b: (m, d) float embeddings; None compares the rows of `a` with each other.

    Returns:
        (n, m) distances. For unit rows in float32, cancellation causes errors of up to 1e-3 near 0 (5e-5 at a distance
        of 0.01); in float64 the error is negligible.
    """
    return tf.sqrt(tf.maximum(squared_euclidean_distance_matrix(a, b), SMALLEST_SQUARE))


def cosine_distance(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Returns 1 - cos(a, b) for corresponding rows of unit length.

    Args:
        a, b: (n, d) float embeddings, L2-normalized.

    Returns:
        (n,) distances in [0, 2].
    """
    return 1.0 - tf.reduce_sum(a * b, axis=-1)


def cosine_distance_matrix(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Returns 1 - cos(a, b) for every pair of rows of unit length.

    Args:
        a: (n, d) float embeddings, L2-normalized.
        b: (m, d) float embeddings, L2-normalized.

    Returns:
        (n, m) distances in [0, 2].
    """
    return 1.0 - tf.matmul(a, b, transpose_b=True)
