"""Confidence intervals of rates on pairs, which account for pairs that share images and images that share people."""

import math
from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.jackknife import TAIL, Statistics, jackknife_intervals

MIN_REPLICATES = 100  # with fewer, the outer 2.5% are one or two replicates
MAX_JACKKNIFE_CLUSTERS = 1000  # with more, leaving out each one costs more than a bootstrap


def accuracy_of(correct: np.ndarray) -> Callable[[np.ndarray], Mapping[str, float]]:
    """Returns the statistics of a single rate: the `accuracy` of decisions `correct`, 0 or 1 (m,)."""

    def accuracy(weights: np.ndarray) -> Mapping[str, float]:
        total = weights.sum()
        return {"accuracy": float(weights @ correct / total) if total else float("nan")}

    return accuracy


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Computes the 95% Wilson score interval of a rate of independent trials.

    Args:
        successes: number of successes, 0 to `trials`.
        trials: number of trials, at least 1.

    Returns:
        (low, high), 0 <= low <= high <= 1.

    Raises:
        SiameseError: if a number is out of range.

    Reference:
        E. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
        Statistical Association 22(158), 1927.
    """
    if not 0 <= successes <= trials or trials < 1:
        raise SiameseError(f"successes must be from 0 to the number of trials, at least 1; got {successes} of {trials}")
    z = float(ndtri(1 - TAIL))
    rate, shrunk = successes / trials, 1 + z**2 / trials
    middle = (rate + z**2 / (2 * trials)) / shrunk
    half = z / shrunk * math.sqrt(rate * (1 - rate) / trials + (z / (2 * trials)) ** 2)
    return (0.0 if successes == 0 else middle - half), (1.0 if successes == trials else middle + half)


def cluster_intervals(
    cluster1: ArrayLike,
    cluster2: ArrayLike,
    same: ArrayLike,
    statistics: Statistics,
    *,
    of_same: Collection[str] = (),
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Computes 95% intervals of rates on pairs over the units of the split: people, classes or images.

    Up to MAX_JACKKNIFE_CLUSTERS units, each is left out in turn, see `jackknife_intervals`; with more, `replicates`
    samples are drawn, see `bootstrap_people`.

    Args:
        cluster1, cluster2: integers (m,), the person (class, image) on each side of a pair.
        same: (m,), 1 or True for a same pair.
        statistics: computes rates in [0, 1], by name, from the weights of the pairs, int64 (m,); NaN if undefined.
        of_same: the names of the rates that are fractions of the same pairs.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the bootstrap.

    Returns:
        By name, (low, high), 0 <= low <= high <= 1; (0, 1) with fewer than `jackknife.MIN_CLUSTERS` units.

    Raises:
        SiameseError: arrays that are not integers (m,), no pairs, too few replicates.
    """
    check_replicates(replicates)
    first, second = check_sides(cluster1=cluster1, cluster2=cluster2)
    distinct, positions = np.unique(np.concatenate([first, second]), return_inverse=True)
    if distinct.size > MAX_JACKKNIFE_CLUSTERS:
        return bootstrap_people(first, second, statistics, replicates=replicates, seed=seed)
    first, second = np.split(positions.astype(np.int64), 2)
    return jackknife_intervals(first, second, np.asarray(same) == 1, statistics, of_same)


def bootstrap_people(
    person1: ArrayLike,
    person2: ArrayLike,
    statistics: Statistics,
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Computes 95% intervals of rates on pairs by resampling people.

    One person who is hard to recognize spoils all their pairs. Each replicate draws the people with replacement. The
    weight of a pair of one person is that person's count, that of a pair of two people the product of their counts.
    (Two copies of a person form no pair: it would not be a different one.) The interval runs from the 2.5th to the
    97.5th percentile of the replicates; those in which the rate is NaN are ignored.

    With few people the interval is too narrow, see `cluster_intervals`. If a rate is 0, or 1, in every replicate, the
    rule of three applies, 6 / people, as in `bootstrap_accuracy`.

    Args:
        person1, person2: integers (m,), the person on each image of a pair; only equality matters.
        statistics: computes rates in [0, 1], by name, from the weights of the pairs, int64 (m,); NaN if undefined.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the bootstrap; the same seed gives the same intervals.

    Returns:
        By name, (low, high), 0 <= low <= high <= 1.

    Raises:
        SiameseError: arrays that are not integers (m,), no pairs, too few replicates.

    References:
        R. Bolle, N. Ratha, S. Pankanti, "Error analysis of pattern recognition systems: the subsets bootstrap",
        Computer Vision and Image Understanding 93(1), 2004, resamples people.
        A. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007, resamples both sides of a pair.
    """
    check_replicates(replicates)
    first, second = check_sides(person1=person1, person2=person2)
    distinct, positions = np.unique(np.concatenate([first, second]), return_inverse=True)
    people = distinct.size
    first, second = np.split(positions.astype(np.int64), 2)
    within_person = first == second
    rng = np.random.default_rng(seed)
    values_of: dict[str, list[float]] = {}
    for _ in range(replicates):
        counts = np.bincount(rng.integers(0, people, people), minlength=people)
        weights = counts[first] * np.where(within_person, 1, counts[second])
        for name, value in statistics(weights).items():
            values_of.setdefault(name, []).append(value)
    return {name: _percentile_interval(np.array(values), min(1.0, 6 / people)) for name, values in values_of.items()}


def _percentile_interval(values: np.ndarray, bound: float) -> tuple[float, float]:
    """Returns the 95% percentile interval; `bound` limits the rate of an outcome that no replicate shows."""
    known = values[~np.isnan(values)]
    if not known.size:
        return 0.0, 1.0
    if known.min() == known.max() and known[0] in (0.0, 1.0):
        return (0.0, bound) if known[0] == 0 else (1 - bound, 1.0)
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def check_replicates(replicates: int) -> None:
    """Raises a SiameseError for too few replicates."""
    if replicates < MIN_REPLICATES:
        raise SiameseError(f"replicates must be at least {MIN_REPLICATES} for a 95% interval; got {replicates}")


def check_sides(**sides: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Validates the two sides of the pairs, given by their names, and returns them as arrays.

    Raises:
        SiameseError: arrays that are not integers (m,), or no pairs.
    """
    (one, two), (first, second) = sides, map(np.asarray, sides.values())
    if first.ndim != 1 or first.shape != second.shape:
        raise SiameseError(
            f"{one} and {two} must have the same shape (m,), one entry per pair; got {first.shape} and {second.shape}"
        )
    if first.size == 0:
        raise SiameseError(f"{one} and {two} must hold at least one pair; got none")
    if first.dtype.kind not in "iu" or second.dtype.kind not in "iu":
        raise SiameseError(f"{one} and {two} must be integers; got {first.dtype} and {second.dtype}")
    return first, second
