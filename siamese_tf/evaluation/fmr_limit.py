"""A threshold by a limit of the false match rate: not what it is on these people, but what it is at most on others."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.jackknife import distinct_pairs, effective_size, upper_limit

OFFERED = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


class FmrLimit(NamedTuple):
    """The rule of a threshold whose false match rate is at most `fmr` with `confidence`, such as 0.01 at 0.95.

    Attributes:
        fmr: in (0, 1), lower is stricter.
        confidence: in (0.5, 1), how often it holds when people are drawn anew to choose the threshold.
    """

    fmr: float
    confidence: float


def threshold_at_fmr_limit(
    similarity: ArrayLike, scores: ArrayLike, person1: ArrayLike, person2: ArrayLike, limit: FmrLimit
) -> float:
    """The lowest threshold at which the upper confidence limit of the FMR is at most that of the rule.

    The limit is over people: the different pairs count as the effective size (see `jackknife`) that they have at the
    threshold where the FMR itself is that of the rule, and Clopper and Pearson's upper limit is taken.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar, usually in [0, 1].
        person1, person2: integers (m,), who is on either image of each pair; what was split, if not people.
        limit: the rule.

    Returns:
        The threshold: a pair with score >= threshold is called same.

    Raises:
        SiameseError: input that is not m scored pairs of both classes and of known people, or people who cannot support
            the rule: the message says how many could, and which rate these can.
    """
    rates, tar, levels = metrics.roc(similarity, scores)
    different = _Different(similarity, scores, person1, person2)
    size = different.size(limit)
    possible = np.unique(rates[rates <= limit.fmr])
    passing = possible[upper_limit(possible, size, 1 - limit.confidence) <= limit.fmr]
    if not passing.size:
        raise SiameseError(_refusal(different, limit, size))
    allowed = np.flatnonzero(rates <= passing.max())
    return metrics.middle_threshold(levels, int(allowed[np.argmax(tar[allowed])]))


class _Different:
    """The different pairs, highest score first."""

    def __init__(self, similarity: ArrayLike, scores: ArrayLike, person1: ArrayLike, person2: ArrayLike):
        same, values = metrics.checked_pairs(similarity, scores)
        if not np.shape(person1) == np.shape(person2) == same.shape:
            shapes = f"person1 has shape {np.shape(person1)}, person2 {np.shape(person2)} and similarity {same.shape}"
            raise SiameseError(f"{shapes}: all must be (m,), one entry a pair.")
        self.scores = np.sort(values[~same])[::-1]
        order = np.flatnonzero(~same)[np.argsort(-values[~same], kind="stable")]
        sides = np.concatenate([np.asarray(person1)[order], np.asarray(person2)[order]])
        distinct, positions = np.unique(sides, return_inverse=True)
        self.people, self.pairs = distinct.size, order.size
        self.first, self.second = np.split(positions.ravel(), 2)
        self.distinct = distinct_pairs(self.first, self.second)

    def size(self, limit: FmrLimit) -> float:
        """Returns the effective sample size, at the threshold where their own FMR is that of the rule."""
        accepted = int(limit.fmr * self.pairs)
        if accepted < self.pairs:  # as many as tie with the next one are left out
            accepted = int(np.count_nonzero(self.scores > self.scores[accepted]))
        if accepted == 0:
            return float(self.distinct)
        without = self._of_others(accepted) / np.maximum(self._of_others(self.pairs), 1)
        without[self._of_others(self.pairs) == 0] = np.nan
        rate = accepted / self.pairs
        return min(float(self.distinct), effective_size(rate, without, 1 - limit.confidence))

    def _of_others(self, pairs: int) -> np.ndarray:
        """Counts for each person the first pairs that the person is not in."""
        in_them = np.concatenate([self.first[:pairs], self.second[:pairs]])
        return pairs - np.bincount(in_them, minlength=self.people)


def _refusal(different: _Different, limit: FmrLimit, size: float) -> str:
    needed = math.ceil(math.log(1 - limit.confidence) / math.log1p(-limit.fmr))
    text = (
        f"a false match rate of at most {limit.fmr:g} at {100 * limit.confidence:g}% takes {needed:,} independent"
        f" different pairs to set a threshold by; the {different.pairs:,} of {different.people:,} people count as"
        f" {size:,.0f}"
    )
    text += f". Add people, {math.ceil(different.people * needed / size):,} should do" if size >= 1 else ". Add people"
    for fmr in OFFERED:
        rate = limit._replace(fmr=fmr)
        if fmr > limit.fmr and upper_limit(0.0, different.size(rate), 1 - limit.confidence) <= fmr:
            return f"{text}, or allow a rate of {fmr:g}"
    return text
