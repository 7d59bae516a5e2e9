"""Search for the most similar rows of a gallery: a float32 shortlist with an error bound, then exact logits."""

from typing import NamedTuple

import numpy as np

from siamese_tf.models.float32_cosines import largest_error
from siamese_tf.models.heads import Head
from siamese_tf.models.largest_columns import GROUP, largest_columns

BLOCK_VALUES = 2**23  # cosines computed at once


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
    products of at least the k-th largest one minus twice that. The shortlist has all rows down to three times that
    below, and their logits are computed from float64 cosines. A probe is proven if the shortlist was long enough, and
    the logits of all other rows are lower even after rounding, which is false only for many nearly equal rows or a
    very flat head.

    Args:
        head: head of the model; no probe is proven if it does not normalize embeddings, or its scale is not positive.
        probes: (n, d) float32, not zero.
        gallery: (m, d) float32, not zero; no probe is proven if it is too small for a shortlist to be faster.
        k: number of rows per probe, at most m.
    """
    count, shortlist = len(probes), 2 * k + 32
    found = NearestRows(np.zeros((count, k), np.int64), np.zeros((count, k), np.float32), np.zeros(count, bool))
    if not head.normalizes or float(head.scale) <= 0.0 or len(gallery) < GROUP * shortlist:
        return found
    lengths = _lengths(gallery)
    unit_gallery = (gallery / lengths[:, np.newaxis]).astype(np.float32)
    step = max(1, BLOCK_VALUES // len(gallery))
    for start in range(0, count, step):
        block = slice(start, start + step)
        a = probes[block] / _lengths(probes[block])[:, np.newaxis]  # float64
        cosines = a.astype(np.float32) @ unit_gallery.T
        columns = np.sort(largest_columns(cosines, shortlist), axis=1)
        found.indices[block], found.logits[block], found.proven[block] = _exact(
            head, a, gallery, lengths, columns, np.take_along_axis(cosines, columns, axis=1), k
        )
    return found


def _exact(
    head: Head,
    a: np.ndarray,
    gallery: np.ndarray,
    lengths: np.ndarray,
    columns: np.ndarray,
    cosines: np.ndarray,
    k: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the arrays of `NearestRows` for unit probes, from the sorted shortlist and its float32 cosines."""
    error = largest_error(a.shape[1])
    bound = np.partition(cosines, -k, axis=1)[:, -k] - 3.0 * error
    near = cosines >= bound[:, np.newaxis]
    i, j = np.nonzero(near)[0], columns[near]
    exact = np.einsum("ij,ij->i", a[i], gallery[j]) / lengths[j]
    logits = np.full(columns.shape, -np.inf, np.float32)
    logits[near] = head.logit_of_cosine(exact)
    order = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    logits = np.take_along_axis(logits, order, axis=1)
    of_others = head.logit_of_cosine(bound.astype(np.float64) + error)  # at most
    proven = (cosines.min(axis=1) < bound) & (of_others < logits[:, -1])
    return np.take_along_axis(columns, order, axis=1), logits, proven


def _lengths(rows: np.ndarray) -> np.ndarray:
    """Returns the (n,) float64 lengths of (n, d) float32 rows."""
    return np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
