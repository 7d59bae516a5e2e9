"""How a picture is held against people with several pictures each, and from which score on it shows one of them.

It needs no TensorFlow of its own: the model that it is given compares the embeddings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from siamese_tf.errors import ConfigError, ImageError
from siamese_tf.models.embeddings import as_embeddings, check_comparable

if TYPE_CHECKING:
    from siamese_tf.models.siamese_model import SiameseModel

MATCHES = ("mean", "best")
_OVER_PICTURES: dict[str, np.ufunc] = {"mean": np.add, "best": np.maximum}
_PROBES = 64  # at a time, against everybody


@dataclass(frozen=True)
class Match:
    """A picture beside a person.

    Attributes:
        name: of the person.
        score: the probability, at even odds, that the picture shows that person; in [0, 1], higher is more similar.
        threshold: what the score had to reach, see `corrected_threshold`.
        same: score >= threshold.
    """

    name: str
    score: float
    threshold: float
    same: bool


@dataclass(frozen=True, eq=False)
class People:
    """Enrolled people in memory.

    Attributes:
        names: of the N people.
        ends: (N,) integers; the pictures of person j are the rows up to `ends[j]`, from where the one before ended.
        rows: (m, d) float32, what `PairScorer.prepare` gives for all embeddings.
    """

    names: Sequence[str]
    ends: np.ndarray
    rows: np.ndarray

    def of(self, person: int) -> np.ndarray:
        """The rows (r, d) of one person."""
        return self.rows[self.ends[person - 1] if person else 0 : self.ends[person]]

    def threshold(self, of_one: float, match: str) -> float:
        """The threshold for the best of them all, from that for one pair; see `corrected_threshold`."""
        return corrected_threshold(of_one, len(self.rows if match == "best" else self.names))


def check_settings(match: str, top: int = 1) -> None:
    """Raises a ConfigError for a match that is none of MATCHES, and a top that is no whole number from 1 on."""
    if match not in MATCHES:
        raise ConfigError(f"match must be one of {', '.join(MATCHES)}; got {match!r:.100}")
    if not isinstance(top, int | np.integer) or isinstance(top, bool) or top < 1:
        raise ConfigError(
            f"top must be a whole number from 1 on, since it says how many people to name; got {top!r:.100}"
        )


def as_rows(embeddings: np.ndarray, embedding_dim: int) -> np.ndarray:
    """Embeddings (n, d) or (d,) as (n, d) float32 that can be compared.

    Raises:
        ImageError: embeddings that are no numbers, of another shape, not finite, or of length 0.
    """
    rows = as_embeddings(embeddings, embedding_dim, single=True)
    check_comparable(rows, "embeddings")
    return rows


def corrected_threshold(threshold: float, comparisons: int) -> float:
    """The threshold for the best of several comparisons, each of which could say "same" by chance.

    logit(raised) = logit(threshold) + log(comparisons), which is to subtract log(comparisons) from every logit

    The model's logit is the log of a likelihood ratio, calibrated at even odds. Take somebody of the gallery to be as
    probable as nobody of it: before the picture is seen, the odds of one person among n are then not even but 1 to n,
    by Bayes log(n) less. What this keeps, however scores are distributed: a likelihood ratio of two different people
    reaches c with a probability of at most 1 / c, so among n strangers one reaches the raised threshold, n c, with at
    most n / (n c) = 1 / c, the bound for one. That is Bonferroni's correction, of the bound. The rate itself stays
    below it, but need not stay as far below as for one: an evaluation on people of your own measures it.

    A mean of logits obeys the same bound as one of them (e to a mean is at most the mean of e), so under "mean" n is
    the number of people; under "best" every picture has its chance, and n is the number of pictures.

    Args:
        threshold: of the model, for one pair; in [0, 1].
        comparisons: how many there are, 0 or more; 0 counts as 1.

    Returns:
        In [0, 1], never lower than the threshold.

    References:
        R. Royall, "On the probability of observing misleading statistical evidence", JASA 95, 2000 (the bound);
        N. Brummer and J. du Preez, "Application-independent evaluation of speaker detection", Computer Speech and
        Language 20, 2006 (thresholds of calibrated likelihood ratios).
    """
    if comparisons <= 1:
        return threshold
    return threshold / (threshold + (1.0 - threshold) / comparisons)


def nearest(
    model: "SiameseModel", probes: np.ndarray, people: People, count: int, match: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each probe with the people whose scores are highest, in no order; found quickly, rounded as float32 rounds.

    Args:
        model: compares.
        probes: (n, d) float32.
        people: at least one.
        count: how many to find; all where there are fewer.
        match: of MATCHES.

    Returns:
        For each probe: itself (d,), and numbers of people.
    """
    pictures = np.diff(people.ends, prepend=0)
    count = min(count, len(pictures))
    for start in range(0, len(probes), _PROBES):
        block = probes[start : start + _PROBES]
        logits = model.all_pairs.prepared_logits(block, people.rows)  # (n, m)
        of_people = _OVER_PICTURES[match].reduceat(logits, people.ends - pictures, axis=1)  # (n, N)
        if match == "mean":
            of_people /= pictures
        yield from zip(block, np.argpartition(of_people, -count, axis=1)[:, -count:], strict=True)


def rank_people(
    model: "SiameseModel",
    probe: np.ndarray,
    people: Sequence[tuple[str, np.ndarray]],
    match: str,
    threshold: float,
) -> list[Match]:
    """A picture beside a few people, by the logits that the model gives for its pairs, with nothing rounded away.

    Args:
        model: compares.
        probe: (d,) float32.
        people: names, and the embeddings (r, d) of each, at least one.
        match: of MATCHES.
        threshold: from which score on it is the same.

    Returns:
        One for each person, best first, by the logit; of equal ones in the order given.

    Raises:
        ImageError: the model has no answer, since its numbers are not finite.
    """
    pictures = [len(rows) for _, rows in people]
    rows = np.concatenate([rows for _, rows in people])
    logits = model.all_pairs.logit_matrix(probe[np.newaxis], rows)[0].astype(np.float64)
    if not np.isfinite(logits).all():
        raise ImageError("the model gives no finite number for these pictures. Look at the model with evaluate")
    of_people = _OVER_PICTURES[match].reduceat(logits, np.cumsum([0, *pictures[:-1]]))
    if match == "mean":
        of_people = of_people / pictures
    scores = expit(of_people)
    return [
        Match(people[j][0], float(scores[j]), threshold, bool(scores[j] >= threshold))
        for j in np.argsort(-of_people, kind="stable")
    ]
