"""How far numbers on pairs can be trusted, given that pairs share images, and images people."""

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.jackknife import jackknife_intervals

MIN_REPLICATES = 100  # below it the outer 2.5% are one or two replicates
MANY_IMAGES = 100  # from here on the bootstrap of an accuracy is not too narrow
MANY_CLUSTERS = 1000  # beyond it leaving out each costs more than the replicates of a bootstrap


def bootstrap_accuracy(
    img1: ArrayLike, img2: ArrayLike, correct: ArrayLike, *, replicates: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95% interval of the accuracy, by drawing images, not pairs.

    One hard image spoils all its pairs, so pairs that share images say less than as many separate ones. Each replicate
    draws the distinct images with replacement; a pair weighs the product of how often its two images were drawn, and
    the accuracy is sum(weight * correct) / sum(weight). The interval runs from the 2.5th to the 97.5th percentile;
    replicates that hold no pair are left out.

    The part of the variance that belongs to single pairs is counted up to three times (Owen), so where no image is
    shared the interval is up to 1.7 times the binomial one. What belongs to single images is counted once, and a
    bootstrap of few images is too narrow: below MANY_IMAGES, `jackknife_intervals` answers, without draws.

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
    _check_replicates(replicates)
    first, second = _checked_sides(img1=img1, img2=img2)
    right = _checked_answers(correct, first.size)
    distinct, positions = np.unique(np.concatenate([first, second]), return_inverse=True)
    images = distinct.size
    if right.all() or not right.any():
        unseen = min(1.0, 6 / images)
        return (1 - unseen, 1.0) if right.all() else (0.0, unseen)
    first, second = np.split(positions.astype(np.int64), 2)
    if images < MANY_IMAGES:
        return jackknife_intervals(first, second, np.zeros(right.size, bool), accuracy_of(right))["accuracy"]
    rng = np.random.default_rng(seed)
    accuracies = []
    for _ in range(replicates):
        drawn = np.bincount(rng.integers(0, images, images), minlength=images)
        weights = drawn[first] * drawn[second]
        if total := weights.sum():
            accuracies.append(weights @ right / total)
    low, high = np.percentile(accuracies, [2.5, 97.5])
    return float(low), float(high)


def accuracy_of(correct: np.ndarray) -> Callable[[np.ndarray], Mapping[str, float]]:
    """The statistics of one rate, the `accuracy` of pairs of which `correct`, 0 or 1 (m,), were called right."""

    def accuracy(weights: np.ndarray) -> Mapping[str, float]:
        total = weights.sum()
        return {"accuracy": float(weights @ correct / total) if total else float("nan")}

    return accuracy


def cluster_intervals(
    cluster1: ArrayLike,
    cluster2: ArrayLike,
    same: ArrayLike,
    statistics: Callable[[np.ndarray], Mapping[str, float]],
    *,
    of_same: Collection[str] = (),
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95% intervals of rates on pairs over what was split: people, classes or images.

    Up to MANY_CLUSTERS of them, each is left out in turn, see `jackknife_intervals`; of more, `replicates` samples are
    drawn, see `bootstrap_people`.

    Args:
        cluster1, cluster2: integers (m,), who (which class, which image) is on either side of each pair.
        same: (m,), 1 or True for a same pair.
        statistics: rates in [0, 1] by name, from the weights of the pairs, int64 (m,); NaN where those cannot say.
        of_same: the names of the rates that are shares of the same pairs.
        replicates, seed: of the bootstrap.

    Returns:
        By name, (low, high), 0 <= low <= high <= 1; (0, 1) where there are fewer than `jackknife.FEWEST`.

    Raises:
        SiameseError: arrays that are not integers (m,), no pair, too few replicates.
    """
    _check_replicates(replicates)
    first, second = _checked_sides(cluster1=cluster1, cluster2=cluster2)
    distinct, positions = np.unique(np.concatenate([first, second]), return_inverse=True)
    if distinct.size > MANY_CLUSTERS:
        return bootstrap_people(first, second, statistics, replicates=replicates, seed=seed)
    first, second = np.split(positions.astype(np.int64), 2)
    return jackknife_intervals(first, second, np.asarray(same) == 1, statistics, of_same)


def bootstrap_people(
    person1: ArrayLike,
    person2: ArrayLike,
    statistics: Callable[[np.ndarray], Mapping[str, float]],
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95% intervals of rates on pairs, by drawing people: what they would be with other people of the same kind.

    One person who is hard to tell spoils all their pairs. Each replicate draws the people with replacement; a pair of
    one person weighs how often they were drawn, a pair of two people the product. (Two copies of a person who was
    drawn twice make no pair: it would be no different one.) The interval runs from the 2.5th to the 97.5th percentile
    of the replicates, leaving out those where the rate is NaN.

    With few people it is too narrow, see `cluster_intervals`. Where a rate is 0, or 1, in every replicate, the rule of
    three answers, 6 / people, as in `bootstrap_accuracy`.

    Args:
        person1, person2: integers (m,), who is on either image of each pair; only which are equal matters.
        statistics: rates in [0, 1] by name, from the weights of the pairs, int64 (m,); NaN where those cannot say.
        replicates: how many times to draw, at least 100.
        seed: of the draws; the same seed gives the same intervals.

    Returns:
        By name, (low, high), 0 <= low <= high <= 1.

    Raises:
        SiameseError: arrays that are not integers (m,), no pair, too few replicates.

    Reference:
        R. Bolle, N. Ratha, S. Pankanti, "Error analysis of pattern recognition systems: the subsets bootstrap",
        Computer Vision and Image Understanding 93(1), 2004, draws people; Owen, above, both sides of a pair.
    """
    _check_replicates(replicates)
    first, second = _checked_sides(person1=person1, person2=person2)
    distinct, positions = np.unique(np.concatenate([first, second]), return_inverse=True)
    people = distinct.size
    first, second = np.split(positions.astype(np.int64), 2)
    alone = first == second
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {}
    for _ in range(replicates):
        counts = np.bincount(rng.integers(0, people, people), minlength=people)
        weights = counts[first] * np.where(alone, 1, counts[second])
        for name, value in statistics(weights).items():
            drawn.setdefault(name, []).append(value)
    return {name: _outer(np.array(values), min(1.0, 6 / people)) for name, values in drawn.items()}


def _outer(values: np.ndarray, unseen: float) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not known.size:
        return 0.0, 1.0
    if known.min() == known.max() and known[0] in (0.0, 1.0):
        return (0.0, unseen) if known[0] == 0 else (1 - unseen, 1.0)
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _check_replicates(replicates: int) -> None:
    if replicates < MIN_REPLICATES:
        raise SiameseError(f"replicates is {replicates}: at least {MIN_REPLICATES} are needed for a 95% interval.")


def _checked_sides(**sides: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    (one, two), (first, second) = sides, map(np.asarray, sides.values())
    if first.ndim != 1 or first.shape != second.shape:
        raise SiameseError(
            f"{one} has shape {first.shape} and {two} {second.shape}: both must be (m,), one entry a pair."
        )
    if first.size == 0:
        raise SiameseError(f"There is no pair: {one} and {two} are empty. Give at least one pair.")
    if first.dtype.kind not in "iu" or second.dtype.kind not in "iu":
        raise SiameseError(f"{one} and {two} must be integers; {first.dtype} and {second.dtype} came.")
    return first, second


def _checked_answers(correct: ArrayLike, pairs: int) -> np.ndarray:
    right = np.asarray(correct)
    if right.shape != (pairs,):
        raise SiameseError(f"img1 has shape ({pairs},) and correct {right.shape}: both must be (m,), one entry a pair.")
    strange = right[(right != 0) & (right != 1)]
    if strange.size:
        raise SiameseError(f"correct must be 1 (right) or 0 (wrong) for every pair; {strange[0]} came.")
    return right.astype(np.int64)
