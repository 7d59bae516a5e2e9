"""How well pairs are verified, in the words of the field: error rates, their intervals over people, folds.

FMR and FNMR are explained in `thresholds`; both, and the equal error rate, are better lower.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from siamese_tf.data.sampling.folds import pair_folds
from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.intervals import cluster_intervals
from siamese_tf.evaluation.jackknife import distinct_pairs
from siamese_tf.evaluation.report import FALSE_MATCH_RATES
from siamese_tf.evaluation.thresholds import Rule, choose_threshold

RATES = ("accuracy", "f1", "fmr", "fnmr", "eer", "auc")
FOLD_RATES = ("accuracy", "fmr", "fnmr", "eer")
FNMR_PAIRS_OF_PEOPLE = {"0.1": 3, "0.01": 25, "0.001": 1000}  # that an interval of the FNMR at this FMR takes: with
# fewer it held the truth in less than 93% of simulations, or was not simulated (benchmarks/coverage.py)


def people_of_pairs(img1: ArrayLike, img2: ArrayLike, similarity: ArrayLike, images: int) -> np.ndarray:
    """Who is on each image, as far as pairs alone tell: images that same pairs join, directly or by others, are of one.

    An image in no same pair counts as a person of its own.

    Args:
        img1, img2: integers (m,), positions of images.
        similarity: (m,), 1 = same, 0 = different.
        images: n, how many images there are.

    Returns:
        (n,) int64, equal for images of one person.
    """
    same = np.asarray(similarity) == 1
    joined = (np.ones(np.count_nonzero(same), np.int8), (np.asarray(img1)[same], np.asarray(img2)[same]))
    return connected_components(coo_array(joined, (images, images)), directed=False)[1].astype(np.int64)


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
    """Every number of a verification, each with a 95% interval over people, or over images (see `cluster_intervals`).

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        person1, person2: integers (m,), who is on either image of each pair.
        scores: (m,), finite, higher = more similar.
        threshold: a pair with score >= threshold is called same; one number, or (m,), one a pair, as of folds. Chosen
            on other pairs.
        images: integers (m,) twice, the images of each pair: makes the intervals ones over images, as is right where
            the people of the test are those of the training. None is over people.
        replicates, seed: of the intervals.

    Returns:
        Python numbers, lists, dicts and None only: `pairs`, `people`, `threshold` (the mean of (m,) ones), `accuracy`,
        `f1` and `auc` (higher is better), `fmr`, `fnmr` and `eer` (lower is better), `fnmr_at_fmr`, the lowest FNMR
        with an FMR of at most "0.1", "0.01" and "0.001" (None where the different pairs are too few), `confusion` with
        `tp`, `fp`, `tn`, `fn`, and `ci95`: [low, high] by the name of the rate, `fnmr_at_fmr` by its FMR; `ci95_over`,
        "people" or "images", `ci95_count`, how many, and `ci95_pairs`, how many different pairs of them. With fewer
        than 5, every interval is [0, 1]; with fewer pairs than FNMR_PAIRS_OF_PEOPLE, that of an FNMR at an FMR is None.

    Raises:
        SiameseError: input that is not m scored pairs of both classes and of known people.
    """
    same, values = metrics.checked_pairs(similarity, scores)
    if not np.shape(person1) == np.shape(person2) == same.shape:
        shapes = f"person1 has shape {np.shape(person1)}, person2 {np.shape(person2)} and similarity {same.shape}"
        raise SiameseError(f"{shapes}: all must be (m,), one entry a pair.")
    cut = np.asarray(threshold, np.float64)
    if cut.shape not in ((), same.shape) or not np.isfinite(cut).all():
        raise SiameseError(f"threshold has shape {cut.shape}; expected one finite number, or {same.shape} of them.")
    rates = PairRates(same, values, values >= cut)
    first, second = map(np.asarray, (person1, person2) if images is None else images)
    at = [str(fmr) for fmr in rates.supported]
    intervals = cluster_intervals(
        first, second, same, rates.of, of_same=("fnmr", *at), replicates=replicates, seed=seed
    )
    unweighted = np.ones(same.size, np.int64)
    numbers = rates.of(unweighted)
    distinct = distinct_pairs(first[~same], second[~same])
    refused = {str(fmr): None for fmr in FALSE_MATCH_RATES}
    return {
        "pairs": same.size,
        "people": int(np.unique(np.concatenate([person1, person2])).size),
        "threshold": float(cut.mean()),
        **{name: numbers[name] for name in RATES},
        "fnmr_at_fmr": refused | {fmr: numbers[fmr] for fmr in at},
        "confusion": rates.counts(unweighted),
        "ci95": {
            **{name: list(intervals[name]) for name in RATES},
            "fnmr_at_fmr": refused | {fmr: list(intervals[fmr]) for fmr in at if distinct >= FNMR_PAIRS_OF_PEOPLE[fmr]},
        },
        "ci95_over": "people" if images is None else "images",
        "ci95_count": int(np.unique(np.concatenate([first, second])).size),
        "ci95_pairs": distinct,
    }


class PairRates:
    """Every rate of scored pairs under changing weights; the scores are sorted once."""

    def __init__(self, same: np.ndarray, values: np.ndarray, called_same: np.ndarray):
        self.same = same
        self.outcome = 2 * same + called_same
        self.order = np.argsort(-values, kind="stable")
        self.last_of_each_score = np.append(np.flatnonzero(np.diff(values[self.order])), values.size - 1)
        different = int(np.count_nonzero(~same))
        self.supported = [fmr for fmr in FALSE_MATCH_RATES if different >= metrics.pairs_needed(fmr)]

    def counts(self, weights: np.ndarray) -> dict[str, int]:
        """The confusion matrix, by the names of `metrics.confusion`."""
        sums = np.bincount(self.outcome, weights, minlength=4).astype(int)
        return dict(zip(("tn", "fp", "fn", "tp"), sums.tolist(), strict=True))

    def of(self, weights: np.ndarray) -> dict[str, float]:
        """By name, and "0.1" for the FNMR at that FMR; NaN where same or different pairs have no weight."""
        counts = self.counts(weights)
        same, different = counts["tp"] + counts["fn"], counts["fp"] + counts["tn"]
        if not same or not different:
            return dict.fromkeys([*RATES, *map(str, self.supported)], float("nan"))
        ordered, kind = weights[self.order], self.same[self.order]
        tar = np.append(0, np.cumsum(ordered * kind)[self.last_of_each_score]) / same
        fmr = np.append(0, np.cumsum(ordered * ~kind)[self.last_of_each_score]) / different
        return {
            "accuracy": metrics.accuracy(counts),
            "f1": metrics.f1(counts),
            "fmr": counts["fp"] / different,
            "fnmr": counts["fn"] / same,
            "eer": metrics.crossing(fmr, tar),
            "auc": metrics.area_under(fmr, tar),
            **{str(limit): float(1 - tar[fmr <= limit].max()) for limit in self.supported},
        }


def folded_report(
    similarity: ArrayLike,
    scores: ArrayLike,
    fold: ArrayLike,
    rule: Rule = "accuracy",
    people: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[dict[str, Any], np.ndarray]:
    """LFW's protocol: each fold is decided by the threshold that the pairs of all other folds choose.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur in every fold.
        scores: (m,), finite, higher = more similar.
        fold: integers (m,), the fold of each pair.
        rule: of the threshold, see `choose_threshold`; LFW's is the best accuracy.
        people: integers (m,) twice, who is on either image of each pair; a rule that is a limit alone needs them.

    Returns:
        A dict of plain values: `folds`, for each its number `fold`, `pairs`, `threshold`, `accuracy`, `fmr`, `fnmr` and
        `eer`; and by each of the last four, the `mean` over the folds and its `standard_error`, the folds' standard
        deviation (n - 1) divided by the root of n. And (m,) float64, the threshold of each pair.

    Raises:
        PairFileError: fewer than two folds.
        SiameseError: a fold whose pairs are all same or all different, or a rule that the pairs cannot support.

    Reference:
        G. Huang, M. Ramesh, T. Berg, E. Learned-Miller, "Labeled Faces in the Wild", Technical Report 07-49, 2007.
    """
    same, values = metrics.checked_pairs(similarity, scores)
    numbers = np.asarray(fold)
    if numbers.shape != same.shape:
        raise SiameseError(f"fold has shape {numbers.shape} and similarity {same.shape}: both must be (m,).")
    folds = pair_folds(numbers)
    for _, held_out in folds:
        alike = np.count_nonzero(same[held_out])
        if alike in (0, held_out.size):
            kinds = f"{alike} same and {held_out.size - alike} different pairs"
            raise SiameseError(f"fold {numbers[held_out[0]]} has {kinds}: each fold needs both.")
    thresholds = np.empty(same.size)
    rows: list[dict[str, Any]] = []
    for others, held_out in folds:
        of_others = () if people is None else (people[0][others], people[1][others])
        threshold = choose_threshold(same[others], values[others], rule, *of_others)
        thresholds[held_out] = threshold
        rates = PairRates(same[held_out], values[held_out], values[held_out] >= threshold).of(np.ones_like(held_out))
        row = {"fold": int(numbers[held_out[0]]), "pairs": held_out.size, "threshold": threshold}
        rows.append(row | {name: rates[name] for name in FOLD_RATES})
    means = {name: mean_and_error([row[name] for row in rows]) for name in FOLD_RATES}
    return {"folds": rows, **means}, thresholds


def mean_and_error(values: ArrayLike) -> Mapping[str, float]:
    """The `mean` of numbers, two or more, one a fold, and its `standard_error`, s / sqrt(n) with n - 1 in s."""
    numbers = np.asarray(values, np.float64)
    return {"mean": float(numbers.mean()), "standard_error": float(numbers.std(ddof=1) / np.sqrt(numbers.size))}
