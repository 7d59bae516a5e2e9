"""How far an accuracy on pairs can be trusted, given that pairs share images."""

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError

FEWEST_REPLICATES = 100  # below it the outer 2.5% are one or two replicates


def bootstrap_accuracy(
    img1: ArrayLike, img2: ArrayLike, correct: ArrayLike, *, replicates: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95% interval of the accuracy, by drawing images, not pairs.

    One hard image spoils all its pairs, so pairs that share images say less than as many separate ones. Each replicate
    draws the distinct images with replacement; a pair weighs the product of how often its two images were drawn, and
    the accuracy is sum(weight * correct) / sum(weight). The interval runs from the 2.5th to the 97.5th percentile;
    replicates that hold no pair are left out.

    It errs on the wide side: the part of the variance that belongs to single pairs is counted up to three times
    (Owen), so where no image is shared the interval is up to 1.7 times the binomial one.

    Where every pair is right, or every one wrong, drawing again shows nothing new and the rule of three answers: n
    images hold at most n / 2 pairs that share none, so up to 3 / (n / 2) of the other outcome may have gone unseen.

    Args:
        img1: integers (m,), the first image of each pair; only which are equal matters.
        img2: integers (m,), the second image of each pair.
        correct: bool or 0/1 (m,), whether the pair was called right.
        replicates: how many times to draw, at least 100.
        seed: of the draws; the same seed gives the same interval.

    Returns:
        (low, high), 0 <= low <= high <= 1.

    Raises:
        SiameseError: arrays that are not (m,) each, no pair, `correct` other than 0 and 1, too few replicates.

    Reference:
        A. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007.
    """
    if replicates < FEWEST_REPLICATES:
        raise SiameseError(f"replicates is {replicates}: at least {FEWEST_REPLICATES} are needed for a 95% interval.")
    first, second, right = _checked(img1, img2, correct)
    distinct, positions = np.unique(np.concatenate([first, second]), return_inverse=True)
    images = distinct.size
    if right.all() or not right.any():
        unseen = min(1.0, 6 / images)
        return (1 - unseen, 1.0) if right.all() else (0.0, unseen)
    first, second = np.split(positions.astype(np.int64), 2)
    rng = np.random.default_rng(seed)
    accuracies = []
    for _ in range(replicates):
        drawn = np.bincount(rng.integers(0, images, images), minlength=images)
        weights = drawn[first] * drawn[second]
        if total := weights.sum():
            accuracies.append(weights @ right / total)
    low, high = np.percentile(accuracies, [2.5, 97.5])
    return float(low), float(high)


def _checked(img1: ArrayLike, img2: ArrayLike, correct: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second, right = np.asarray(img1), np.asarray(img2), np.asarray(correct)
    if first.ndim != 1 or not first.shape == second.shape == right.shape:
        raise SiameseError(
            f"img1 has shape {first.shape}, img2 {second.shape} and correct {right.shape}: "
            "all must be (m,), one entry a pair."
        )
    if first.size == 0:
        raise SiameseError("There is no pair: img1, img2 and correct are empty. Give at least one pair.")
    if first.dtype.kind not in "iu" or second.dtype.kind not in "iu":
        raise SiameseError(f"img1 and img2 must be integers (image numbers); {first.dtype} and {second.dtype} came.")
    strange = right[(right != 0) & (right != 1)]
    if strange.size:
        raise SiameseError(f"correct must be 1 (right) or 0 (wrong) for every pair; {strange[0]} came.")
    return first, second, right.astype(np.int64)
