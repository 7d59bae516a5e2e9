"""Embeddings and scores of images: listed pairs, all pairs, and the best matches in a gallery."""

from collections.abc import Hashable, Sequence

import numpy as np
import tensorflow as tf

from siamese_tf.data.images.format import ImageFormat, format_of_images
from siamese_tf.data.images.mapped import release_pages
from siamese_tf.models.classify import MEAN_EMBEDDING, class_logits
from siamese_tf.models.embeddings import check_comparable, check_scores
from siamese_tf.models.inputs import Images, as_images, check_lengths, images_at_once
from siamese_tf.models.pair_scorer import PAIR_BLOCK, PairScorer, row_slices
from siamese_tf.models.probability import probability


class Scoring:
    """Mixin with the embedding and scoring methods of `SiameseModel`, which are thread-safe."""

    input_size: tuple[int, int, int]
    embedding_dim: int
    resize: str
    invert: bool
    center: str | None
    all_pairs: PairScorer
    _embed_uint8: tf.types.experimental.PolymorphicFunction
    _embed_float32: tf.types.experimental.PolymorphicFunction

    @property
    def image_format(self) -> ImageFormat:
        """Image format to which image files are converted."""
        return format_of_images(self.input_size, self.resize, self.invert, self.center)

    def embed(self, images: Images) -> np.ndarray:
        """Computes the embeddings of images.

        Args:
            images: one image or a stack, see `as_images`.

        Returns:
            (n, d) float32 embeddings, one row per image, not normalized; (d,) for a single image.

        Raises:
            ImageError: if the images have an invalid type, shape, dtype or range.
        """
        stack, single = as_images(images, self.input_size, *self.image_format.options)
        embeddings = np.empty((len(stack), self.embedding_dim), np.float32)
        embed_batch = self._embed_uint8 if stack.dtype == np.uint8 else self._embed_float32
        for block in row_slices(len(stack), images_at_once(self.input_size)):
            embeddings[block] = embed_batch(stack[block]).numpy()
            release_pages(stack)
        return embeddings[0] if single else embeddings

    def embed_rows(self, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Computes the (k, d) embeddings of `images[rows]`, reading memory-mapped images in blocks.

        Args:
            images: (n, h, w, c) integers or floats, see `as_images`.
            rows: (k,) integer indices into `images`.
        """
        embeddings = np.empty((len(rows), self.embedding_dim), np.float32)
        for block in row_slices(len(rows), images_at_once(self.input_size)):
            embeddings[block] = self.embed(images[rows[block]])
            release_pages(images)
        return embeddings

    def score(self, img1: Images, img2: Images) -> np.ndarray | float:
        """Computes the probability that two images match.

        Args:
            img1, img2: one image or a stack each, see `as_images`. A single image is compared with every image of a
                stack.

        Returns:
            (n,) float64 probabilities in [0, 1], higher is more similar; a float for a single pair.

        Raises:
            ImageError: if images have an invalid type, shape, dtype or range, two stacks differ in length, or an
                embedding is zero or not finite.
        """
        first, second = self.embed(img1), self.embed(img2)
        a, b = np.atleast_2d(first), np.atleast_2d(second)
        if first.ndim == second.ndim:
            check_lengths(len(a), len(b))
        check_comparable(a, "img1")
        check_comparable(b, "img2")
        rows1 = np.arange(len(a)) if first.ndim == 2 else np.zeros(len(b), int)
        rows2 = np.arange(len(b)) if second.ndim == 2 else np.zeros(len(a), int)
        scores = probability(self.pair_logits(np.concatenate([a, b]), rows1, len(a) + rows2))
        check_scores(scores)
        return float(scores[0]) if first.ndim == second.ndim == 1 else scores

    def score_pairs(self, images: np.ndarray, img1: np.ndarray, img2: np.ndarray, *, check: bool = True) -> np.ndarray:
        """Computes the scores of many pairs of images from one array; each distinct image is embedded once.

        Args:
            images: (n, h, w, c) integers or floats, see `as_images`.
            img1, img2: (m,) integer indices into `images`.
            check: rejects embeddings that are zero or not finite. If False, as for a network in training, a pair with a
                zero embedding is scored like any other, and one with a non-finite embedding gets NaN.

        Returns:
            (m,) float64 probabilities in [0, 1], higher is more similar.

        Raises:
            ImageError: if images have an invalid shape, dtype or range, or, with `check`, an embedding is zero or not
                finite.
        """
        used = np.flatnonzero(np.bincount(np.concatenate([img1, img2])))
        embeddings = np.empty((len(images), self.embedding_dim), np.float32)
        embeddings[used] = self.embed_rows(images, used)
        if check:
            check_comparable(embeddings[used], positions=used)
        scores = np.empty(len(img1))
        for block in row_slices(len(img1), PAIR_BLOCK):
            scores[block] = probability(self.pair_logits(embeddings, img1[block], img2[block]))
        return scores

    def pair_logits(self, embeddings: np.ndarray, rows1: np.ndarray, rows2: np.ndarray) -> np.ndarray:
        """Computes (m,) float64 logits of listed pairs of embeddings; higher is more similar; see `PairScorer`."""
        return self.all_pairs.pair_logits(embeddings, rows1, rows2)

    def score_matrix(self, images_a: Images, images_b: Images) -> np.ndarray:
        """Computes the scores of all images of one stack against all of another; each image is embedded once.

        Args:
            images_a, images_b: one stack each, see `as_images`; a single image counts as a stack of one. If both are
                the same object, it is embedded once.

        Returns:
            (n, m) float32 probabilities in [0, 1], higher is more similar; row i belongs to `images_a[i]`.

        Raises:
            ImageError: see `score`.
        """
        return self.all_pairs.score_matrix(*self._embed_both(images_a, images_b))

    def top_k(self, probes: Images, gallery: Images, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Finds the k gallery images most similar to each probe, without computing the full score matrix.

        Args:
            probes, gallery: one stack each, see `score_matrix`.
            k: number of images per probe, from 1 to the size of the gallery.

        Returns:
            Indices into the gallery, (n, k) int64, and their scores, (n, k) float32; sorted by logit, best first, ties
            by index.

        Raises:
            ConfigError: if k is out of range.
            ImageError: see `score`.
        """
        return self.all_pairs.top_k(*self._embed_both(probes, gallery), k)

    def classify(
        self, images: Images, support: Images, labels: Sequence[Hashable], rule: str = MEAN_EMBEDDING
    ) -> tuple[list[Hashable], np.ndarray]:
        """Classifies images among classes that are given by one or more support images each (n-way k-shot).

        Args:
            images, support: one stack each, see `score_matrix`.
            labels: the class of each support image.
            rule: score of a class, see `class_logits`: `"mean-embedding"`, `"mean-score"` or `"best-score"`.

        Returns:
            The label of the most similar class of each image, and (n, classes) float64 probabilities; higher is more
            similar. The columns are the classes in the order in which they first occur in `labels`.

        Raises:
            ConfigError: if `rule` is unknown, or there is not one label per support image.
            ImageError: see `score`.
        """
        classes, logits = class_logits(self.all_pairs, *self._embed_both(images, support), labels, rule)
        return [classes[best] for best in logits.argmax(axis=1)], probability(logits.astype(np.float64))

    def _embed_both(self, images_a: Images, images_b: Images) -> tuple[np.ndarray, np.ndarray]:
        """Computes the (n, d) and (m, d) embeddings of two stacks."""
        a = np.atleast_2d(self.embed(images_a))
        return a, a if images_b is images_a else np.atleast_2d(self.embed(images_b))
