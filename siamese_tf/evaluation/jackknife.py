"""Intervals of rates on pairs by leaving out one person (class, image) at a time; they hold with few people, too.

Each person who is left out takes all their pairs along. How much a rate moves tells how many independent pairs would
know it as well as these do, the *effective size*, and the rate gets the Clopper-Pearson interval of that many.
"""

from collections.abc import Callable, Collection, Mapping

import numpy as np
from scipy.special import betaincinv, ndtri, stdtrit

MIN_CLUSTERS = 5  # people; with fewer, the spread between them is not known well enough for any interval
TAIL = 0.025  # of a 95% interval, on either side
DECIMALS = 12  # of a rate; what differs less is a rounding error

Statistics = Callable[[np.ndarray], Mapping[str, float]]


def jackknife_intervals(
    cluster1: np.ndarray,
    cluster2: np.ndarray,
    same: np.ndarray,
    statistics: Statistics,
    of_same: Collection[str] = (),
) -> dict[str, tuple[float, float]]:
    """95% intervals of rates: what they would be with other people (classes, images) of the same kind.

    The effective size is at most the number of distinct pairs of people with different pairs, or, for a rate of the
    same pairs, the number of these. A rate of 0 or 1 shows no spread: there the number of distinct pairs of people
    serves as the size (of people, for a rate of the same pairs).

    Args:
        cluster1, cluster2: integers (m,) from 0 to k - 1, who is on either image of each pair; all k occur.
        same: bool (m,), whether it is a same pair.
        statistics: rates in [0, 1] by name, from the weights of the pairs, int64 (m,); NaN where those cannot say.
        of_same: the names of the rates that are shares of the same pairs, such as the FNMR.

    Returns:
        By name, (low, high), 0 <= low <= high <= 1; (0, 1) with fewer than FEWEST people, and where the rate depends
        on fewer.

    References:
        J. Arvesen, "Jackknifing U-statistics", Annals of Mathematical Statistics 40(6), 1969, leaves out one unit of a
        statistic of pairs; E. Korn, B. Graubard, "Confidence intervals for proportions with small expected number of
        positive counts estimated from survey data", Survey Methodology 24(2), 1998, makes an interval of an effective
        size.
    """
    rates = statistics(np.ones(same.size, np.int64))
    clusters = int(max(cluster1.max(), cluster2.max())) + 1
    if clusters < MIN_CLUSTERS:
        return dict.fromkeys(rates, (0.0, 1.0))
    left_out = _left_out(cluster1, cluster2, clusters, statistics)
    different = distinct_pairs(cluster1[~same], cluster2[~same])
    of_one_person = distinct_pairs(cluster1[same], cluster2[same])
    intervals = {}
    for name, rate in rates.items():
        independent, most = (of_one_person, int(np.count_nonzero(same))) if name in of_same else (different, different)
        size = independent if is_extreme(rate) else min(most, effective_size(rate, left_out[name]))
        intervals[name] = binomial_interval(rate, size)
    return intervals


def effective_size(rate: float, left_out: np.ndarray, tail: float = TAIL) -> float:
    """Returns the number of independent pairs that give an equally certain rate: rate (1 - rate) / variance, or less.

    The variance is the jackknife's, (k - 1) / k times the sum of the squared deviations of `left_out` from their mean.
    It is itself uncertain: (z / t)^2 pays for that, t being the quantile of Student's t with k - 1 degrees of freedom,
    or 2 k / (kurtosis - 1) where a few people make up most of the spread (Satterthwaite).

    Args:
        rate: with everybody, in (0, 1).
        left_out: (n,), the rate without each of the people. Those who do not move it have no pair that counts.
        tail: the error probability of the limit that is made of it, on one side.

    Returns:
        0 where it cannot be said: fewer than FEWEST people move the rate, or it does not exist without one of them.
    """
    rounded = np.round(left_out, DECIMALS)
    moving = rounded[rounded != np.round(rate, DECIMALS)]
    k = moving.size
    if k < MIN_CLUSTERS or np.isnan(moving).any():
        return 0.0
    deviations = moving - moving.mean()
    squares = float(np.sum(deviations**2))
    if squares == 0:  # all people alike
        return float("inf")
    kurtosis = k * float(np.sum(deviations**4)) / squares**2
    degrees = min(k - 1, 2 * k / max(kurtosis - 1, 1e-9))
    return float(rate * (1 - rate) / ((k - 1) / k * squares) * (ndtri(tail) / stdtrit(degrees, tail)) ** 2)


def binomial_interval(rate: float, size: float) -> tuple[float, float]:
    """The 95% interval of Clopper and Pearson for a rate in [0, 1] of `size` independent pairs, not always whole ones.

    A NaN, or a size of 0, gives (0, 1).
    """
    if np.isnan(rate):
        return 0.0, 1.0
    high = float(upper_limit(rate, size, TAIL))
    return 1 - float(upper_limit(1 - rate, size, TAIL)), high


def upper_limit(rate: np.ndarray | float, size: float, tail: float) -> np.ndarray:
    """The upper limit, exceeded with probability `tail`, of a rate of `size` independent pairs (Clopper, Pearson)."""
    found = np.clip(np.asarray(rate, np.float64), 0, 1) * size
    with np.errstate(invalid="ignore"):
        return np.where(found >= size, 1.0, betaincinv(found + 1, np.maximum(size - found, 1e-300), 1 - tail))


def is_extreme(rate: float) -> bool:
    """Whether a rate is 0 or 1, but for rounding."""
    return float(np.round(rate, DECIMALS)) in (0.0, 1.0)


def distinct_pairs(cluster1: np.ndarray, cluster2: np.ndarray) -> int:
    """Counts the different pairs of people among pairs of images, in either order."""
    people, positions = np.unique(np.concatenate([cluster1, cluster2]), return_inverse=True)
    first, second = np.split(positions.ravel().astype(np.int64), 2)
    return np.unique(np.minimum(first, second) * people.size + np.maximum(first, second)).size


def _left_out(
    cluster1: np.ndarray, cluster2: np.ndarray, clusters: int, statistics: Statistics
) -> dict[str, np.ndarray]:
    rows = [statistics(((cluster1 != one) & (cluster2 != one)).astype(np.int64)) for one in range(clusters)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
