"""Heads: layers that map two embeddings to a distance and a logit. The sign changes only in a head.

A distance is lower for a more similar pair; a logit, and the probability `sigmoid(logit)`, is higher. Every pair
objective can train every head: the contrastive loss uses the distance, bce and mse use the logit.
"""

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import HEADS
from siamese_tf.errors import ConfigError
from siamese_tf.models.distances import (
    SMALLEST_SQUARE,
    cosine_distance,
    cosine_distance_matrix,
    euclidean_distance,
    euclidean_distance_matrix,
)
from siamese_tf.models.keras_settings import keras_settings


class Head(keras.layers.Layer):
    """Base class of heads: logit = bias - scale * distance, with a trainable scale and bias.

    Subclasses define the distance. After training, `calibrate` adjusts scale and bias so that `sigmoid(logit)` is the
    probability of a match. The only constructor argument of a subclass is `embedding_dim`, the size d of its (n, d)
    inputs; symmetric heads ignore it.

    Attributes:
        symmetric: True if the logits of (a, b) and (b, a) are equal.
        normalizes: True if embeddings are compared after L2 normalization.
    """

    symmetric = True
    normalizes = True

    def __init__(self, scale: float, bias: float, trained: bool = True):
        super().__init__(name="head")
        self.scale = self._add_scalar("scale", scale, trained)
        self.bias = self._add_scalar("bias", bias, trained)
        self.built = True

    def _add_scalar(self, name: str, value: float, trained: bool) -> tf.Variable:
        return self.add_weight(
            name=name, shape=(), initializer=keras.initializers.Constant(value), trainable=trained, dtype="float32"
        )

    def distance(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """Returns (n,) distances between corresponding rows of two (n, d) arrays; >= 0, lower is more similar."""
        raise NotImplementedError

    def distance_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """Returns (n, m) distances between every row of `a`, (n, d), and every row of `b`, (m, d)."""
        raise NotImplementedError

    def distance_of_cosine(self, cosines: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Converts cosine similarities of any shape to distances; defined for normalizing heads only.

        Args:
            cosines: array of any shape and float dtype.
            out: array for the result, which may be `cosines`; None makes a new one.
        """
        raise NotImplementedError

    def logit_of_cosine(self, cosines: np.ndarray) -> np.ndarray:
        """Converts cosine similarities of any shape to float32 logits; defined for normalizing heads only."""
        return float(self.bias) - float(self.scale) * self.distance_of_cosine(cosines).astype(np.float32, copy=False)

    def logit(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """Returns (n,) logits of corresponding rows of two (n, d) arrays; higher is more similar."""
        return self.bias - self.scale * self.distance(a, b)

    def logit_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """Returns (n, m) float32 logits for every row of `a`, (n, d), and every row of `b`, (m, d)."""
        return self.bias - self.scale * tf.cast(self.distance_matrix(a, b), tf.float32)

    def call(self, pair: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Returns (n,) logits of two (n, d) arrays, averaged over both orders if the head is asymmetric."""
        a, b = pair
        if self.symmetric:
            return self.logit(a, b)
        return (self.logit(a, b) + self.logit(b, a)) / 2.0

    def call_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """Returns the (n, m) float32 logits of `call` for every row of `a`, (n, d), and every row of `b`, (m, d)."""
        if self.symmetric:  # in float64, because small distances suffer from cancellation in float32
            return self.logit_matrix(tf.cast(a, tf.float64), tf.cast(b, tf.float64))
        return (self.logit_matrix(a, b) + tf.transpose(self.logit_matrix(b, a))) / 2.0

    def calibrate(self, slope: float, intercept: float) -> None:
        """Replaces every logit by `slope * logit + intercept`."""
        self.scale.assign(slope * self.scale)
        self.bias.assign(slope * self.bias + intercept)


class CosineHead(Head):
    """Cosine distance 1 - cos(a, b), in [0, 2]. The initial logit is 10 cos(a, b) - 5."""

    def __init__(self, embedding_dim: int):
        super().__init__(scale=10.0, bias=5.0)

    def distance(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return cosine_distance(_unit(a), _unit(b))

    def distance_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return cosine_distance_matrix(_unit(a), _unit(b))

    def distance_of_cosine(self, cosines: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        return np.subtract(1.0, cosines, out=out)


class EuclideanHead(Head):
    """Euclidean distance of L2-normalized embeddings, in [0, 2]. The initial logit is 5 - 5 distance."""

    def __init__(self, embedding_dim: int):
        super().__init__(scale=5.0, bias=5.0)

    def distance(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return euclidean_distance(_unit(a), _unit(b))

    def distance_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return euclidean_distance_matrix(_unit(a), _unit(b))

    def distance_of_cosine(self, cosines: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        squares = np.multiply(cosines, -2.0, out=out)
        squares += 2.0
        # NumPy takes the maximum with an array five times as fast as with a number.
        np.maximum(squares, np.full(cosines.shape[-1:], SMALLEST_SQUARE, squares.dtype), out=squares)
        return np.sqrt(squares, out=squares)


class ConcatHead(Head):
    """Head of the reference network: concatenated embeddings, Dense 16, Dense 4, one logit.

    The head is asymmetric, so `call` averages both orders. Its distance is -log(probability of a match), which is
    >= 0 and unbounded, so it can exceed the margin of the contrastive loss; 1 - probability cannot, and would turn that
    loss into a squared error.
    """

    symmetric = False
    normalizes = False

    def __init__(self, embedding_dim: int):
        super().__init__(scale=1.0, bias=0.0, trained=False)
        self.layers = [
            keras.layers.Dense(16, activation="relu", name="dense1"),
            keras.layers.Dense(4, activation="relu", name="dense2"),
            keras.layers.Dense(1, name="dense3"),
        ]
        width = 2 * embedding_dim
        for layer in self.layers:
            layer.build((None, width))
            width = layer.units

    def distance(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return tf.nn.softplus(-self.logit(a, b))

    def distance_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return tf.nn.softplus(-self.logit_matrix(a, b))

    def logit(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        x = tf.concat([a, b], axis=-1)  # (n, 2d)
        for layer in self.layers:
            x = layer(x)
        return self.bias + self.scale * x[:, 0]

    def logit_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        first, *others = self.layers
        # Splitting the kernel avoids an (n * m, 2d) array of concatenated embeddings.
        left, right = tf.split(tf.convert_to_tensor(first.kernel), 2)  # (d, 16) each
        rows, columns = tf.matmul(a, left), tf.matmul(b, right)  # (n, 16), (m, 16)
        x = first.activation(rows[:, tf.newaxis] + columns[tf.newaxis, :] + first.bias)  # (n, m, 16)
        for layer in others:
            x = layer(x)
        return self.bias + self.scale * x[..., 0]


def _unit(embeddings: tf.Tensor) -> tf.Tensor:
    return tf.math.l2_normalize(embeddings, axis=-1, epsilon=1e-12)


def build_head(head: str, embedding_dim: int) -> keras.layers.Layer:
    """Builds a head from the catalog.

    Args:
        head: a key of `siamese_tf.config.catalog.HEADS`.
        embedding_dim: size d of the (n, d) embeddings that the head takes.

    Raises:
        ConfigError: if the name is unknown.
    """
    if head not in HEADS:
        raise ConfigError(f"head must be one of {', '.join(HEADS)}; got {head!r:.100}")
    build = load_builder(HEADS[head].builder)
    with keras_settings():
        return build(embedding_dim)
