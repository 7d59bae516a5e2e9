"""A threshold at a confidence limit of the false match rate, which bounds the rate on other people."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.jackknife import count_distinct_pairs, effective_size, upper_limit
from siamese_tf.evaluation.plateau import plateau_threshold
from siamese_tf.evaluation.roc import roc_curve
from siamese_tf.evaluation.scored_pairs import check_person_ids, check_scored_pairs

SUGGESTED_RATES = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


class FmrLimit(NamedTuple):
    """A threshold rule: the false match rate is at most `fmr` with `confidence`, such as 0.01 at 0.95.

    Attributes:
        fmr: in (0, 1), lower is stricter.
        confidence: in (0.5, 1), the probability that the limit holds when people are sampled to choose the threshold.
    """

    fmr: float
    confidence: float


def threshold_at_fmr_limit(
    similarity: ArrayLike, scores: ArrayLike, person1: ArrayLike, person2: ArrayLike, limit: FmrLimit
) -> float:
    """Returns the lowest threshold at which the upper confidence limit of the FMR is at most the rate of the rule.

    The limit is over people. The different pairs count as their effective size (see `jackknife`) at the threshold where
    the FMR itself equals the rate of the rule; the limit is Clopper and Pearson's upper limit for that size.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), finite, higher = more similar, usually in [0, 1].
        person1, person2: integers (m,), the person (or other unit of the split) on each image of a pair.
        limit: the rule.

    Returns:
        The threshold: a pair with score >= threshold is called same.

    Raises:
        SiameseError: input that is not m scored pairs of both classes and of known people, or too few people for the
            rule; the message gives the number needed and a rate that the given people support.
    """
    rates, tar, levels = roc_curve(similarity, scores)
    different = _DifferentPairs(similarity, scores, person1, person2)
    size = different.effective_size(limit)
    possible = np.unique(rates[rates <= limit.fmr])
    passing = possible[upper_limit(possible, size, 1 - limit.confidence) <= limit.fmr]
    if not passing.size:
        raise SiameseError(_too_few_people(different, limit, size))
    allowed = np.flatnonzero(rates <= passing.max())
    return plateau_threshold(levels, int(allowed[np.argmax(tar[allowed])]))


class _DifferentPairs:
    """The different pairs, highest score first."""

    def __init__(self, similarity: ArrayLike, scores: ArrayLike, person1: ArrayLike, person2: ArrayLike):
        same, values = check_scored_pairs(similarity, scores)
        check_person_ids(person1, person2, same.shape)
        self.scores = np.sort(values[~same])[::-1]
        order = np.flatnonzero(~same)[np.argsort(-values[~same], kind="stable")]
        sides = np.concatenate([np.asarray(person1)[order], np.asarray(person2)[order]])
        distinct, positions = np.unique(sides, return_inverse=True)
        self.people, self.pairs = distinct.size, order.size
        self.first, self.second = np.split(positions.ravel(), 2)
        self.distinct = count_distinct_pairs(self.first, self.second)

    def effective_size(self, limit: FmrLimit) -> float:
        """Returns the effective sample size at the threshold where the FMR equals that of the rule."""
        accepted = int(limit.fmr * self.pairs)
        if accepted < self.pairs:  # exclude pairs that tie with the next one
            accepted = int(np.count_nonzero(self.scores > self.scores[accepted]))
        if accepted == 0:
            return float(self.distinct)
        left_out = self._count_without_each(accepted) / np.maximum(self._count_without_each(self.pairs), 1)
        left_out[self._count_without_each(self.pairs) == 0] = np.nan
        rate = accepted / self.pairs
        return min(float(self.distinct), effective_size(rate, left_out, 1 - limit.confidence))

    def _count_without_each(self, pairs: int) -> np.ndarray:
        """Counts, for each person, those of the first `pairs` pairs that do not involve the person."""
        involved = np.concatenate([self.first[:pairs], self.second[:pairs]])
        return pairs - np.bincount(involved, minlength=self.people)


def _too_few_people(different: _DifferentPairs, limit: FmrLimit, size: float) -> str:
    needed = math.ceil(math.log(1 - limit.confidence) / math.log1p(-limit.fmr))
    text = (
        f"choosing a threshold at a false match rate of at most {limit.fmr:g} at {100 * limit.confidence:g}% needs"
        f" {needed:,} independent different pairs; the {different.pairs:,} pairs of {different.people:,} people count"
        f" as {size:,.0f}"
    )
    text += (
        f". Add people, about {math.ceil(different.people * needed / size):,} in all" if size >= 1 else ". Add people"
    )
    for fmr in SUGGESTED_RATES:
        rate = limit._replace(fmr=fmr)
        if fmr > limit.fmr and upper_limit(0.0, different.effective_size(rate), 1 - limit.confidence) <= fmr:
            return f"{text}, or allow a rate of {fmr:g}"
    return text
