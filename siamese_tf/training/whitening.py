"""Whitening: an embedding layer that is not trained but solved for, from what differs between images of one class.

Directions in which images of one class differ much are shrunk, those in which they agree are stretched, until all are
alike. The embedding layer that does so has a formula, so it cannot learn the training classes by heart as training can.

Reference:
    Hatch, Kajarekar and Stolcke 2006, "Within-class covariance normalization for SVM-based speaker recognition".
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.errors import ConfigError
from siamese_tf.models.inputs import images_at_once
from siamese_tf.models.pair_scorer import row_slices
from siamese_tf.models.pixels import scale_pixels
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.views import make_views

# What differs within a few classes says little of some directions, so its covariance is mixed with that of all images,
# and with equal variances: shares, once all three have the same trace.
OF_ALL, EQUAL = 0.1, 0.05
ROUNDING = 1e-10  # of the largest variance, or of the square of the mean; what is less, rounding made
MAX_FEATURES = 4096  # a square of so many float64 has 128 MiB


@dataclass(frozen=True, eq=False)
class Spread:
    """How features are spread.

    Attributes:
        mean: (f,) of all.
        total: (f, f) covariance of all.
        within: (f, f) covariance about the mean of each class, of those whose class is known.
    """

    mean: np.ndarray
    total: np.ndarray
    within: np.ndarray


def embedding_layer(tower: keras.Model) -> keras.layers.Dense:
    """The layer of a tower that whitening sets.

    Raises:
        ConfigError: the last layer is not a Dense one with a bias and no activation, or has too many inputs.
    """
    layer = tower.layers[-1]
    if lacking := _lacking(layer):
        raise ConfigError(
            f"whiten needs a tower whose last layer is a Dense one with a bias and no activation; that of"
            f" {tower.name}, {layer.name}, is {lacking}. Leave whiten out, or take another tower"
        )
    features = layer.kernel.shape[0]
    if features > MAX_FEATURES:
        raise ConfigError(
            f"whiten looks at how the {features:,} numbers before the last layer of {tower.name} go together; at most"
            f" {MAX_FEATURES:,} are allowed. Leave whiten out, or take another tower or smaller images"
        )
    return layer


def feature_extractor(tower: keras.Model) -> keras.Model:
    """What a tower does before the layer that whitening sets: (n, h, w, c) -> (n, f).

    Raises:
        ConfigError: see `embedding_layer`; or the tower is not that and then this layer.
    """
    layer = embedding_layer(tower)
    image = np.random.default_rng(0).random((1, *tower.input_shape[1:]), np.float32)
    try:
        before = keras.Model(tower.inputs[0], layer.input)
        one, other = layer(before(image, training=False)), tower(image, training=False)
        same = np.allclose(tf.cast(one, tf.float32), tf.cast(other, tf.float32), atol=1e-4)
    except (AssertionError, AttributeError, ValueError):  # what Keras raises where a layer stands in several places
        same = False
    if not same:
        raise ConfigError(
            f"whiten cannot tell what comes before {layer.name}, the last layer of {tower.name}: it must stand in one"
            " place, at the end. Give the tower a last layer of its own, or leave whiten out"
        )
    return before


def only_embedding_layer_trains(tower: keras.Model) -> bool:
    """Whether training a tower would change no more than the layer that whitening sets."""
    return len(tower.trainable_weights) == len(embedding_layer(tower).trainable_weights)


def whiten(model: SiameseModel, images: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> None:
    """Sets the embedding layer of a model so that embeddings of one class are spread alike in all directions.

    Every view of an image counts as an image of its class. Of what comes before the layer, the `embedding_dim`
    directions of the largest variance are kept; where there are fewer, the other numbers of an embedding are 0. The
    squared length of the embedding of one view is 1 in the mean.

    Args:
        model: its views and the layers before the last one stay as they are.
        images: (n, h, w, c) uint8.
        rows: (k,) integers, which of them to look at.
        labels: (n,) integers, the class of each; -1 where it is not known.

    Raises:
        ConfigError: see `feature_extractor`; or no two images of one class differ.
    """
    before, layer = feature_extractor(model.tower), embedding_layer(model.tower)
    statistics = _Statistics(layer.kernel.shape[0], labels[rows])
    for block in row_slices(len(rows), images_at_once(model.input_size)):
        chosen = rows[block]
        for view in make_views(scale_pixels(images[chosen]), model.views):
            statistics.add(before(view, training=False).numpy(), labels[chosen])
    kernel, bias = whitening(statistics.spread(), model.embedding_dim)
    layer.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])


def whitening(spread: Spread, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """The kernel (f, d) and the bias (d,) of the layer that whitens, see `whiten`.

    Args:
        spread: of the features (f,).
        dimensions: d, at least 1.

    Raises:
        ConfigError: no two features of one class differ.
    """
    variances, axes = np.linalg.eigh(spread.total)
    nothing = ROUNDING * max(variances[-1], spread.mean @ spread.mean)
    rank = min(dimensions, np.count_nonzero(variances > nothing))
    ema_model, variances = axes[:, ::-1][:, :rank], variances[::-1][:rank]
    within = ema_model.T @ spread.within @ ema_model
    if np.trace(within) <= nothing:
        raise ConfigError(
            "whiten looks at how images of one class differ, and no two of them do. Add images, or leave whiten out"
        )
    mixed = (1 - OF_ALL - EQUAL) * within / np.trace(within)
    mixed += np.diag(OF_ALL * variances / variances.sum() + EQUAL / rank)
    variances, turn = np.linalg.eigh(mixed)
    kernel = ema_model @ (turn / np.sqrt(variances))
    kernel /= np.sqrt(np.einsum("fd,fg,gd->", kernel, spread.total, kernel, optimize=True))
    kernel = np.pad(kernel, ((0, 0), (0, dimensions - kernel.shape[1])))
    return kernel, -spread.mean @ kernel


def _lacking(layer: keras.layers.Layer) -> str | None:
    if not isinstance(layer, keras.layers.Dense):
        return f"a {type(layer).__name__}"
    if layer.activation is not keras.activations.linear:
        return f"followed by {layer.activation.__name__}"
    return None if layer.use_bias else "without a bias"


class _Statistics:
    """Sums over features (f,) from which their spread follows, so that never all of them are in memory."""

    def __init__(self, features: int, labels: np.ndarray):
        self.classes = np.unique(labels[labels >= 0])
        self.sums = np.zeros((len(self.classes), features))
        self.counts = np.zeros(len(self.classes))
        self.known, self.all = np.zeros((features, features)), np.zeros((features, features))
        self.sum, self.count = np.zeros(features), 0

    def add(self, features: np.ndarray, labels: np.ndarray) -> None:
        """(m, f) features and their (m,) labels, -1 where not known."""
        features = features.astype(np.float64)
        known = labels >= 0
        self.sum += features.sum(axis=0)
        self.count += len(features)
        self.all += features.T @ features
        self.known += features[known].T @ features[known]
        which = np.searchsorted(self.classes, labels[known])
        np.add.at(self.sums, which, features[known])
        np.add.at(self.counts, which, 1)

    def spread(self) -> Spread:
        mean = self.sum / self.count
        between = (self.sums / self.counts[:, np.newaxis]).T @ self.sums
        within = (self.known - between) / max(1, self.counts.sum())
        return Spread(mean, self.all / self.count - np.outer(mean, mean), within)
