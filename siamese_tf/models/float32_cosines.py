"""Rounding errors of cosines that are computed as products of unit rows in float32, and of scores of these cosines."""

import numpy as np

from siamese_tf.models.heads import Head
from siamese_tf.models.probability import probability

ROUNDING = 2.0**-24  # relative error of one operation
SCORE_ERROR = 1e-5  # of a score, in probability
PRODUCT_ROWS = 1024  # rows of a matrix product
CACHED_VALUES = 2**17  # values that stay in the cache of the processor between operations


def largest_error(dimensions: int) -> float:
    """Returns a bound of the error of a cosine, for any order of summation and rows rounded to float32.

    References:
        N. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1.
    """
    return 1.01 * (dimensions + 2) * ROUNDING


def likely_error(dimensions: int) -> float:
    """Returns a bound that the error of a cosine hardly ever exceeds, since rounding errors have random signs.

    References:
        N. Higham and T. Mary, "A New Approach to Probabilistic Rounding Error Analysis", SIAM J. Sci. Comput. 41, 2019.
    """
    return 2.0 * np.sqrt(dimensions) * ROUNDING


def are_precise_enough(head: Head, dimensions: int) -> bool:
    """Returns True if the scores of float32 cosines differ from exact ones by at most `SCORE_ERROR`.

    False for a head that does not compare directions or is not finite, and for one so steep that the error of a cosine
    is too large, such as a Euclidean head whose score changes at distances near 0, where a square root amplifies it.
    """
    if not head.normalizes:
        return False
    away = np.concatenate([np.geomspace(1e-12, 1e-3, 2000), np.linspace(1e-3, 2.0, 2000)])  # 1 - cosine
    cosines = np.stack([1.0 - away, np.minimum(1.0 - away + likely_error(dimensions), 1.0)])
    scores = probability(head.logit_of_cosine(cosines).astype(np.float64))
    return bool(np.abs(scores[1] - scores[0]).max() <= SCORE_ERROR)


def cosine_scores(head: Head, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Computes the scores of all pairs of unit rows of `a`, (n, d), and `b`, (m, d): (n, m) float32 probabilities."""
    scale, bias = float(head.scale), float(head.bias)
    scores = np.empty((len(a), len(b)), np.float32)
    step = max(1, CACHED_VALUES // max(1, len(b)))
    for start in range(0, len(a), PRODUCT_ROWS):
        rows = scores[start : start + PRODUCT_ROWS]
        np.matmul(a[start : start + PRODUCT_ROWS], b.T, out=rows)
        for first in range(0, len(rows), step):
            block = rows[first : first + step]
            x = head.distance_of_cosine(block)
            x *= scale
            x -= bias
            with np.errstate(over="ignore"):  # the score is then 0
                np.exp(x, out=x)
            x += 1.0
            np.reciprocal(x, out=block)
    return scores
