"""Verification metrics in the field's terms: FMR, FNMR, EER and more, with confidence intervals over people.

FMR and FNMR are defined in `roc`; both, and the equal error rate, are better lower.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.intervals import cluster_intervals
from siamese_tf.evaluation.jackknife import count_distinct_pairs
from siamese_tf.evaluation.pair_rates import RATES, PairRates
from siamese_tf.evaluation.report import FALSE_MATCH_RATES
from siamese_tf.evaluation.scored_pairs import check_person_ids, check_scored_pairs

# Minimum number of distinct pairs of people for an interval of the FNMR at an FMR. With fewer, its coverage was below
# 93% in simulations, or was not simulated (benchmarks/coverage.py).
FNMR_PAIRS_OF_PEOPLE = {"0.1": 3, "0.01": 25, "0.001": 1000}


def verification_report(
    similarity: ArrayLike,
    person1: ArrayLike,
    person2: ArrayLike,
    scores: ArrayLike,
    threshold: ArrayLike,
    *,
    images: tuple[ArrayLike, ArrayLike] | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Computes all verification metrics, each with a 95% interval over people or images (see `cluster_intervals`).

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        person1, person2: integers (m,), the person on each image of a pair.
        scores: (m,), finite, higher = more similar.
        threshold: a pair with score >= threshold is called same; one number, or (m,), one per pair, as with folds.
            Choose it on other pairs.
        images: integers (m,) twice, the images of each pair: computes the intervals over images, which is correct if
            the people of the test are also those of the training. None computes them over people.
        replicates: number of bootstrap replicates.
        seed: seed of the bootstrap.

    Returns:
        Python numbers, lists, dicts and None only: `pairs`, `people`, `threshold` (the mean of (m,) ones), `accuracy`,
        `f1` and `auc` (higher is better), `fmr`, `fnmr` and `eer` (lower is better), `fnmr_at_fmr`, the lowest FNMR
        with an FMR of at most "0.1", "0.01" and "0.001" (None with too few different pairs), `confusion` with `tp`,
        `fp`, `tn`, `fn`, and `ci95`: [low, high] by the name of the rate, `fnmr_at_fmr` by its FMR; `ci95_over`,
        "people" or "images", `ci95_count`, their number, and `ci95_pairs`, the number of distinct different pairs of
        them. With fewer than 5, every interval is [0, 1]; with fewer pairs than FNMR_PAIRS_OF_PEOPLE, the interval of
        an FNMR at an FMR is None.

    Raises:
        SiameseError: input that is not m scored pairs of both classes and of known people.
    """
    same, values = check_scored_pairs(similarity, scores)
    check_person_ids(person1, person2, same.shape)
    cut = _check_threshold(threshold, same.shape)
    rates = PairRates(same, values, values >= cut)
    first, second = map(np.asarray, (person1, person2) if images is None else images)
    supported = [str(fmr) for fmr in rates.supported]
    intervals = cluster_intervals(
        first, second, same, rates.of, of_same=("fnmr", *supported), replicates=replicates, seed=seed
    )
    unweighted = np.ones(same.size, np.int64)
    numbers = rates.of(unweighted)
    distinct = count_distinct_pairs(first[~same], second[~same])
    refused = {str(fmr): None for fmr in FALSE_MATCH_RATES}
    fnmr_intervals = {fmr: list(intervals[fmr]) for fmr in supported if distinct >= FNMR_PAIRS_OF_PEOPLE[fmr]}
    return {
        "pairs": same.size,
        "people": int(np.unique(np.concatenate([person1, person2])).size),
        "threshold": float(cut.mean()),
        **{name: numbers[name] for name in RATES},
        "fnmr_at_fmr": refused | {fmr: numbers[fmr] for fmr in supported},
        "confusion": rates.counts(unweighted),
        "ci95": {**{name: list(intervals[name]) for name in RATES}, "fnmr_at_fmr": refused | fnmr_intervals},
        "ci95_over": "people" if images is None else "images",
        "ci95_count": int(np.unique(np.concatenate([first, second])).size),
        "ci95_pairs": distinct,
    }


def mean_and_error(values: ArrayLike) -> Mapping[str, float]:
    """Returns the `mean` of two or more numbers, one per fold, and its `standard_error` (n - 1)."""
    numbers = np.asarray(values, np.float64)
    return {"mean": float(numbers.mean()), "standard_error": float(numbers.std(ddof=1) / np.sqrt(numbers.size))}


def _check_threshold(threshold: ArrayLike, pairs: tuple[int, ...]) -> np.ndarray:
    cut = np.asarray(threshold, np.float64)
    if cut.shape not in ((), pairs) or not np.isfinite(cut).all():
        raise SiameseError(f"threshold must be one finite number, or one per pair {pairs}; got shape {cut.shape}")
    return cut
