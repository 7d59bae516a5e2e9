"""Heads: two embeddings to a distance and a logit. Here, and nowhere else, the sign turns.

A distance is lower for a more similar pair; a logit, and the probability `sigmoid(logit)`, is higher. Any objective
on pairs can train any head: contrastive loss reads the distance, bce and mse read the logit.
"""

import tensorflow as tf
from tensorflow import keras

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
    """Logit = bias - scale * distance, with a trained scale and bias.

    A subclass says what the distance is. After training, `calibrate` sets scale and bias so that `sigmoid(logit)` is
    the probability of a match. Every subclass is built from `embedding_dim` alone, the `d` of the (n, d) embeddings it
    will see; the symmetric ones have no use for it.

    Attributes:
        symmetric: the logit of (a, b) is that of (b, a).
        normalizes: embeddings are compared after their length has been made 1.
    """

    symmetric = True
    normalizes = True

    def __init__(self, scale: float, bias: float, trained: bool = True):
        super().__init__(name="head")
        self.scale = self._number("scale", scale, trained)
        self.bias = self._number("bias", bias, trained)
        self.built = True

    def _number(self, name: str, value: float, trained: bool) -> tf.Variable:
        return self.add_weight(
            name=name, shape=(), initializer=keras.initializers.Constant(value), trainable=trained, dtype="float32"
        )

    def distance(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """(n, d), (n, d) -> (n,) distances, lower is more similar."""
        raise NotImplementedError

    def distance_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """(n, d), (m, d) -> (n, m) distances, every row of `a` against every row of `b`."""
        raise NotImplementedError

    def distance_of_cosine(self, cosines: tf.Tensor) -> tf.Tensor:
        """The distances of embeddings whose angles have these cosines, any shape; of heads that normalise alone."""
        raise NotImplementedError

    def logit(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """(n, d), (n, d) -> (n,) logits, higher is more similar."""
        return self.bias - self.scale * self.distance(a, b)

    def logit_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """(n, d), (m, d) -> (n, m) float32 logits, every row of `a` against every row of `b`."""
        return self.bias - self.scale * tf.cast(self.distance_matrix(a, b), tf.float32)

    def call(self, pair: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Two (n, d) embeddings to (n,) logits; an asymmetric head answers with the mean of both orders."""
        a, b = pair
        if self.symmetric:
            return self.logit(a, b)
        return (self.logit(a, b) + self.logit(b, a)) / 2.0

    def call_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """(n, d), (m, d) -> (n, m) float32 logits, each the one that `call` gives for those two rows."""
        if self.symmetric:  # in float64, so that near embeddings keep their distance, and equal ones their equality
            return self.logit_matrix(tf.cast(a, tf.float64), tf.cast(b, tf.float64))
        return (self.logit_matrix(a, b) + tf.transpose(self.logit_matrix(b, a))) / 2.0

    def calibrate(self, slope: float, intercept: float) -> None:
        """Makes every logit `slope * logit + intercept` from now on."""
        self.scale.assign(slope * self.scale)
        self.bias.assign(slope * self.bias + intercept)


class CosineHead(Head):
    """Distance 1 - cos(a, b), in [0, 2]; at the start, logit = 10 cos - 5."""

    def __init__(self, embedding_dim: int):
        super().__init__(scale=10.0, bias=5.0)

    def distance(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return cosine_distance(_unit(a), _unit(b))

    def distance_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return cosine_distance_matrix(_unit(a), _unit(b))

    def distance_of_cosine(self, cosines: tf.Tensor) -> tf.Tensor:
        return 1.0 - cosines


class EuclideanHead(Head):
    """Euclidean distance of L2-normalised embeddings, in [0, 2]; at the start, logit = 5 - 5 distance."""

    def __init__(self, embedding_dim: int):
        super().__init__(scale=5.0, bias=5.0)

    def distance(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return euclidean_distance(_unit(a), _unit(b))

    def distance_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return euclidean_distance_matrix(_unit(a), _unit(b))

    def distance_of_cosine(self, cosines: tf.Tensor) -> tf.Tensor:
        return tf.sqrt(tf.maximum(2.0 - 2.0 * cosines, SMALLEST_SQUARE))


class ConcatHead(Head):
    """The reference network's: both embeddings side by side, Dense 16, Dense 4, one logit.

    It is asymmetric, so `call` averages both orders. Its distance is -log(probability of a match): >= 0, without an
    upper end, so that contrastive loss can use its margin (on 1 - probability it would be the squared error again).
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
        left, right = tf.split(tf.convert_to_tensor(first.kernel), 2)  # (d, 16) each: no (n * m, 2d) array is needed
        rows, columns = tf.matmul(a, left), tf.matmul(b, right)  # (n, 16), (m, 16)
        x = first.activation(rows[:, tf.newaxis] + columns[tf.newaxis, :] + first.bias)  # (n, m, 16)
        for layer in others:
            x = layer(x)
        return self.bias + self.scale * x[..., 0]


def _unit(embeddings: tf.Tensor) -> tf.Tensor:
    return tf.math.l2_normalize(embeddings, axis=-1, epsilon=1e-12)


HEADS = {"cosine": CosineHead, "euclidean": EuclideanHead, "concat": ConcatHead}


def build_head(head: str, embedding_dim: int) -> keras.layers.Layer:
    """A head by name.

    Raises:
        ConfigError: an unknown name.
    """
    if head not in HEADS:
        raise ConfigError(f"head must be one of {', '.join(HEADS)}; got {head!r:.100}")
    with keras_settings():
        return HEADS[head](embedding_dim)
