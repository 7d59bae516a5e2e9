"""Checks of scored pairs, the input of every metric."""

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError


def check_scored_pairs(
    similarity: ArrayLike, scores: ArrayLike, *, both_classes: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Validates labels and scores and returns them as arrays.

    Args:
        similarity: (m,), 1 = same, 0 = different.
        scores: (m,), finite, higher = more similar.
        both_classes: whether at least one same and one different pair are required.

    Returns:
        `same` bool (m,), `scores` float64 (m,).

    Raises:
        SiameseError: shapes that differ or are not (m,), no pairs, labels other than 0 and 1, scores that are NaN or
            infinite, or only one class where both are required.
    """
    labels, values = np.asarray(similarity), np.asarray(scores, np.float64)
    if labels.ndim != 1 or labels.shape != values.shape:
        raise SiameseError(
            f"similarity and scores must have the same shape (m,), one entry per pair; got {labels.shape} and"
            f" {values.shape}"
        )
    if labels.size == 0:
        raise SiameseError("similarity and scores must hold at least one pair; got none")
    invalid = labels[(labels != 0) & (labels != 1)]
    if invalid.size:
        raise SiameseError(f"similarity must be 1 (same) or 0 (different) for every pair; got {invalid[0]}")
    infinite = np.count_nonzero(~np.isfinite(values))
    if infinite:
        raise SiameseError(f"scores must be finite; got {infinite} of {values.size} that are NaN or infinite")
    same = labels == 1
    if both_classes and same.all() | (~same).all():
        raise SiameseError(
            f"the pairs must include at least one of each class; got {np.count_nonzero(same)} same and"
            f" {np.count_nonzero(~same)} different pairs"
        )
    return same, values


def check_person_ids(person1: ArrayLike, person2: ArrayLike, pairs: tuple[int, ...]) -> None:
    """Raises a SiameseError unless `person1` and `person2` have the shape (m,) of the pairs."""
    if not np.shape(person1) == np.shape(person2) == pairs:
        raise SiameseError(
            f"person1, person2 and similarity must have the same shape (m,), one entry per pair; got"
            f" {np.shape(person1)}, {np.shape(person2)} and {pairs}"
        )
