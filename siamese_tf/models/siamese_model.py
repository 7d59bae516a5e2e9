"""`SiameseModel`: one tower for both images, one head, one threshold; scores any two images."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.checks import check_choice
from siamese_tf.config import VIEW_NAMES
from siamese_tf.data.image_form import RESIZES, ImageForm, form_of_images
from siamese_tf.errors import ConfigError, ImageError
from siamese_tf.models.all_pairs import AllPairs, blocks
from siamese_tf.models.heads import build_head
from siamese_tf.models.inputs import Images, as_images, images_at_once
from siamese_tf.models.keras_saving import KerasSaving
from siamese_tf.models.pair_logits import PAIR_BLOCK, PairLogits, probability
from siamese_tf.models.towers import build_tower
from siamese_tf.models.views import scale_pixels, views_of


@keras.utils.register_keras_serializable(package="siamese_tf", name="SiameseModel")
class SiameseModel(KerasSaving):
    """Answers how probable it is that two images show the same thing.

    Attributes:
        tower: `keras.Model` from (n, h, w, c) float32 images in [0, 1] to (n, d) embeddings.
        head: layer from two (n, d) embeddings to (n,) logits.
        all_pairs: `score_matrix` and `top_k` of embeddings already made; a gallery is so embedded once.
        threshold: a pair with score >= threshold is called the same.
        views: the embedding of an image is the mean over these, at as many times the work, see `views_of`.
        resize: how image files of another size are brought to the model's, see `resize_image`.
        record: what is known of the training, plain values, a copy at each reading; `{}` before it.
        file_sha256: of the file that `load_model` read the model from, in hexadecimal; None for one that has no file.
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
    ):
        """Builds the network, with new weights.

        Args:
            input_size: height, width and channels of the images.
            tower: a name of TOWERS, or a `keras.Model` of your own.
            embedding_dim: d, the numbers in an embedding; read from the tower when you give your own.
            head: a name of HEADS.
            threshold: in [0, 1].
            record: see above.
            views: a name of VIEW_NAMES.
            resize: a name of RESIZES.

        Raises:
            ConfigError: an unknown name, a tower that does not turn (n, h, w, c) into (n, d), a threshold no score has.
        """
        super().__init__(name="siamese_model", dtype="float32")  # whatever the global policy
        if not 0 <= threshold <= 1:
            raise ConfigError(f"threshold must lie in [0, 1], as scores do; got {threshold}")
        height, width, channels = input_size
        self.input_size = (int(height), int(width), int(channels))
        self.tower_name = tower if isinstance(tower, str) else "custom"
        self.tower = build_tower(tower, self.input_size, embedding_dim)
        self.embedding_dim = int(self.tower.output_shape[-1])
        self.head_name = head
        self.head = build_head(head, self.embedding_dim)
        self.threshold = float(threshold)
        self.record = record or {}
        check_choice("views", views, VIEW_NAMES)
        check_choice("resize", resize, RESIZES)
        self.views, self.resize = views, resize
        self.file_sha256: str | None = None
        self._embed_batch = tf.function(
            lambda images: self._embeddings(images, training=False),
            input_signature=[tf.TensorSpec((None, *self.input_size), tf.float32)],
        )
        self._pair_logits = PairLogits(self.head, self.embedding_dim)
        self.all_pairs = AllPairs(self.head, self.embedding_dim)
        self.built = True

    @property
    def form(self) -> ImageForm:
        """What image files are brought to."""
        return form_of_images(self.input_size, self.resize)

    @property
    def record(self) -> dict[str, Any]:
        """What is known of the training: `record.json`, inside the model."""
        return json.loads(self._record)

    @record.setter
    def record(self, record: Mapping[str, Any]) -> None:
        # As text: Keras wraps every container it is given to look for layers in it.
        try:
            self._record = json.dumps(record, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"a record must hold plain values only, no NaN or infinity: {error}") from error

    def call(self, pair: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Two stacks of images (n, h, w, c), values 0 to 255, to (n,) probabilities of a match."""
        count = tf.shape(pair[0])[0]
        embeddings = self._embeddings(tf.concat([pair[0], pair[1]], axis=0), training)  # (2n, d)
        return tf.sigmoid(self.head((embeddings[:count], embeddings[count:])))

    def _embeddings(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        """(n, h, w, c) values 0 to 255 -> (n, d)."""
        views = views_of(scale_pixels(images), self.views)
        embeddings = [tf.cast(self.tower(view, training=training), tf.float32) for view in views]
        return tf.add_n(embeddings) / len(views)

    def embed(self, images: Images) -> np.ndarray:
        """The embeddings of images.

        Args:
            images: one image or a stack, see `as_images`.

        Returns:
            (n, d) float32, one row an image; (d,) for a single image.

        Raises:
            ImageError: images of another shape, dtype or range.
        """
        stack, single = as_images(images, self.input_size, self.resize)
        embeddings = np.empty((len(stack), self.embedding_dim), np.float32)
        for block in blocks(len(stack), images_at_once(self.input_size)):
            pixels = stack[block].astype(np.float32)
            embeddings[block] = self._embed_batch(pixels if stack.dtype == np.uint8 else 255.0 * pixels).numpy()
        return embeddings[0] if single else embeddings

    def embed_rows(self, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(k, d) embeddings of the images (n, h, w, c) at `rows` (k,); a stack on the disk is read block by block."""
        embeddings = np.empty((len(rows), self.embedding_dim), np.float32)
        for block in blocks(len(rows), images_at_once(self.input_size)):
            embeddings[block] = self.embed(images[rows[block]])
        return embeddings

    def score(self, img1: Images, img2: Images) -> np.ndarray | float:
        """How probable it is that two images match.

        Args:
            img1, img2: one image or a stack each, see `as_images`. One image is compared with all of a stack.

        Returns:
            (n,) float64 probabilities in [0, 1], higher is more similar; a float for a single pair.

        Raises:
            ImageError: images of another shape, dtype or range, or two stacks of different length.
        """
        first, second = self.embed(img1), self.embed(img2)
        a, b = np.atleast_2d(first), np.atleast_2d(second)
        if first.ndim == second.ndim and len(a) != len(b):
            raise ImageError(f"two stacks must be equally long, one pair a row; got {len(a)} and {len(b)} images")
        rows1 = np.arange(len(a)) if first.ndim == 2 else np.zeros(len(b), int)
        rows2 = np.arange(len(b)) if second.ndim == 2 else np.zeros(len(a), int)
        scores = probability(self.pair_logits(np.concatenate([a, b]), rows1, len(a) + rows2))
        return float(scores[0]) if first.ndim == second.ndim == 1 else scores

    def score_pairs(self, images: np.ndarray, img1: np.ndarray, img2: np.ndarray) -> np.ndarray:
        """The scores of many pairs among the same images; each distinct image is embedded once.

        Args:
            images: (n, h, w, c) uint8 or float, see `as_images`.
            img1, img2: (m,) integers, positions in `images`.

        Returns:
            (m,) float64 probabilities in [0, 1], higher is more similar.
        """
        used = np.flatnonzero(np.bincount(np.concatenate([img1, img2])))
        embeddings = np.empty((len(images), self.embedding_dim), np.float32)
        embeddings[used] = self.embed_rows(images, used)
        scores = np.empty(len(img1))
        for block in blocks(len(img1), PAIR_BLOCK):
            scores[block] = probability(self.pair_logits(embeddings, img1[block], img2[block]))
        return scores

    def pair_logits(self, embeddings: np.ndarray, rows1: np.ndarray, rows2: np.ndarray) -> np.ndarray:
        """(m,) float64 logits of listed pairs of embeddings, higher is more similar, see `PairLogits`."""
        return self._pair_logits(embeddings, rows1, rows2)

    def score_matrix(self, images_a: Images, images_b: Images) -> np.ndarray:
        """The scores of all images of one stack against all of another; each image is embedded once.

        Args:
            images_a, images_b: a stack each, see `as_images`; a single image is a stack of one. The same stack twice is
                embedded once.

        Returns:
            (n, m) float32 probabilities in [0, 1], higher is more similar; row i is `images_a[i]`.

        Raises:
            ImageError: images of another shape, dtype or range.
        """
        return self.all_pairs.score_matrix(*self._embed_both(images_a, images_b))

    def top_k(self, probes: Images, gallery: Images, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k images of a gallery most similar to each probe, without the matrix of all scores.

        Args:
            probes, gallery: a stack each, as for `score_matrix`.
            k: from 1 to the images of the gallery.

        Returns:
            Positions in the gallery, (n, k) int64, and their scores, (n, k) float32; best first, by the logit, and of
            equal ones the lower position.

        Raises:
            ConfigError: another k.
            ImageError: images of another shape, dtype or range.
        """
        return self.all_pairs.top_k(*self._embed_both(probes, gallery), k)

    def _embed_both(self, images_a: Images, images_b: Images) -> tuple[np.ndarray, np.ndarray]:
        """(n, d) and (m, d) embeddings."""
        a = np.atleast_2d(self.embed(images_a))
        return a, a if images_b is images_a else np.atleast_2d(self.embed(images_b))

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
        }
