"""Verification with folds, LFW's protocol: each fold is decided by a threshold chosen on the other folds."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.data.sampling.folds import pair_folds
from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.pair_rates import PairRates
from siamese_tf.evaluation.scored_pairs import check_scored_pairs
from siamese_tf.evaluation.thresholds import Rule, choose_threshold
from siamese_tf.evaluation.verification import mean_and_error

FOLD_RATES = ("accuracy", "fmr", "fnmr", "eer")


def folded_report(
    similarity: ArrayLike,
    scores: ArrayLike,
    fold: ArrayLike,
    rule: Rule = "accuracy",
    people: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[dict[str, Any], np.ndarray]:
    """Computes the rates of each fold, decided by the threshold chosen on the pairs of all other folds.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur in every fold.
        scores: (m,), finite, higher = more similar.
        fold: integers (m,), the fold of each pair.
        rule: the threshold rule, see `choose_threshold`; LFW's is the best accuracy.
        people: integers (m,) twice, the person on each image of a pair; required by an `FmrLimit` only.

    Returns:
        A dict of plain values: `folds`, for each its number `fold`, `pairs`, `threshold`, `accuracy`, `fmr`, `fnmr` and
        `eer`; and for each of the last four, the `mean` over the folds and its `standard_error`, the folds' standard
        deviation (n - 1) divided by the square root of n. And (m,) float64, the threshold of each pair.

    Raises:
        PairFileError: fewer than two folds.
        SiameseError: a fold whose pairs are all same or all different, or a rule that the pairs cannot support.

    Reference:
        G. Huang, M. Ramesh, T. Berg, E. Learned-Miller, "Labeled Faces in the Wild", Technical Report 07-49, 2007.
    """
    same, values = check_scored_pairs(similarity, scores)
    numbers = np.asarray(fold)
    if numbers.shape != same.shape:
        raise SiameseError(f"fold and similarity must have the same shape (m,); got {numbers.shape} and {same.shape}")
    folds = pair_folds(numbers)
    for _, held_out in folds:
        _check_both_classes(same[held_out], numbers[held_out[0]])
    thresholds = np.empty(same.size)
    rows: list[dict[str, Any]] = []
    for others, held_out in folds:
        people_of_others = () if people is None else (people[0][others], people[1][others])
        threshold = choose_threshold(same[others], values[others], rule, *people_of_others)
        thresholds[held_out] = threshold
        rates = PairRates(same[held_out], values[held_out], values[held_out] >= threshold).of(np.ones_like(held_out))
        row = {"fold": int(numbers[held_out[0]]), "pairs": held_out.size, "threshold": threshold}
        rows.append(row | {name: rates[name] for name in FOLD_RATES})
    means = {name: mean_and_error([row[name] for row in rows]) for name in FOLD_RATES}
    return {"folds": rows, **means}, thresholds


def _check_both_classes(same: np.ndarray, number: int) -> None:
    positives = np.count_nonzero(same)
    if positives in (0, same.size):
        raise SiameseError(
            f"each fold must have same and different pairs; got {positives} same and {same.size - positives} different"
            f" pairs in fold {number}"
        )
