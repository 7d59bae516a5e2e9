"""Accuracy within and across groups: dissimilar images of one group, such as an alphabet, are harder to tell apart."""

from typing import Any

import numpy as np

from siamese_tf.evaluation import metrics


def group_accuracy(
    same: np.ndarray, scores: np.ndarray, threshold: float, group1: np.ndarray, group2: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Computes the accuracy on dissimilar pairs within groups and on those across groups, each with all similar pairs.

    Args:
        same: (m,) bool, True for similar pairs, whose images are of one group.
        scores: (m,), higher is more similar.
        threshold: a pair with score >= threshold is called same.
        group1, group2: (m,) integers, the groups of the two images of each pair.

    Returns:
        By `within` and `across`, each only if there are dissimilar pairs of this kind: `pairs`, their number with the
        similar pairs; `similar`, the number of these; `accuracy` in [0, 1]; and `balanced_accuracy`, the mean of the
        fractions of similar pairs called same and of dissimilar pairs called different.
    """
    one_group = group1 == group2
    kinds = {"within": one_group, "across": ~one_group}
    return {
        name: _accuracy(same, scores, threshold, ~same & kind) for name, kind in kinds.items() if (~same & kind).any()
    }


def _accuracy(same: np.ndarray, scores: np.ndarray, threshold: float, dissimilar: np.ndarray) -> dict[str, Any]:
    rows = same | dissimilar
    counts = metrics.confusion(same[rows], scores[rows], threshold)
    found = [counts["tp"] / (counts["tp"] + counts["fn"]), counts["tn"] / (counts["tn"] + counts["fp"])]
    return {
        "pairs": int(rows.sum()),
        "similar": int(same.sum()),
        "accuracy": metrics.accuracy(counts),
        "balanced_accuracy": sum(found) / 2,
    }
