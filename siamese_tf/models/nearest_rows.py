"""Search for the most similar rows of a gallery: a float32 shortlist with an error bound, then exact logits."""

from typing import NamedTuple

import numpy as np

from siamese_tf.models.float32_cosines import largest_error, row_lengths, unit_rows
from siamese_tf.models.heads import Head
from siamese_tf.models.largest_columns import GROUP, columns_above, group_maxima

BLOCK_VALUES = 2**24  # cosines computed at once


class NearestRows(NamedTuple):
    """The most similar gallery rows of each probe, best first, ties by index.

    Attributes:
        indices: (n, k) int64 rows of the gallery.
        logits: (n, k) float32.
        proven: (n,) bool, False for probes whose rows and logits are not filled in or may be wrong.
    """

    indices: np.ndarray
    logits: np.ndarray
    proven: np.ndarray


def nearest_rows(head: Head, probes: np.ndarray, gallery: np.ndarray, k: int) -> NearestRows:
    """Finds the k gallery rows with the highest logits, if the logit is an increasing function of the cosine.

    The float32 product of unit rows differs from their cosine by at most `largest_error`, so that the k best rows have
    products of at least the k-th largest one minus twice that. The k-th largest maximum of a group of products is a
    lower bound of the k-th largest product. The logits of all rows down to three times the error below are computed
    from float64 cosines. A probe is proven if these rows are not too many, and the logits of all others are lower even
    after rounding, which is false only for many nearly equal rows or a very flat head.

    Args:
        head: head of the model; no probe is proven if it does not normalize embeddings, or its scale is not positive.
        probes: (n, d) float32, not zero.
        gallery: (m, d) float32, not zero; no probe is proven if it is too small for a shortlist to be faster.
        k: number of rows per probe, at most m.
    """
    count = len(probes)
    found = NearestRows(np.zeros((count, k), np.int64), np.zeros((count, k), np.float32), np.zeros(count, bool))
    if not head.normalizes or float(head.scale) <= 0.0 or len(gallery) < 2 * GROUP * _most(k):
        return found
    lengths = row_lengths(gallery)
    unit_gallery = (gallery / lengths[:, np.newaxis]).astype(np.float32)
    error, step = largest_error(gallery.shape[1]), max(1, BLOCK_VALUES // len(gallery))
    products = np.empty((min(step, count), len(gallery)), np.float32)  # memory that is new for each block costs a tenth
    for start in range(0, count, step):
        block = slice(start, start + step)
        a = unit_rows(probes[block])
        cosines = np.matmul(a.astype(np.float32), unit_gallery.T, out=products[: len(a)])
        maxima = group_maxima(cosines)
        bound = np.partition(maxima, -k, axis=1)[:, -k] - 3.0 * error
        few = np.count_nonzero(maxima >= bound[:, np.newaxis], axis=1) <= _most(k)
        i, j = columns_above(cosines, maxima, np.where(few, bound, np.inf))
        logits = head.logit_of_cosine(np.einsum("ij,ij->i", a[i], gallery[j]) / lengths[j])
        found.indices[block], found.logits[block] = _best(i, j, logits, len(a), k)
        of_others = head.logit_of_cosine(bound.astype(np.float64) + error)  # at most
        found.proven[block] = few & (of_others < found.logits[block, -1])
    return found


def _most(k: int) -> int:
    """Returns the largest number of groups with a row of the shortlist for which it is worth its time."""
    return 4 * k + 64


def _best(i: np.ndarray, j: np.ndarray, logits: np.ndarray, rows: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the (rows, k) columns `j` and logits of the highest logits of each row `i`; 0 for rows with fewer."""
    order = np.lexsort((j, -logits, i))
    counts = np.bincount(i, minlength=rows)
    first = np.cumsum(counts) - counts
    complete = counts >= k
    chosen = order[first[complete, np.newaxis] + np.arange(k)]
    indices, best = np.zeros((rows, k), np.int64), np.zeros((rows, k), np.float32)
    indices[complete], best[complete] = j[chosen], logits[chosen]
    return indices, best
