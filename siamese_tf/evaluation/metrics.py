"""How good the scores of pairs are. Higher scores mean more similar; a pair with score >= threshold is called "same".

Two rates run through this file. The *false accept rate* (FAR) is the share of the different pairs that are called
same; lower is better. The *true accept rate* (TAR) is the share of the same pairs that are called same; higher is
better. The false reject rate (FRR) is 1 - TAR.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError


def checked_pairs(
    similarity: ArrayLike, scores: ArrayLike, *, both_classes: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores as arrays, or a clear refusal.

    Args:
        similarity: (m,), 1 = same, 0 = different.
        scores: (m,), finite, higher = more similar.
        both_classes: whether at least one same and one different pair must be there.

    Returns:
        `same` bool (m,), `scores` float64 (m,).

    Raises:
        SiameseError: shapes that differ or are not (m,), no pair, labels other than 0 and 1, scores that are NaN or
            infinite, or one class alone where both are needed.
    """
    labels, values = np.asarray(similarity), np.asarray(scores, np.float64)
    if labels.ndim != 1 or labels.shape != values.shape:
        raise SiameseError(
            f"similarity has shape {labels.shape} and scores {values.shape}: both must be (m,), one number a pair."
        )
    if labels.size == 0:
        raise SiameseError("There is no pair: similarity and scores are empty. Give at least one pair.")
    strange = labels[(labels != 0) & (labels != 1)]
    if strange.size:
        raise SiameseError(f"similarity must be 1 (same) or 0 (different) for every pair; {strange[0]} came.")
    infinite = np.count_nonzero(~np.isfinite(values))
    if infinite:
        raise SiameseError(f"scores must be finite; {infinite} of {values.size} are NaN or infinite.")
    same = labels == 1
    if both_classes and same.all() | (~same).all():
        raise SiameseError(
            f"{np.count_nonzero(same)} same and {np.count_nonzero(~same)} different pairs came: "
            "at least one of each is needed."
        )
    return same, values


