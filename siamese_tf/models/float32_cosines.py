"""Scores of all pairs of embeddings from float32 cosines, to a given precision.

A cosine is the product of two unit rows. In float32 it is twice as fast as in float64, and precise enough for most
pairs; the others are computed in float64: those at a small Euclidean distance, where a square root amplifies the error,
and those whose score changes steeply with the cosine.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from siamese_tf.models.heads import Head
from siamese_tf.models.probability import probability

ROUNDING = 2.0**-24  # relative error of one float32 operation
SCORE_ERROR = 1e-5  # of a score, in probability
PRODUCT_ROWS = 1024  # rows of a matrix product
CACHED_VALUES = 2**18  # values that stay in the cache of the processor between operations
MAX_SINGLE_SHARE = 0.02  # largest share of pairs that are computed one by one; more are cheaper as a product


def largest_error(dimensions: int) -> float:
    """Returns a bound of the error of a float32 cosine, for any order of summation and rows rounded to float32.

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


def precise_up_to(head: Head, dimensions: int) -> float:
    """Returns the cosine up to which scores of float32 cosines are exact to `SCORE_ERROR`, or an infinity."""
    away = np.concatenate([np.geomspace(1e-14, 1e-3, 3000), np.linspace(1e-3, 2.0, 3000)])  # 1 - cosine
    cosines = np.stack([1.0 - away, np.minimum(1.0 - away + likely_error(dimensions), 1.0)])
    scores = probability(head.logit_of_cosine(cosines).astype(np.float64))
    wrong = np.flatnonzero(np.abs(scores[1] - scores[0]) > SCORE_ERROR)
    if not len(wrong):
        return np.inf
    return float(cosines[0, wrong[-1] + 1]) if wrong[-1] + 1 < len(away) else -np.inf


def cosine_scores(head: Head, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Computes the scores of every row of `a` with every row of `b`.

    Args:
        head: a head that normalizes embeddings, with a finite scale and bias.
        a: (n, d) float32 embeddings, not zero.
        b: (m, d) float32 embeddings, not zero.

    Returns:
        (n, m) float32 probabilities, exact to `SCORE_ERROR`.
    """
    a, b = unit_rows(a), unit_rows(b)
    a32, b32, limit = a.astype(np.float32), b.astype(np.float32), precise_up_to(head, a.shape[1])
    score = partial(_scores, head.distance_of_cosine, float(head.scale), float(head.bias))
    scores = np.empty((len(a), len(b)), np.float32)
    step = max(1, CACHED_VALUES // max(1, len(b)))
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the product has threads of its own
        for start in range(0, len(a), PRODUCT_ROWS):
            stop = min(start + PRODUCT_ROWS, len(a))
            np.matmul(a32[start:stop], b32.T, out=scores[start:stop])
            blocks = [slice(first, min(first + step, stop)) for first in range(start, stop, step)]
            list(pool.map(lambda block: _to_scores(score, scores[block], a[block], b, limit), blocks))
    return scores


def row_lengths(rows: np.ndarray) -> np.ndarray:
    """Returns the (n,) float64 lengths of (n, d) float32 rows."""
    return np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Returns (n, d) float32 rows divided by their lengths, in float64."""
    return rows / row_lengths(rows)[:, np.newaxis]


def _to_scores(
    score: Callable[..., np.ndarray], values: np.ndarray, a: np.ndarray, b: np.ndarray, limit: float
) -> None:
    """Replaces float32 cosines by scores; those above `limit` are computed again from the float64 unit rows."""
    above = values > limit
    count = np.count_nonzero(above)
    if count > MAX_SINGLE_SHARE * values.size:
        values[:] = score(a @ b.T)
        return
    score(values, out=values)
    if count:
        i, j = np.divmod(np.flatnonzero(above), len(b))
        values[i, j] = score(np.einsum("ij,ij->i", a[i], b[j]))


def _scores(
    distance_of_cosine: Callable[..., np.ndarray],
    scale: float,
    bias: float,
    cosines: np.ndarray,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Returns sigmoid(bias - scale * distance) in float32; `out` may be the float32 cosines themselves."""
    x = distance_of_cosine(cosines, out).astype(np.float32, copy=False)
    x *= scale
    x -= bias
    with np.errstate(over="ignore"):  # the score is then 0
        np.exp(x, out=x)
    x += 1.0
    return np.reciprocal(x, out=x)
