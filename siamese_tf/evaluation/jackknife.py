"""Jackknife intervals of rates on pairs: leaves out one person (class, image) at a time; valid for few people, too.

Leaving out a person removes all their pairs. The spread of the rate gives the number of independent pairs that would
determine it equally well, the *effective size*, and the interval is the Clopper-Pearson interval for that number.
"""

from collections.abc import Callable, Collection, Mapping

import numpy as np
from scipy.special import betaincinv, ndtri, stdtrit

MIN_CLUSTERS = 5  # with fewer people, their spread is too uncertain for any interval
TAIL = 0.025  # error probability on either side of a 95% interval
DECIMALS = 12  # rates that differ by less differ by rounding

Statistics = Callable[[np.ndarray], Mapping[str, float]]


def jackknife_intervals(
    cluster1: np.ndarray,
    cluster2: np.ndarray,
    same: np.ndarray,
    statistics: Statistics,
    of_same: Collection[str] = (),
) -> dict[str, tuple[float, float]]:
    """Computes 95% intervals of rates, valid for other people (classes, images) of the same population.

    The effective size is at most the number of distinct pairs of people among the different pairs, or, for a rate of
    the same pairs, the number of same pairs. A rate of 0 or 1 has no spread: its size is the number of distinct pairs
    of people (of people, for a rate of the same pairs).

    Args:
        cluster1, cluster2: integers (m,) from 0 to k - 1, the person on each image of a pair; all k occur.
        same: bool (m,), True for a same pair.
        statistics: computes rates in [0, 1], by name, from the weights of the pairs, int64 (m,); NaN if undefined.
        of_same: the names of the rates that are fractions of the same pairs, such as the FNMR.

    Returns:
        By name, (low, high), 0 <= low <= high <= 1; (0, 1) with fewer than MIN_CLUSTERS people, or if the rate depends
        on fewer.

    References:
        J. Arvesen, "Jackknifing U-statistics", Annals of Mathematical Statistics 40(6), 1969, leaves out one unit of a
        statistic of pairs.
        E. Korn, B. Graubard, "Confidence intervals for proportions with small expected number of positive counts
        estimated from survey data", Survey Methodology 24(2), 1998, derives an interval from an effective size.
    """
    rates = statistics(np.ones(same.size, np.int64))
    clusters = int(max(cluster1.max(), cluster2.max())) + 1
    if clusters < MIN_CLUSTERS:
        return dict.fromkeys(rates, (0.0, 1.0))
    left_out = _leave_one_out(cluster1, cluster2, clusters, statistics)
    different = count_distinct_pairs(cluster1[~same], cluster2[~same])
    same_people = count_distinct_pairs(cluster1[same], cluster2[same])
    intervals = {}
    for name, rate in rates.items():
        independent, limit = (same_people, int(np.count_nonzero(same))) if name in of_same else (different, different)
        size = independent if is_extreme(rate) else min(limit, effective_size(rate, left_out[name]))
        intervals[name] = binomial_interval(rate, size)
    return intervals


def effective_size(rate: float, left_out: np.ndarray, tail: float = TAIL) -> float:
    """Returns the number of independent pairs with an equally certain rate: at most rate (1 - rate) / variance.

    The variance is the jackknife's, (k - 1) / k times the sum of the squared deviations of `left_out` from their mean.
    It is itself an estimate: the factor (z / t)^2 accounts for that, t being the quantile of Student's t with k - 1
    degrees of freedom, or 2 k / (kurtosis - 1) if a few people dominate the spread (Satterthwaite).

    Args:
        rate: over all pairs, in (0, 1).
        left_out: (n,), the rate without each of the people. People who do not change it have no relevant pair.
        tail: the one-sided error probability of the limit derived from the size.

    Returns:
        The size, infinite if all people are alike; 0 if it is undefined: fewer than MIN_CLUSTERS people change the
        rate, or the rate is undefined without one of them.
    """
    rounded = np.round(left_out, DECIMALS)
    influential = rounded[rounded != np.round(rate, DECIMALS)]
    k = influential.size
    if k < MIN_CLUSTERS or np.isnan(influential).any():
        return 0.0
    deviations = influential - influential.mean()
    squares = float(np.sum(deviations**2))
    if squares == 0:
        return float("inf")
    kurtosis = k * float(np.sum(deviations**4)) / squares**2
    degrees = min(k - 1, 2 * k / max(kurtosis - 1, 1e-9))
    return float(rate * (1 - rate) / ((k - 1) / k * squares) * (ndtri(tail) / stdtrit(degrees, tail)) ** 2)


def binomial_interval(rate: float, size: float) -> tuple[float, float]:
    """Returns the 95% Clopper-Pearson interval of a rate in [0, 1] of `size` independent pairs (may be fractional).

    A NaN rate, or a size of 0, gives (0, 1).
    """
    if np.isnan(rate):
        return 0.0, 1.0
    high = float(upper_limit(rate, size, TAIL))
    return 1 - float(upper_limit(1 - rate, size, TAIL)), high


def upper_limit(rate: np.ndarray | float, size: float, tail: float) -> np.ndarray:
    """Returns the Clopper-Pearson upper limit, with error probability `tail`, of a rate of `size` independent pairs."""
    successes = np.clip(np.asarray(rate, np.float64), 0, 1) * size
    with np.errstate(invalid="ignore"):
        limits = betaincinv(successes + 1, np.maximum(size - successes, 1e-300), 1 - tail)
        return np.where(successes >= size, 1.0, limits)


def is_extreme(rate: float) -> bool:
    """Returns True for a rate of 0 or 1, up to rounding."""
    return float(np.round(rate, DECIMALS)) in (0.0, 1.0)


def count_distinct_pairs(cluster1: np.ndarray, cluster2: np.ndarray) -> int:
    """Counts the distinct unordered pairs of people among pairs of images."""
    people, positions = np.unique(np.concatenate([cluster1, cluster2]), return_inverse=True)
    first, second = np.split(positions.ravel().astype(np.int64), 2)
    return np.unique(np.minimum(first, second) * people.size + np.maximum(first, second)).size


def _leave_one_out(
    cluster1: np.ndarray, cluster2: np.ndarray, clusters: int, statistics: Statistics
) -> dict[str, np.ndarray]:
    rows = [statistics(((cluster1 != one) & (cluster2 != one)).astype(np.int64)) for one in range(clusters)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
