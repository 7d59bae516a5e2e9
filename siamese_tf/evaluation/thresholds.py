"""Threshold rules of a verifier: maximum accuracy, maximum F1, equal error rates, or a false match rate.

Training and evaluation both choose thresholds here. Choose a threshold on pairs other than those it is reported on.
FMR and FNMR (see `roc`) are both better lower.
"""

import re

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.fmr_limit import FmrLimit, threshold_at_fmr_limit
from siamese_tf.evaluation.fmr_threshold import threshold_at_fmr
from siamese_tf.evaluation.plateau import midpoint, plateau_threshold
from siamese_tf.evaluation.roc import min_different_pairs, roc_curve
from siamese_tf.evaluation.scored_pairs import check_scored_pairs

Rule = str | float | FmrLimit


def max_accuracy_threshold(similarity: ArrayLike, scores: ArrayLike) -> float:
    """Returns the threshold with the highest accuracy, as far as possible from the neighboring scores.

    Among the plateaus of thresholds that reach the highest accuracy, the widest is taken (the lowest of equally wide
    ones) and its midpoint returned. The outermost plateaus end at 0 and 1, or at the outermost scores if these lie
    outside.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar, usually in [0, 1].

    Returns:
        The threshold: a pair with score >= threshold is called same. It exceeds the highest score, so that no pair is
        called same, only if no other threshold is as accurate.

    Raises:
        SiameseError: input that is not m scored pairs of both classes.
    """
    same, values = check_scored_pairs(similarity, scores)
    levels, level = np.unique(values, return_inverse=True)
    same_at = np.bincount(level[same], minlength=levels.size)
    different_at = np.bincount(level[~same], minlength=levels.size)
    # Cut i is any threshold in (edges[i], edges[i + 1]]; moving up past levels[i] loses its same pairs.
    edges = np.r_[min(0.0, levels[0]), levels, max(1.0, np.nextafter(levels[-1], np.inf))]
    correct = np.append(0, np.cumsum(different_at - same_at)) + np.count_nonzero(same)
    best = np.r_[False, correct == correct.max(), False]
    starts, ends = np.flatnonzero(np.diff(best)).reshape(-1, 2).T
    widest = np.argmax(edges[ends] - edges[starts])
    return midpoint(edges[starts[widest]], edges[ends[widest]])


def best_f1_threshold(member: ArrayLike, scores: ArrayLike) -> float:
    """Returns the threshold with the highest F1, as far as possible from the neighboring scores.

    Among the intervals between scores that reach the highest F1, the widest is taken (the lowest of equally wide ones)
    and its midpoint returned. The lowest interval starts at 0.

    Args:
        member: (n,), 1 = in the class (or a same pair), 0 = not; both must occur.
        scores: (n,), finite, in [0, 1], higher = more likely in the class.

    Returns:
        The threshold: an image (or pair) with score >= threshold is called a member (same).

    Raises:
        SiameseError: input that is not n scored images, members and others.
    """
    members, values = check_scored_pairs(member, scores)
    levels = np.unique(values)
    called = values.size - np.searchsorted(np.sort(values), levels)  # number accepted by a threshold at each level
    true_positives = members.sum() - np.searchsorted(np.sort(values[members]), levels)
    f1 = 2 * true_positives / (called + members.sum())
    below = np.r_[0.0, levels[:-1]]
    best = np.flatnonzero(f1 == f1.max())
    widest = best[np.argmax((levels - below)[best])]
    return midpoint(below[widest], levels[widest])


def eer_threshold(similarity: ArrayLike, scores: ArrayLike) -> float:
    """Returns the threshold at which FMR and FNMR are closest to each other, in the middle of its plateau.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar, usually in [0, 1].

    Returns:
        The threshold: a pair with score >= threshold is called same. Of two equally good ones the higher, which has
        the lower FMR.

    Raises:
        SiameseError: input that is not m scored pairs of both classes.
    """
    fmr, tar, levels = roc_curve(similarity, scores)
    return plateau_threshold(levels, int(np.argmin(np.abs(fmr - (1 - tar)))))


RULES = {"accuracy": max_accuracy_threshold, "f1": best_f1_threshold, "eer": eer_threshold}


def parse_rule(text: str) -> Rule:
    """Parses a rule: a name of RULES, a false match rate, or a confidence limit of it such as "0.01 at 95%".

    Raises:
        SiameseError: the text is none of these.
    """
    if text in RULES:
        return text
    try:
        limit = re.fullmatch(r"\s*(\S+)\s+at\s+(\S+?)\s*%\s*", text)
        fmr = float(limit[1] if limit else text)
        min_different_pairs(fmr)
        if limit is None:
            return fmr
        if not 50 < float(limit[2]) < 100 or fmr == 1:
            raise ValueError("confidence or rate out of range")
    except ValueError as error:
        raise SiameseError(
            f"a threshold rule must be one of {', '.join(RULES)}, or a false match rate above 0 (at least 1e-300) and"
            " at most 1, such as 0.01, or a limit of it with a confidence above 50% and below 100%, such as '0.01 at"
            f" 95%'; got {text!r:.100}"
        ) from error
    return FmrLimit(fmr, float(limit[2]) / 100)


def choose_threshold(
    similarity: ArrayLike,
    scores: ArrayLike,
    rule: Rule,
    person1: ArrayLike | None = None,
    person2: ArrayLike | None = None,
) -> float:
    """Returns the threshold that a rule of `parse_rule` selects.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar.
        rule: a name of RULES, a false match rate for `threshold_at_fmr`, or a limit for `threshold_at_fmr_limit`.
        person1, person2: integers (m,), the person on each image of a pair; required by an `FmrLimit` only.

    Raises:
        SiameseError: an `FmrLimit` without people, or an error of the functions above.
    """
    if isinstance(rule, FmrLimit):
        if person1 is None or person2 is None:
            raise SiameseError(
                "a limit of the false match rate requires the people of the pairs: pass person1 and person2"
            )
        return threshold_at_fmr_limit(similarity, scores, person1, person2, rule)
    if isinstance(rule, str):
        return RULES[rule](similarity, scores)
    return threshold_at_fmr(similarity, scores, rule)


def describe_rule(rule: Rule) -> str:
    """Describes a rule, such as "at the best F1"; for a false match rate, as an average or as a limit."""
    if isinstance(rule, FmrLimit):
        return f"at an FMR of at most {rule.fmr:g} with {100 * rule.confidence:g}% confidence"
    names = {"accuracy": "at the best accuracy", "f1": "at the best F1", "eer": "at the EER"}
    return names[rule] if isinstance(rule, str) else f"at an FMR of {rule:g} (an average, not a limit)"
