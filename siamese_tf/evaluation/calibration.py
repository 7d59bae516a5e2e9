"""From scores to decisions: the threshold, and logits turned into honest probabilities.

Give both functions validation pairs only: a threshold chosen on the pairs it is reported on flatters itself.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.evaluation.metrics import checked_pairs

MIN_SLOPE = 1e-4
"""What `fit_logistic` returns as slope when the logits carry nothing or rank backwards."""
_FLAT = 1e-6  # a slope per standard deviation of the logits that is nothing but rounding


def max_accuracy_threshold(similarity: ArrayLike, scores: ArrayLike) -> float:
    """The threshold with the highest accuracy, as far from the scores around it as can be.

    Between two neighbouring scores every threshold decides alike. Of the stretches of thresholds that reach the highest
    accuracy the widest is taken (of equally wide ones the lowest), and its middle returned. The outermost stretches
    end at 0 and 1, or at the outermost scores where those lie beyond.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar, usually in [0, 1].

    Returns:
        The threshold: a pair with score >= threshold is called "same". Above the highest score, so that nothing is
        called same, only where nothing else is as accurate.

    Raises:
        SiameseError: input that is not m scored pairs of both classes.
    """
    same, values = checked_pairs(similarity, scores)
    levels, level = np.unique(values, return_inverse=True)
    same_at = np.bincount(level[same], minlength=levels.size)
    different_at = np.bincount(level[~same], minlength=levels.size)
    # Cut i is any threshold in (edges[i], edges[i + 1]]; moving up past levels[i] loses its same pairs.
    edges = np.r_[min(0.0, levels[0]), levels, max(1.0, np.nextafter(levels[-1], np.inf))]
    right = np.append(0, np.cumsum(different_at - same_at)) + np.count_nonzero(same)
    best = np.r_[False, right == right.max(), False]
    starts, ends = np.flatnonzero(np.diff(best)).reshape(-1, 2).T
    widest = np.argmax(edges[ends] - edges[starts])
    low, high = edges[starts[widest]], edges[ends[widest]]
    middle = low + (high - low) / 2
    return float(middle if middle > low else high)


def fit_logistic(similarity: ArrayLike, logits: ArrayLike) -> tuple[float, float]:
    """Platt scaling: the line that makes sigmoid(slope * logit + intercept) the probability that a pair is same.

    Maximum likelihood by Newton's method with step halving, on Platt's smoothed targets, (N+ + 1) / (N+ + 2) for the
    N+ same pairs and 1 / (N- + 2) for the N- different ones: the answer is finite where the classes separate.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        logits: (m,), finite, any range, higher = more similar (of a distance give the negative).

    Returns:
        (slope, intercept), finite, slope > 0, so the order of the pairs stays. A slope of exactly `MIN_SLOPE` says that
        the best line was flat or fell: the logits carry nothing, or rank backwards. Every probability is then close
        to the share of same pairs, and a caller should tell the user.

    Raises:
        SiameseError: input that is not m pairs of both classes with finite logits.

    Reference:
        J. Platt, "Probabilistic outputs for support vector machines", 1999; the iteration after Lin, Lin and Weng, "A
        note on Platt's probabilistic outputs", Machine Learning 68, 2007.
    """
    same, values = checked_pairs(similarity, logits)
    positives = np.count_nonzero(same)
    targets = np.where(same, (positives + 1) / (positives + 2), 1 / (same.size - positives + 2))
    centre, spread = values.mean(), values.std()
    if values.min() < values.max():
        slope, intercept = _newton((values - centre) / spread, targets)
        if slope > _FLAT:
            return float(slope / spread), float(intercept - slope * centre / spread)
    share = float(targets.mean())
    return MIN_SLOPE, float(math.log(share / (1 - share)) - MIN_SLOPE * centre)


def _newton(x: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """(slope, intercept) with the least summed cross-entropy of sigmoid(slope * x + intercept) against the targets."""
    line = np.array([0.0, math.log(targets.mean() / (1 - targets.mean()))])
    loss = _cross_entropy(line, x, targets)
    for _ in range(100):
        probability = (1 + np.tanh((line[0] * x + line[1]) / 2)) / 2  # the sigmoid, without overflow
        error, weight = probability - targets, probability * (1 - probability)
        gradient = np.array([error @ x, error.sum()])
        cross = weight @ x
        hessian = np.array([[weight @ (x * x), cross], [cross, weight.sum()]])
        step = np.linalg.solve(hessian * (1 + 1e-12 * np.eye(2)), gradient)
        decrease = gradient @ step
        if decrease < 1e-8:  # the last full step squares what error is left
            line = line - step
            break
        size = 1.0
        while (moved := _cross_entropy(line - size * step, x, targets)) > loss - 1e-4 * size * decrease and size > 1e-9:
            size /= 2
        line, loss = line - size * step, moved
    return line[0], line[1]


def _cross_entropy(line: np.ndarray, x: np.ndarray, targets: np.ndarray) -> float:
    logit = line[0] * x + line[1]
    return float(np.sum(np.maximum(logit, 0) + np.log1p(np.exp(-np.abs(logit))) - targets * logit))
