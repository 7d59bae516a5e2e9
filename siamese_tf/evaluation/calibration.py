"""Platt scaling: turns the logits of a head into calibrated probabilities.

Fit it on validation pairs only: a calibration measured on the pairs it was fitted to looks better than it is.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.evaluation.scored_pairs import check_scored_pairs

MIN_SLOPE = 1e-4
"""The slope that `fit_logistic` returns if the logits carry no information or rank the pairs backwards."""
_FLAT = 1e-6  # a slope per standard deviation of the logits at or below this is rounding noise


def fit_logistic(similarity: ArrayLike, logits: ArrayLike) -> tuple[float, float]:
    """Fits a line so that sigmoid(slope * logit + intercept) is the probability of a same pair (Platt scaling).

    Maximum likelihood by Newton's method with step halving, on Platt's smoothed targets: (N+ + 1) / (N+ + 2) for the
    N+ same pairs and 1 / (N- + 2) for the N- different ones. The line is finite even if the classes separate.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        logits: (m,), finite, any range, higher = more similar (negate distances).

    Returns:
        (slope, intercept), finite, slope > 0, so that the ranking of the pairs is preserved. A slope of exactly
        `MIN_SLOPE` means that the best line was flat or decreasing: the logits carry no information, or rank the pairs
        backwards. Every probability is then close to the fraction of same pairs, and the caller should warn the user.

    Raises:
        SiameseError: input that is not m pairs of both classes with finite logits.

    References:
        J. Platt, "Probabilistic outputs for support vector machines", 1999.
        H. Lin, C. Lin and R. Weng, "A note on Platt's probabilistic outputs", Machine Learning 68, 2007.
    """
    same, values = check_scored_pairs(similarity, logits)
    positives = np.count_nonzero(same)
    targets = np.where(same, (positives + 1) / (positives + 2), 1 / (same.size - positives + 2))
    center, spread = values.mean(), values.std()
    if values.min() < values.max():
        slope, intercept = _newton((values - center) / spread, targets)
        if slope > _FLAT:
            return float(slope / spread), float(intercept - slope * center / spread)
    prior = float(targets.mean())
    return MIN_SLOPE, float(math.log(prior / (1 - prior)) - MIN_SLOPE * center)


def _newton(x: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Returns the (slope, intercept) that minimizes the cross-entropy of sigmoid(slope * x + intercept)."""
    line = np.array([0.0, math.log(targets.mean() / (1 - targets.mean()))])
    loss = _cross_entropy(line, x, targets)
    for _ in range(100):
        # The sigmoid without overflow. It stays in this form, since its bits are part of saved models.
        probability = (1 + np.tanh((line[0] * x + line[1]) / 2)) / 2
        error, weight = probability - targets, probability * (1 - probability)
        gradient = np.array([error @ x, error.sum()])
        cross = weight @ x
        hessian = np.array([[weight @ (x * x), cross], [cross, weight.sum()]])
        step = np.linalg.solve(hessian * (1 + 1e-12 * np.eye(2)), gradient)
        decrease = gradient @ step
        if decrease < 1e-8:  # convergence is quadratic: this last full step is enough
            line = line - step
            break
        size = 1.0
        while (
            new_loss := _cross_entropy(line - size * step, x, targets)
        ) > loss - 1e-4 * size * decrease and size > 1e-9:
            size /= 2
        line, loss = line - size * step, new_loss
    return line[0], line[1]


def _cross_entropy(line: np.ndarray, x: np.ndarray, targets: np.ndarray) -> float:
    """Returns the cross-entropy of sigmoid(line[0] * x + line[1]) and the targets, summed over the pairs."""
    logit = line[0] * x + line[1]
    return float(np.sum(np.maximum(logit, 0) + np.log1p(np.exp(-np.abs(logit))) - targets * logit))
