"""Siamese model: one tower for both images, one head, one threshold."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.catalog import CUSTOM, VIEWS
from siamese_tf.config.checks import check_choice
from siamese_tf.data.images.format import CENTERS, RESIZES
from siamese_tf.data.images.source import is_image_source
from siamese_tf.errors import ConfigError
from siamese_tf.models.embeddings import SHORTEST, check_scores
from siamese_tf.models.heads import build_head
from siamese_tf.models.inputs import as_pair, check_pair_batches
from siamese_tf.models.keras_saving import KerasSaving
from siamese_tf.models.pair_scorer import PairScorer
from siamese_tf.models.pixels import as_pixels, scale_pixels, valid_images
from siamese_tf.models.scoring import Scoring
from siamese_tf.models.towers.build import build_tower
from siamese_tf.models.views import make_views


@keras.utils.register_keras_serializable(package="siamese_tf", name="SiameseModel")
class SiameseModel(Scoring, KerasSaving):
    """Keras model that returns the probability that two images belong to the same class.

    Attributes:
        tower: `keras.Model` that maps (n, h, w, c) float32 images in [0, 1] to (n, d) embeddings.
        head: layer that maps two (n, d) arrays of embeddings to (n,) logits.
        all_pairs: `score_matrix` and `top_k` for precomputed embeddings, so that a gallery is embedded only once.
        threshold: decision threshold; a pair with score >= threshold counts as a match.
        views: name of the views over which embeddings are averaged; the cost is proportional to their number; see
            `make_views`.
        resize: method to resize image files of other sizes, see `resize_image`.
        invert, center: further preparation of image files, see `load_image`; arrays must be prepared already.
        record: plain values that describe the training, copied on each access; `{}` before training.
        file_sha256: hexadecimal SHA-256 of the file that the model was loaded from; None if it was not loaded.
    """

    def __init__(
        self,
        input_size: tuple[int, int, int],
        tower: str | keras.Model = "small_cnn",
        embedding_dim: int = 128,
        head: str = "euclidean",
        threshold: float = 0.5,
        record: Mapping[str, Any] | None = None,
        views: str = "one",
        resize: str = "pad",
        invert: bool = False,
        center: str | None = None,
    ):
        """Builds the network with new weights.

        Args:
            input_size: height, width and channels of the images.
            tower: a key of `siamese_tf.config.catalog.TOWERS`, or a custom `keras.Model`.
            embedding_dim: size d of an embedding; ignored for a custom tower, whose output shape defines it.
            head: a key of `siamese_tf.config.catalog.HEADS`.
            threshold: decision threshold in [0, 1].
            record: plain values that describe the training.
            views: a key of `siamese_tf.config.catalog.VIEWS`.
            resize: a name in `siamese_tf.data.images.format.RESIZES`.
            invert: inverts image files.
            center: a name in `siamese_tf.data.images.format.CENTERS`, or None.

        Raises:
            ConfigError: if a name is unknown, the tower does not map (n, h, w, c) to (n, d), the threshold is not in
                [0, 1], or the record has other than plain values.
        """
        super().__init__(name="siamese_model", dtype="float32")  # independent of the global policy
        if not 0 <= threshold <= 1:
            raise ConfigError(f"threshold must lie in [0, 1], as scores do; got {threshold}")
        height, width, channels = input_size
        self.input_size = (int(height), int(width), int(channels))
        self.tower_name = tower if isinstance(tower, str) else CUSTOM
        self.tower = build_tower(tower, self.input_size, embedding_dim)
        self.embedding_dim = int(self.tower.output_shape[-1])
        self.head_name = head
        self.head = build_head(head, self.embedding_dim)
        self.threshold = float(threshold)
        self.record = record or {}
        check_choice("views", views, VIEWS)
        check_choice("resize", resize, RESIZES)
        check_choice("center", center, CENTERS, optional=True)
        self.views, self.resize, self.invert, self.center = views, resize, bool(invert), center
        self.file_sha256: str | None = None
        self._embed_uint8, self._embed_float32 = (
            tf.function(
                lambda images: self._embeddings(images, training=False),
                input_signature=[tf.TensorSpec((None, *self.input_size), dtype)],
            )
            for dtype in (tf.uint8, tf.float32)
        )
        self.all_pairs = PairScorer(self.head, self.embedding_dim)
        self.built = True

    @property
    def record(self) -> dict[str, Any]:
        """Record of the training run, the contents of `record.json`."""
        return json.loads(self._record)

    @record.setter
    def record(self, record: Mapping[str, Any]) -> None:
        # Stored as text, because Keras wraps every container attribute to track layers in it.
        try:
            self._record = json.dumps(record, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"record must contain plain values only, no NaN or infinity; got {error}") from error

    def call(self, pair: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Computes the probability of a match for each pair of images.

        Args:
            pair: two tensors (n, h, w, c), or (n, h, w) of gray images; integers from 0 to 255 or floats from 0 to 1.
            training: uses batch statistics, and scores zero embeddings like any other.

        Returns:
            (n,) probabilities in [0, 1], higher is more similar. NaN, which is below every threshold, for pairs with an
            embedding that is zero or not finite or, in graph mode, with pixels out of range.

        Raises:
            ImageError: in eager mode, if pixels are out of range.
        """
        if tf.executing_eagerly():
            for images in pair:
                as_pixels(np.asarray(images))
        pair = tuple(images[..., tf.newaxis] if len(images.shape) == 3 else images for images in pair)
        count = tf.shape(pair[0])[0]
        embeddings = self._embeddings(tf.concat([scale_pixels(images) for images in pair], axis=0), training)  # (2n, d)
        scores = tf.sigmoid(self.head((embeddings[:count], embeddings[count:])))
        valid = tf.concat([valid_images(images) for images in pair], axis=0)
        if not training:
            squares = tf.reduce_sum(tf.square(embeddings), axis=1)
            valid &= tf.math.is_finite(squares) & (squares > SHORTEST**2)
        return tf.where(valid[:count] & valid[count:], scores, tf.cast(np.nan, scores.dtype))

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        """Scores pairs of images in batches, like `keras.Model.predict`.

        Args:
            x: a pair (img1, img2) of stacks of equal length, see `as_images`; or a `tf.data.Dataset` or generator of
                batches ((img1, img2),) of inputs to `call`.
            *args, **kwargs: see `keras.Model.predict`.

        Returns:
            (n,) float32 probabilities in [0, 1], higher is more similar.

        Raises:
            ImageError: if images have an invalid shape, dtype or range, the stacks differ in length, or an embedding is
                zero or not finite.
        """
        if isinstance(x, tuple | list | Mapping) or hasattr(x, "__array__") or is_image_source(x):
            x = as_pair(x, self.input_size, *self.image_format.options)
            if not len(x[0]):
                return np.zeros(0, np.float32)
        elif isinstance(x, tf.data.Dataset):
            check_pair_batches(x)
        scores = super().predict(x, *args, **kwargs)
        check_scores(scores)
        return scores

    def _embeddings(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        """Computes the (n, d) embeddings of (n, h, w, c) images."""
        views = make_views(scale_pixels(images), self.views)
        embeddings = [tf.cast(self.tower(view, training=training), tf.float32) for view in views]
        return tf.add_n(embeddings) / len(views)

    def get_config(self) -> dict[str, Any]:
        return {
            "input_size": list(self.input_size),
            "tower": self.tower_name,
            "embedding_dim": self.embedding_dim,
            "head": self.head_name,
            "threshold": self.threshold,
            "record": self.record,
            "views": self.views,
            "resize": self.resize,
            "invert": self.invert,
            "center": self.center,
        }
