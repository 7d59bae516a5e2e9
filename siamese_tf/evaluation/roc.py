"""The ROC curve of scored pairs and the metrics read off it: AUC, EER, and TAR at a false match rate.

The *false match rate* (FMR) is the fraction of different pairs that are called same; lower is better. The *true accept
rate* (TAR) is the fraction of same pairs that are called same; higher is better. The *false non-match rate* (FNMR) is
1 - TAR. The terms are those of ISO/IEC 19795-1, which older papers call false accept rate (FAR) and false reject rate.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.scored_pairs import check_scored_pairs


def roc_curve(similarity: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes the receiver operating characteristic: one point per distinct score.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar.

    Returns:
        `fmr`, `tar`, `thresholds`, float64 (k,) each. Thresholds decrease from infinity (no pair is called same) to the
        lowest score (every pair is); `fmr` (lower is better) and `tar` (higher is better) increase from 0 to 1.

    Raises:
        SiameseError: input that is not m scored pairs of both classes.
    """
    same, values = check_scored_pairs(similarity, scores)
    order = np.argsort(-values, kind="stable")
    same, values = same[order], values[order]
    last_of_each_score = np.append(np.flatnonzero(np.diff(values)), values.size - 1)
    accepted = last_of_each_score + 1
    true_accepts = np.cumsum(same)[last_of_each_score]
    tar = np.append(0.0, true_accepts / true_accepts[-1])
    fmr = np.append(0.0, (accepted - true_accepts) / (values.size - true_accepts[-1]))
    return fmr, tar, np.append(np.inf, values[last_of_each_score])


def auc(similarity: ArrayLike, scores: ArrayLike) -> float:
    """Returns the area under the ROC curve, in [0, 1]: 1 is perfect, 0.5 is chance, higher is better.

    It is the probability that a same pair scores above a different one, with ties counting half.
    Arguments and errors are those of `roc_curve`.
    """
    return area_under_curve(*roc_curve(similarity, scores)[:2])


def eer(similarity: ArrayLike, scores: ArrayLike) -> float:
    """Returns the equal error rate, in [0, 1]: the rate at which FMR = FNMR on the ROC curve, lower is better.

    The curve is interpolated linearly between the two points around the crossing.
    Arguments and errors are those of `roc_curve`.
    """
    return equal_error_rate(*roc_curve(similarity, scores)[:2])


def area_under_curve(fmr: np.ndarray, tar: np.ndarray) -> float:
    """Returns the area under a curve of rates (k,) that increase from 0 to 1, by the trapezoidal rule."""
    return float(np.sum(np.diff(fmr) * (tar[1:] + tar[:-1])) / 2)


def equal_error_rate(fmr: np.ndarray, tar: np.ndarray) -> float:
    """Returns the FMR at which FMR = FNMR on a curve of rates (k,) that increase from 0 to 1, linearly interpolated."""
    excess = fmr - (1 - tar)  # increases from -1 to 1
    after = int(np.argmax(excess >= 0))
    before = after - 1
    fraction = -excess[before] / (excess[after] - excess[before])
    return float(fmr[before] + fraction * (fmr[after] - fmr[before]))


def min_different_pairs(fmr: float) -> int:
    """Returns the number of different pairs needed to estimate a false match rate: 3 / fmr, rounded up (rule of three).

    If none of n pairs fails, the failure rate is below 3 / n with 95% confidence, and nothing finer can be concluded.

    Args:
        fmr: false match rate, in (0, 1].

    Raises:
        SiameseError: a rate outside (0, 1].
    """
    if not 1e-300 <= fmr <= 1:
        raise SiameseError(
            f"a false match rate must be above 0 (at least 1e-300) and at most 1, such as 0.01; got {fmr}"
        )
    return math.ceil(round(3 / fmr, 6))


def tar_at_fmr(similarity: ArrayLike, scores: ArrayLike, fmr: float) -> float | None:
    """Returns the highest true accept rate at any threshold whose false match rate is at most `fmr`; higher is better.

    The curve is not interpolated: a threshold with this rate exists. The rule of three limits what the data support:
    with fewer than 3 / fmr different pairs (3,000 for an FMR of 0.001) there is no answer.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar.
        fmr: the maximum false match rate, in (0, 1].

    Returns:
        TAR in [0, 1], or None with fewer than `min_different_pairs(fmr)` different pairs.

    Raises:
        SiameseError: input that is not m scored pairs of both classes, or a rate outside (0, 1].
    """
    needed = min_different_pairs(fmr)
    rates, tar, _ = roc_curve(similarity, scores)
    if np.count_nonzero(np.asarray(similarity) == 0) < needed:
        return None
    return float(tar[rates <= fmr].max())