def roc(similarity: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The receiver operating characteristic: one point for each distinct score, tied scores together.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar.

    Returns:
        `fmr`, `tar`, `thresholds`, float64 (k,) each. Thresholds fall, from infinity (nothing is called same) to the
        lowest score (everything is); `fmr` (lower is better) and `tar` (higher is better) rise from 0 to 1.

    Raises:
        SiameseError: input that is not m scored pairs of both classes.
    """
    same, values = checked_pairs(similarity, scores)
    order = np.argsort(-values, kind="stable")
    same, values = same[order], values[order]
    last_of_each_score = np.append(np.flatnonzero(np.diff(values)), values.size - 1)
    accepted = last_of_each_score + 1
    true_accepts = np.cumsum(same)[last_of_each_score]
    tar = np.append(0.0, true_accepts / true_accepts[-1])
    fmr = np.append(0.0, (accepted - true_accepts) / (values.size - true_accepts[-1]))
    return fmr, tar, np.append(np.inf, values[last_of_each_score])


def auc(similarity: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve, in [0, 1]: 1 is perfect, 0.5 is chance, higher is better.

    It is the probability that a same pair scores above a different one, a tie counting half.
    Arguments and refusals are those of `roc`.
    """
    return area_under(*roc(similarity, scores)[:2])


def eer(similarity: ArrayLike, scores: ArrayLike) -> float:
    """Equal error rate, in [0, 1]: where FAR = FRR on the ROC curve, lower is better.

    Between the two ROC points around the crossing the curve is taken as a straight line.
    Arguments and refusals are those of `roc`.
    """
    return crossing(*roc(similarity, scores)[:2])


def area_under(fmr: np.ndarray, tar: np.ndarray) -> float:
    """The area under a curve of rates (k,) that rise from 0 to 1, its points joined by straight lines."""
    return float(np.sum(np.diff(fmr) * (tar[1:] + tar[:-1])) / 2)


def crossing(fmr: np.ndarray, tar: np.ndarray) -> float:
    """Where FAR = FRR on a curve of rates (k,) that rise from 0 to 1, its points joined by straight lines."""
    excess = fmr - (1 - tar)  # rises from -1 to 1
    after = int(np.argmax(excess >= 0))
    before = after - 1
    way = -excess[before] / (excess[after] - excess[before])
    return float(fmr[before] + way * (fmr[after] - fmr[before]))


def middle_threshold(levels: np.ndarray, point: int) -> float:
    """The middle of the thresholds that decide as `levels[point]`, one of the thresholds of `roc`, does.

    The outermost stretches end as scores can, at 0 and 1, or at the outermost scores where those lie beyond.
    """
    top = max(1.0, float(np.nextafter(levels[1], np.inf)))
    high = top if point == 0 else float(levels[point])
    low = float(levels[point + 1]) if point + 1 < len(levels) else min(0.0, high)
    middle = low + (high - low) / 2
    return middle if middle > low else high


def pairs_needed(fmr: float) -> int:
    """How many different pairs it takes to speak of a false accept rate: 3 / far, rounded up (rule of three).

    Where none of n pairs fails, the failure rate is below 3 / n with 95% confidence and no more can be said.

    Args:
        fmr: false accept rate, in (0, 1].

    Raises:
        SiameseError: a rate outside (0, 1].
    """
    if not 1e-300 <= fmr <= 1:
        raise SiameseError(
            f"far is {fmr}: a false accept rate above 0 and at most 1 is needed, such as 0.01; 1e-300 at least."
        )
    return math.ceil(round(3 / fmr, 6))


def tar_at_fmr(similarity: ArrayLike, scores: ArrayLike, fmr: float) -> float | None:
    """The highest true accept rate among the thresholds whose false accept rate is at most `fmr`; higher is better.

    Nothing is interpolated: a threshold that reaches it exists. The rule of three decides whether there is an answer:
    with fewer than 3 / far different pairs (3,000 for a FAR of 0.001) the data cannot support one.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar.
        fmr: the false accept rate allowed, in (0, 1].

    Returns:
        TAR in [0, 1], or None where fewer than `pairs_needed(far)` different pairs came.

    Raises:
        SiameseError: input that is not m scored pairs of both classes, or a rate outside (0, 1].
    """
    needed = pairs_needed(fmr)
    rates, tar, _ = roc(similarity, scores)
    if np.count_nonzero(np.asarray(similarity) == 0) < needed:
        return None
    return float(tar[rates <= fmr].max())


def confusion(similarity: ArrayLike, scores: ArrayLike, threshold: float) -> dict[str, int]:
    """Counts of the four outcomes, "positive" meaning "called same".

    Args:
        similarity: (m,), 1 = same, 0 = different; one class alone is fine.
        scores: (m,), finite, higher = more similar.
        threshold: a pair with score >= threshold is called same; any number but NaN.

    Returns:
        `tp` same called same, `fp` different called same, `tn` different called different, `fn` same called different.

    Raises:
        SiameseError: input that is not m scored pairs, or a NaN threshold.
    """
    same, values = checked_pairs(similarity, scores, both_classes=False)
    if math.isnan(threshold):
        raise SiameseError(f"threshold is {threshold}: a number is needed.")
    called_same = values >= threshold
    tp, fp = int(np.count_nonzero(called_same & same)), int(np.count_nonzero(called_same & ~same))
    positives = int(np.count_nonzero(same))
    return {"tp": tp, "fp": fp, "tn": same.size - positives - fp, "fn": positives - tp}


def accuracy(counts: dict[str, int]) -> float:
    """Share of the pairs called right, in [0, 1], higher is better; `counts` as from `confusion`."""
    return (counts["tp"] + counts["tn"]) / sum(counts.values())


def precision(counts: dict[str, int]) -> float:
    """Share of the pairs called same that are same, higher is better; 0 where none is called same."""
    return _ratio(counts["tp"], counts["tp"] + counts["fp"])


def recall(counts: dict[str, int]) -> float:
    """Share of the same pairs that are called same (the TAR), higher is better; 0 where no pair is same."""
    return _ratio(counts["tp"], counts["tp"] + counts["fn"])


def f1(counts: dict[str, int]) -> float:
    """Harmonic mean of precision and recall, in [0, 1], higher is better; 0 where there is no true positive."""
    return _ratio(2 * counts["tp"], 2 * counts["tp"] + counts["fp"] + counts["fn"])


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
