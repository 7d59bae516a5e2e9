"""A bootstrap interval of the accuracy over images, which accounts for pairs that share images."""

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.intervals import accuracy_of, check_replicates, check_sides
from siamese_tf.evaluation.jackknife import jackknife_intervals

MIN_BOOTSTRAP_IMAGES = 100  # a bootstrap of fewer images gives intervals that are too narrow


def bootstrap_accuracy(
    img1: ArrayLike, img2: ArrayLike, correct: ArrayLike, *, replicates: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Computes a 95% interval of the accuracy by resampling images, not pairs.

    One hard image spoils all its pairs, so pairs that share images carry less information than as many disjoint ones.
    Each replicate draws the distinct images with replacement; the weight of a pair is the product of the counts of its
    two images, and the accuracy is sum(weight * correct) / sum(weight). The interval runs from the 2.5th to the 97.5th
    percentile; replicates without any pair are ignored.

    The variance component of single pairs is counted up to three times (Owen), so if no image is shared the interval is
    up to 1.7 times the binomial one. The component of single images is counted once, and a bootstrap of few images is
    too narrow: below MIN_BOOTSTRAP_IMAGES, `jackknife_intervals` is used, which draws nothing.

    If all decisions are correct, or all wrong, resampling shows no variation and the rule of three applies: n images
    form at most n / 2 disjoint pairs, so the other outcome may have a rate of up to 3 / (n / 2).

    Args:
        img1: integers (m,), the first image of each pair; only equality matters.
        img2: integers (m,), the second image of each pair.
        correct: bool or 0/1 (m,), True for a pair that was decided correctly.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the bootstrap; the same seed gives the same interval.

    Returns:
        (low, high), 0 <= low <= high <= 1.

    Raises:
        SiameseError: arrays that are not (m,) each, no pairs, `correct` other than 0 and 1, too few replicates.

    Reference:
        A. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007.
    """
    check_replicates(replicates)
    first, second = check_sides(img1=img1, img2=img2)
    right = _check_correct(correct, first.size)
    distinct, positions = np.unique(np.concatenate([first, second]), return_inverse=True)
    images = distinct.size
    if right.all() or not right.any():
        bound = min(1.0, 6 / images)
        return (1 - bound, 1.0) if right.all() else (0.0, bound)
    first, second = np.split(positions.astype(np.int64), 2)
    if images < MIN_BOOTSTRAP_IMAGES:
        return jackknife_intervals(first, second, np.zeros(right.size, bool), accuracy_of(right))["accuracy"]
    rng = np.random.default_rng(seed)
    accuracies = []
    for _ in range(replicates):
        counts = np.bincount(rng.integers(0, images, images), minlength=images)
        weights = counts[first] * counts[second]
        if total := weights.sum():
            accuracies.append(weights @ right / total)
    low, high = np.percentile(accuracies, [2.5, 97.5])
    return float(low), float(high)


def _check_correct(correct: ArrayLike, pairs: int) -> np.ndarray:
    right = np.asarray(correct)
    if right.shape != (pairs,):
        raise SiameseError(
            f"img1 and correct must have the same shape (m,), one entry per pair; got ({pairs},) and {right.shape}"
        )
    invalid = right[(right != 0) & (right != 1)]
    if invalid.size:
        raise SiameseError(f"correct must be 1 (right) or 0 (wrong) for every pair; got {invalid[0]}")
    return right.astype(np.int64)
