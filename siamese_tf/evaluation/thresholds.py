"""The threshold of a verifier, by a rule: highest accuracy, highest F1, equal error rates, or a false match rate.

The *false match rate* (FMR) is the share of the different pairs that are called same, the *false non-match rate*
(FNMR) that of the same pairs that are called different; both are better lower (ISO/IEC 19795-1). `metrics` calls the
FMR by its older name, false accept rate. Choose a threshold on other pairs than those it is reported on.
"""

import re
from decimal import ROUND_CEILING, Context

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.calibration import max_accuracy_threshold
from siamese_tf.evaluation.fmr_limit import FmrLimit, threshold_at_fmr_limit

Rule = str | float | FmrLimit


def eer_threshold(similarity: ArrayLike, scores: ArrayLike) -> float:
    """The threshold at which FMR and FNMR are nearest to each other, in the middle of those that decide alike.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar, usually in [0, 1].

    Returns:
        The threshold: a pair with score >= threshold is called same. Of two equally good ones the higher, which has
        the lower FMR.

    Raises:
        SiameseError: input that is not m scored pairs of both classes.
    """
    fmr, tar, levels = metrics.roc(similarity, scores)
    return metrics.middle_threshold(levels, int(np.argmin(np.abs(fmr - (1 - tar)))))


def threshold_at_fmr(similarity: ArrayLike, scores: ArrayLike, fmr: float) -> float:
    """The threshold with the lowest FNMR among those whose FMR is at most `fmr`, in the middle of those alike.

    The FMR is that of these pairs: other people have it on average, and about half of all groups of people a higher
    one. For one that others exceed rarely, see `threshold_at_fmr_limit`.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar, usually in [0, 1].
        fmr: the false match rate allowed, in (0, 1].

    Returns:
        The threshold: a pair with score >= threshold is called same.

    Raises:
        SiameseError: input that is not m scored pairs of both classes, a rate outside (0, 1], or fewer different pairs
            than `metrics.pairs_needed`: the message says how many it takes.
    """
    needed = metrics.pairs_needed(fmr)
    rates, tar, levels = metrics.roc(similarity, scores)
    different = int(np.count_nonzero(np.asarray(similarity) == 0))
    if different < needed:
        lowest = Context(prec=2, rounding=ROUND_CEILING).divide(3, different)
        raise SiameseError(
            f"a false match rate of {fmr:g} takes {needed:,} different pairs to set a threshold by, 3 / rate (rule of"
            f" three); there are {different:,}. Add pairs"
            + (f", or allow a rate of {float(lowest):g} or more" if lowest < 1 else "")
        )
    allowed = np.flatnonzero(rates <= fmr)
    return metrics.middle_threshold(levels, int(allowed[np.argmax(tar[allowed])]))


def best_f1_threshold(member: ArrayLike, scores: ArrayLike) -> float:
    """The threshold with the highest F1, as far from the scores around it as can be.

    Between two neighbouring scores every threshold decides alike. Of the stretches with the highest F1 the widest is
    taken (of equally wide ones the lowest), and its middle returned. The lowest stretch begins at 0.

    Args:
        member: (n,), 1 = of the class (or a same pair), 0 = not; both must occur.
        scores: (n,), finite, in [0, 1], higher = more probably of the class.

    Returns:
        The threshold: an image (or pair) with score >= threshold is called a member (same).

    Raises:
        SiameseError: input that is not n scored images, members and others.
    """
    members, values = metrics.checked_pairs(member, scores)
    levels = np.unique(values)
    called = values.size - np.searchsorted(np.sort(values), levels)  # how many a threshold at each level accepts
    found = members.sum() - np.searchsorted(np.sort(values[members]), levels)
    f1 = 2 * found / (called + members.sum())
    below = np.r_[0.0, levels[:-1]]
    best = np.flatnonzero(f1 == f1.max())
    widest = best[np.argmax((levels - below)[best])]
    low, high = below[widest], levels[widest]
    middle = low + (high - low) / 2
    return float(middle if middle > low else high)


RULES = {"accuracy": max_accuracy_threshold, "f1": best_f1_threshold, "eer": eer_threshold}


def parse_rule(text: str) -> Rule:
    """Parses a rule: a name of RULES, a false match rate, or a limit of it such as "0.01 at 95%".

    Raises:
        SiameseError: it is none of these.
    """
    if text in RULES:
        return text
    try:
        limit = re.fullmatch(r"\s*(\S+)\s+at\s+(\S+?)\s*%\s*", text)
        fmr = float(limit[1] if limit else text)
        metrics.pairs_needed(fmr)
        if limit is None:
            return fmr
        if not 50 < float(limit[2]) < 100 or fmr == 1:
            raise ValueError("no confidence")
    except ValueError as error:
        raise SiameseError(
            f"a threshold is chosen at {', '.join(RULES)}, or at a false match rate above 0 and at most 1, such as"
            " 0.01, and 1e-300 at least, or at a limit of it with a confidence above 50% and below 100%, such as"
            f" '0.01 at 95%'; got {text!r:.100}"
        ) from error
    return FmrLimit(fmr, float(limit[2]) / 100)


def choose_threshold(
    similarity: ArrayLike,
    scores: ArrayLike,
    rule: Rule,
    person1: ArrayLike | None = None,
    person2: ArrayLike | None = None,
) -> float:
    """The threshold by a rule of `parse_rule`.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar.
        rule: a name of RULES, a false match rate for `threshold_at_fmr`, or a limit for `threshold_at_fmr_limit`.
        person1, person2: integers (m,), who is on either image of each pair; a limit alone needs them.

    Raises:
        SiameseError: as those functions do.
    """
    if isinstance(rule, FmrLimit):
        if person1 is None or person2 is None:
            raise SiameseError("a limit of the false match rate is one over people: give person1 and person2.")
        return threshold_at_fmr_limit(similarity, scores, person1, person2, rule)
    if isinstance(rule, str):
        return RULES[rule](similarity, scores)
    return threshold_at_fmr(similarity, scores, rule)


def describe_rule(rule: Rule) -> str:
    """The rule for people, such as "at the best F1", and of a false match rate whether it is an average or a limit."""
    if isinstance(rule, FmrLimit):
        return f"at an FMR of at most {rule.fmr:g} with {100 * rule.confidence:g}% confidence"
    names = {"accuracy": "at the best accuracy", "f1": "at the best F1", "eer": "at the EER"}
    return names[rule] if isinstance(rule, str) else f"at an FMR of {rule:g} (an average, not a limit)"
