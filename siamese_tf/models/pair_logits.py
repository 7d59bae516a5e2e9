"""Logits and probabilities of listed pairs of embeddings."""

import numpy as np
import tensorflow as tf

from siamese_tf.models.heads import Head
from siamese_tf.models.pair_scorer import row_slices

PAIR_BLOCK = 65_536


class PairLogits:
    """Applies a head to listed pairs of embeddings, as returned by `SiameseModel.embed`."""

    def __init__(self, head: Head, embedding_dim: int):
        """Compiles the head of a model for (n, embedding_dim) embeddings."""
        vectors = tf.TensorSpec((None, embedding_dim), tf.float32)
        self._head_block = tf.function(lambda a, b: head((a, b)), input_signature=[vectors, vectors])

    def __call__(self, embeddings: np.ndarray, rows1: np.ndarray, rows2: np.ndarray) -> np.ndarray:
        """Computes the logits of pairs of embeddings in blocks, to limit memory.

        Args:
            embeddings: (n, d) float32.
            rows1, rows2: (m,) integer row indices into `embeddings`.

        Returns:
            (m,) float64 logits, higher is more similar.
        """
        logits = np.empty(len(rows1))
        for block in row_slices(len(rows1), PAIR_BLOCK):
            logits[block] = self._head_block(embeddings[rows1[block]], embeddings[rows2[block]]).numpy()
        return logits


def probability(logits: np.ndarray) -> np.ndarray:
    """Converts float64 logits to probabilities, without overflow for large positive or negative logits."""
    small = np.exp(-np.abs(logits))  # in (0, 1]
    return np.where(logits >= 0, 1.0, small) / (1.0 + small)
