"""The one sigmoid of scores, without TensorFlow."""

import numpy as np


def probability(logits: np.ndarray) -> np.ndarray:
    """Converts float64 logits to probabilities, without overflow for large positive or negative logits."""
    small = np.exp(-np.abs(logits))  # in (0, 1]
    return np.where(logits >= 0, 1.0, small) / (1.0 + small)
