"""Scores of embeddings: of listed pairs, and of one set against another (the full matrix, or the k best per row).

All are computed in blocks, so that only the result grows with the number of embeddings.
"""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from siamese_tf.errors import ConfigError
from siamese_tf.models.embeddings import as_embeddings, check_comparable, check_scores
from siamese_tf.models.float32_cosines import cosine_scores
from siamese_tf.models.heads import Head
from siamese_tf.models.nearest_rows import nearest_rows

BLOCK = 1024  # rows and columns of a block
PAIR_BLOCK = 65_536  # listed pairs


class PairScorer:
    """Scores embeddings that are already computed, as returned by `SiameseModel.embed`."""

    def __init__(self, head: Head, embedding_dim: int):
        """Sets up scoring with the head of a model for (n, embedding_dim) embeddings."""
        self.head = head
        self.embedding_dim = embedding_dim
        vectors = tf.TensorSpec((None, embedding_dim), tf.float32)
        logits, indices = tf.TensorSpec((None, None), tf.float32), tf.TensorSpec((None, None), tf.int64)
        self._pair_block = tf.function(lambda a, b: head((a, b)), input_signature=[vectors, vectors])
        self._logit_block = tf.function(head.call_matrix, input_signature=[vectors, vectors])
        self._score_block = tf.function(self._scores_of, input_signature=[vectors, vectors])
        self._best_block = tf.function(
            self._best_of,
            input_signature=[
                vectors,
                vectors,
                logits,
                indices,
                tf.TensorSpec((), tf.int64),
                tf.TensorSpec((), tf.int32),
            ],
        )

    def pair_logits(self, embeddings: np.ndarray, rows1: np.ndarray, rows2: np.ndarray) -> np.ndarray:
        """Computes the logits of listed pairs of embeddings, which are not checked.

        Args:
            embeddings: (n, d) float32.
            rows1, rows2: (m,) integer row indices into `embeddings`.

        Returns:
            (m,) float64 logits, higher is more similar.
        """
        logits = np.empty(len(rows1))
        for block in row_slices(len(rows1), PAIR_BLOCK):
            logits[block] = self._pair_block(embeddings[rows1[block]], embeddings[rows2[block]]).numpy()
        return logits

    def score_matrix(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Computes the score of every row of `a` with every row of `b`.

        Args:
            a: (n, d) float embeddings.
            b: (m, d) float embeddings.

        Returns:
            (n, m) float32 probabilities in [0, 1], as from `SiameseModel.score` to 1e-5; higher is more similar.

        Raises:
            ImageError: if embeddings have the wrong shape, are zero or are not finite.
        """
        a, b = self._checked(a, "a"), self._checked(b, "b")
        if self.head.normalizes and np.isfinite([float(self.head.scale), float(self.head.bias)]).all():
            return cosine_scores(self.head, a, b)
        scores = np.empty((len(a), len(b)), np.float32)
        for rows in row_slices(len(a), BLOCK):
            for columns in row_slices(len(b), BLOCK):
                scores[rows, columns] = self._score_block(a[rows], b[columns]).numpy()
            check_scores(scores[rows])
        return scores

    def top_k(self, probes: np.ndarray, gallery: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Finds the k gallery rows most similar to each probe, best first.

        Rows are ordered by logit, since different logits can round to the same probability near 0 and 1; ties are
        ordered by index.

        Args:
            probes: (n, d) float embeddings.
            gallery: (m, d) float embeddings.
            k: number of rows per probe, from 1 to m.

        Returns:
            Row indices into the gallery, (n, k) int64, and their scores, (n, k) float32 probabilities.

        Raises:
            ConfigError: if k is out of range.
            ImageError: if embeddings have the wrong shape, are zero or are not finite.
        """
        probes, gallery = self._checked(probes, "probes"), self._checked(gallery, "gallery")
        is_integer = isinstance(k, int | np.integer) and not isinstance(k, bool)
        if not is_integer or not 1 <= k <= len(gallery):
            raise ConfigError(f"k must be an integer from 1 to {len(gallery)}, the size of the gallery; got {k!r}")
        indices, logits, proven = nearest_rows(self.head, probes, gallery, k)
        others = np.flatnonzero(~proven)
        indices[others], logits[others] = self._search_all(probes[others], gallery, k)
        check_scores(logits)
        return indices, tf.sigmoid(logits).numpy()

    def logit_matrix(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Computes (n, m) float32 logits, the values of `score_matrix` before the sigmoid; higher is more similar.

        Different logits can round to the same probability near 0 and 1. Logits can be averaged.
        """
        a, b = self._checked(a, "a"), self._checked(b, "b")
        logits = np.empty((len(a), len(b)), np.float32)
        for rows in row_slices(len(a), BLOCK):
            for columns in row_slices(len(b), BLOCK):
                logits[rows, columns] = self._logit_block(a[rows], b[columns]).numpy()
        return logits

    def prepare(self, gallery: np.ndarray) -> np.ndarray:
        """Preprocesses a gallery once for many calls of `prepared_logits`.

        Args:
            gallery: (m, d) float embeddings, not zero.

        Returns:
            (m, d) float32; L2-normalized if the head normalizes embeddings, which does not change the scores.

        Raises:
            ImageError: if embeddings have the wrong shape, are zero or are not finite.
        """
        rows = self._checked(gallery, "gallery")
        if not self.head.normalizes:
            return rows
        return rows / np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, np.newaxis]

    def prepared_logits(self, probes: np.ndarray, prepared: np.ndarray) -> np.ndarray:
        """Computes the logit of every probe with every row of a prepared gallery; fast for few probes.

        Args:
            probes: (n, d) float embeddings, not zero.
            prepared: (m, d) gallery returned by `prepare`.

        Returns:
            (n, m) float32 logits, higher is more similar. For a normalizing head they are computed from float32
            cosines: a Euclidean distance near 0 has errors of up to 1e-3, as in `euclidean_distance_matrix`.

        Raises:
            ImageError: if embeddings have the wrong shape, are zero or are not finite.
        """
        probes, prepared = self.prepare(probes), as_embeddings(prepared, self.embedding_dim)
        if self.head.normalizes:
            return self.head.logit_of_cosine(probes @ prepared.T)
        return self.logit_matrix(probes, prepared)

    def _search_all(self, probes: np.ndarray, gallery: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the (n, k) indices and logits of `top_k`, from the exact logits of all pairs."""
        indices, logits = np.empty((len(probes), k), np.int64), np.empty((len(probes), k), np.float32)
        for rows in row_slices(len(probes), BLOCK):
            block = probes[rows]
            best, found = tf.zeros((len(block), 0)), tf.zeros((len(block), 0), tf.int64)
            for columns in row_slices(len(gallery), BLOCK):
                best, found = self._best_block(block, gallery[columns], best, found, columns.start, k)
            indices[rows], logits[rows] = found.numpy(), best.numpy()
        return indices, logits

    def _scores_of(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(self.head.call_matrix(a, b))

    def _best_of(
        self, a: tf.Tensor, b: tf.Tensor, logits: tf.Tensor, found: tf.Tensor, start: tf.Tensor, k: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Merges the best rows so far, (n, j) `logits` and `found`, with the rows of `b`; `start` is its first row."""
        block, position = tf.math.top_k(self.head.call_matrix(a, b), tf.minimum(k, tf.shape(b)[0]))
        # top_k orders ties by position, so earlier rows must come first in the concatenation.
        logits, found = tf.concat([logits, block], 1), tf.concat([found, start + tf.cast(position, tf.int64)], 1)
        logits, order = tf.math.top_k(logits, tf.minimum(k, tf.shape(logits)[1]))
        return logits, tf.gather(found, order, batch_dims=1)

    def _checked(self, embeddings: np.ndarray, name: str) -> np.ndarray:
        rows = as_embeddings(embeddings, self.embedding_dim)
        check_comparable(rows, name)
        return rows


def row_slices(count: int, size: int) -> Iterator[slice]:
    """Yields slices of `size` rows that cover `count` rows; the last slice may be shorter."""
    return (slice(start, start + size) for start in range(0, count, size))
