"""A threshold at a false match rate, measured on the given pairs."""

from decimal import ROUND_CEILING, Context

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.plateau import plateau_threshold
from siamese_tf.evaluation.roc import min_different_pairs, roc_curve


def threshold_at_fmr(similarity: ArrayLike, scores: ArrayLike, fmr: float) -> float:
    """Returns the threshold with the lowest FNMR among those whose FMR is at most `fmr`, in the middle of its plateau.

    The FMR is that of these pairs. Other people have it on average: about half of all groups of people exceed it. For
    a rate that others rarely exceed, see `threshold_at_fmr_limit`.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar, usually in [0, 1].
        fmr: the maximum false match rate, in (0, 1].

    Returns:
        The threshold: a pair with score >= threshold is called same.

    Raises:
        SiameseError: input that is not m scored pairs of both classes, a rate outside (0, 1], or fewer different pairs
            than `min_different_pairs(fmr)`; the message gives the number needed.
    """
    needed = min_different_pairs(fmr)
    rates, tar, levels = roc_curve(similarity, scores)
    different = int(np.count_nonzero(np.asarray(similarity) == 0))
    if different < needed:
        lowest = Context(prec=2, rounding=ROUND_CEILING).divide(3, different)
        raise SiameseError(
            f"choosing a threshold at a false match rate of {fmr:g} needs {needed:,} different pairs, 3 / rate (rule of"
            f" three); got {different:,}. Add pairs"
            + (f", or allow a rate of {float(lowest):g} or more" if lowest < 1 else "")
        )
    allowed = np.flatnonzero(rates <= fmr)
    return plateau_threshold(levels, int(allowed[np.argmax(tar[allowed])]))
