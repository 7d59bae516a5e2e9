"""Metrics of decisions: the confusion counts at a threshold, and accuracy, precision, recall and F1 computed from them.

A pair with score >= threshold is called "same"; "positive" means "called same".
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.scored_pairs import check_scored_pairs


def confusion(similarity: ArrayLike, scores: ArrayLike, threshold: float) -> dict[str, int]:
    """Counts the four outcomes.

    Args:
        similarity: (m,), 1 = same, 0 = different; one class alone is fine.
        scores: (m,), finite, higher = more similar.
        threshold: a pair with score >= threshold is called same; any number but NaN.

    Returns:
        `tp` same called same, `fp` different called same, `tn` different called different, `fn` same called different.

    Raises:
        SiameseError: input that is not m scored pairs, or a NaN threshold.
    """
    same, values = check_scored_pairs(similarity, scores, both_classes=False)
    if math.isnan(threshold):
        raise SiameseError(f"threshold must be a number; got {threshold}")
    called_same = values >= threshold
    tp, fp = int(np.count_nonzero(called_same & same)), int(np.count_nonzero(called_same & ~same))
    positives = int(np.count_nonzero(same))
    return {"tp": tp, "fp": fp, "tn": same.size - positives - fp, "fn": positives - tp}


def accuracy(counts: dict[str, int]) -> float:
    """Returns the fraction of pairs decided correctly, in [0, 1], higher is better; `counts` as from `confusion`."""
    return (counts["tp"] + counts["tn"]) / sum(counts.values())


def precision(counts: dict[str, int]) -> float:
    """Returns the fraction of pairs called same that are same, higher is better; 0 if none is called same."""
    return _ratio(counts["tp"], counts["tp"] + counts["fp"])


def recall(counts: dict[str, int]) -> float:
    """Returns the fraction of same pairs that are called same (1 - FNMR), higher is better; 0 if no pair is same."""
    return _ratio(counts["tp"], counts["tp"] + counts["fn"])


def f1(counts: dict[str, int]) -> float:
    """Returns the harmonic mean of precision and recall, in [0, 1], higher is better; 0 without true positives."""
    return _ratio(2 * counts["tp"], 2 * counts["tp"] + counts["fp"] + counts["fn"])


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
