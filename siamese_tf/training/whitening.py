"""Whitening: a closed-form embedding layer that equalizes the within-class variance in all directions.

Directions with a large within-class variance are scaled down, those with a small one are scaled up. The layer is
computed by a formula, so it cannot memorize the training classes as a trained layer can.

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

# With few classes, the within-class covariance is poorly estimated in some directions. It is therefore mixed with the
# total covariance and the identity; these are their weights after all three are scaled to the same trace.
TOTAL_WEIGHT, IDENTITY_WEIGHT = 0.1, 0.05
ROUNDING = 1e-10  # variances below this fraction of the largest one, or of the squared mean, are rounding errors
MAX_FEATURES = 4096  # a float64 covariance matrix of this size takes 128 MiB


@dataclass(frozen=True, eq=False)
class FeatureMoments:
    """Mean and covariances of features.

    Attributes:
        mean: (f,) mean over all images.
        total: (f, f) covariance over all images.
        within: (f, f) covariance about the class means, over images of known class.
    """

    mean: np.ndarray
    total: np.ndarray
    within: np.ndarray


def embedding_layer(tower: keras.Model) -> keras.layers.Dense:
    """Returns the last layer of a tower, the one that whitening sets.

    Raises:
        ConfigError: if the last layer is not a Dense layer with a bias and no activation, or has too many inputs.
    """
    layer = tower.layers[-1]
    if problem := _why_not_linear(layer):
        raise ConfigError(
            f"whiten requires a tower that ends in a Dense layer with a bias and no activation; {tower.name} ends in"
            f" {layer.name}, which is {problem}. Leave whiten out, or use another tower"
        )
    features = layer.kernel.shape[0]
    if features > MAX_FEATURES:
        raise ConfigError(
            f"whiten requires at most {MAX_FEATURES:,} inputs of the last layer; {tower.name} has {features:,}."
            " Leave whiten out, or use another tower or smaller images"
        )
    return layer


def feature_extractor(tower: keras.Model) -> keras.Model:
    """Returns the part of a tower before the layer that whitening sets: (n, h, w, c) -> (n, f).

    Raises:
        ConfigError: if the output of the tower is not the result of applying its last layer once; or see
            `embedding_layer`.
    """
    layer = embedding_layer(tower)
    image = np.random.default_rng(0).random((1, *tower.input_shape[1:]), np.float32)
    try:
        extractor = keras.Model(tower.inputs[0], layer.input)
        composed, expected = layer(extractor(image, training=False)), tower(image, training=False)
        same = np.allclose(tf.cast(composed, tf.float32), tf.cast(expected, tf.float32), atol=1e-4)
    except (AssertionError, AttributeError, ValueError):  # raised by Keras if the layer is shared
        same = False
    if not same:
        raise ConfigError(
            f"whiten requires a last layer that is applied once, at the end of the tower; {layer.name} of {tower.name}"
            " is not. Add a Dense layer at the end, or leave whiten out"
        )
    return extractor


def only_embedding_layer_trains(tower: keras.Model) -> bool:
    """Returns True if the last layer of a tower, the one that whitening sets, is its only trainable layer."""
    return len(tower.trainable_weights) == len(embedding_layer(tower).trainable_weights)


def whiten(model: SiameseModel, images: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> None:
    """Sets the embedding layer of a model so that embeddings of one class have equal variance in all directions.

    Every view of an image counts as an image of its class. The features before the layer are projected onto their
    `embedding_dim` directions of largest variance; if there are fewer, the remaining dimensions of an embedding are 0.
    Embeddings of single views have a mean squared length of 1.

    Args:
        model: model whose last layer is set; the other layers do not change.
        images: (n, h, w, c) uint8.
        rows: (k,) integers, indices of the images to use.
        labels: (n,) integers, the class of each image; -1 if unknown.

    Raises:
        ConfigError: if no two images of the same class differ; or see `feature_extractor`.
    """
    extractor, layer = feature_extractor(model.tower), embedding_layer(model.tower)
    accumulator = _MomentAccumulator(layer.kernel.shape[0], labels[rows])
    for block in row_slices(len(rows), images_at_once(model.input_size)):
        chosen = rows[block]
        for view in make_views(scale_pixels(images[chosen]), model.views):
            accumulator.add(extractor(view, training=False).numpy(), labels[chosen])
    kernel, bias = whitening(accumulator.moments(), model.embedding_dim)
    layer.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])


def whitening(moments: FeatureMoments, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Computes the (f, d) kernel and the (d,) bias of the whitening layer, see `whiten`.

    Args:
        moments: moments of the features.
        dimensions: embedding size d, at least 1.

    Raises:
        ConfigError: if the features have no variance within classes.
    """
    variances, axes = np.linalg.eigh(moments.total)
    negligible = ROUNDING * max(variances[-1], moments.mean @ moments.mean)
    rank = min(dimensions, np.count_nonzero(variances > negligible))
    projection, variances = axes[:, ::-1][:, :rank], variances[::-1][:rank]
    within = projection.T @ moments.within @ projection
    if np.trace(within) <= negligible:
        raise ConfigError(
            "whiten requires different images of one class; there are none. Add images, or leave whiten out"
        )
    mixed = (1 - TOTAL_WEIGHT - IDENTITY_WEIGHT) * within / np.trace(within)
    mixed += np.diag(TOTAL_WEIGHT * variances / variances.sum() + IDENTITY_WEIGHT / rank)
    variances, rotation = np.linalg.eigh(mixed)
    kernel = projection @ (rotation / np.sqrt(variances))
    kernel /= np.sqrt(np.einsum("fd,fg,gd->", kernel, moments.total, kernel, optimize=True))
    kernel = np.pad(kernel, ((0, 0), (0, dimensions - kernel.shape[1])))
    return kernel, -moments.mean @ kernel


def _why_not_linear(layer: keras.layers.Layer) -> str | None:
    if not isinstance(layer, keras.layers.Dense):
        return f"a {type(layer).__name__}"
    if layer.activation is not keras.activations.linear:
        return f"followed by {layer.activation.__name__}"
    return None if layer.use_bias else "without a bias"


class _MomentAccumulator:
    """Sums over batches of features (f,), from which their moments are computed."""

    def __init__(self, features: int, labels: np.ndarray):
        self.classes = np.unique(labels[labels >= 0])
        self.sums = np.zeros((len(self.classes), features))
        self.counts = np.zeros(len(self.classes))
        self.known_products, self.products = np.zeros((features, features)), np.zeros((features, features))
        self.sum, self.count = np.zeros(features), 0

    def add(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Adds (m, f) features with (m,) labels, -1 if unknown."""
        features = features.astype(np.float64)
        known = labels >= 0
        self.sum += features.sum(axis=0)
        self.count += len(features)
        self.products += features.T @ features
        self.known_products += features[known].T @ features[known]
        positions = np.searchsorted(self.classes, labels[known])
        np.add.at(self.sums, positions, features[known])
        np.add.at(self.counts, positions, 1)

    def moments(self) -> FeatureMoments:
        mean = self.sum / self.count
        between = (self.sums / self.counts[:, np.newaxis]).T @ self.sums
        within = (self.known_products - between) / max(1, self.counts.sum())
        return FeatureMoments(mean, self.products / self.count - np.outer(mean, mean), within)
