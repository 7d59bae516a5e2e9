"""Comparison of an image with enrolled people who have several images each, and its threshold.

The given model compares the embeddings: this module does not import TensorFlow itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from siamese_tf.errors import ConfigError, ImageError
from siamese_tf.inference.people import People
from siamese_tf.models.embeddings import as_embeddings, check_comparable
from siamese_tf.models.largest_columns import largest_columns
from siamese_tf.models.probability import probability

if TYPE_CHECKING:
    from siamese_tf.models.siamese_model import SiameseModel

MATCHES = ("mean", "best")
_REDUCE: dict[str, np.ufunc] = {"mean": np.add, "best": np.maximum}  # over the images of a person
_PROBE_BATCH = 64  # probes compared with all people at once


@dataclass(frozen=True)
class Match:
    """Result of comparing an image with a person.

    Attributes:
        name: name of the person.
        score: probability, at even prior odds, that the image shows the person; in [0, 1], higher is more similar.
        threshold: decision threshold of the score, from `corrected_threshold`.
        same: True if score >= threshold.
    """

    name: str
    score: float
    threshold: float
    same: bool


def check_settings(match: str, top: int = 1) -> None:
    """Raises a `ConfigError` unless `match` is one of `MATCHES` and `top` is an integer of 1 or more."""
    if match not in MATCHES:
        raise ConfigError(f"match must be one of {', '.join(MATCHES)}; got {match!r:.100}")
    if not isinstance(top, int | np.integer) or isinstance(top, bool) or top < 1:
        raise ConfigError(f"top must be an integer of 1 or more, the maximum number of people; got {top!r:.100}")


def as_rows(embeddings: np.ndarray, embedding_dim: int) -> np.ndarray:
    """Converts embeddings (n, d) or (d,) to (n, d) float32 and checks that they can be compared.

    Raises:
        ImageError: if embeddings are not numbers, have the wrong shape, or are zero or not finite.
    """
    rows = as_embeddings(embeddings, embedding_dim, single=True)
    check_comparable(rows, "embeddings")
    return rows


def corrected_threshold(threshold: float, comparisons: int) -> float:
    """Returns the threshold for the best of several comparisons, each of which could exceed it by chance.

    logit(corrected) = logit(threshold) + log(comparisons), which equals subtracting log(comparisons) from every logit

    The model's logit is a log likelihood ratio, calibrated at even prior odds. Assume that a probe is as likely to show
    a person of the gallery as a stranger: the prior odds of one person among n are then 1 to n, and Bayes' rule
    subtracts log(n) from the logit. The bound this preserves holds for any distribution of scores: the likelihood ratio
    of two different people reaches c with probability at most 1 / c, so that one of n strangers reaches the corrected
    threshold n c with probability at most n / (n c) = 1 / c, the bound of a single comparison. This is Bonferroni's
    correction of the bound. The false match rate itself stays below the bound, but not necessarily as far below as for
    one comparison: measure it on your own people.

    A mean of logits obeys the same bound as a single one (Jensen's inequality), so that with "mean" n is the number of
    people; with "best" every image can exceed the threshold, and n is the number of images.

    Args:
        threshold: threshold of the model for one pair, in [0, 1].
        comparisons: number of comparisons, 0 or more; 0 counts as 1.

    Returns:
        Corrected threshold in [0, 1], never lower than `threshold`.

    References:
        R. Royall, "On the probability of observing misleading statistical evidence", JASA 95, 2000 (the bound).
        N. Brummer and J. du Preez, "Application-independent evaluation of speaker detection", Computer Speech and
        Language 20, 2006 (thresholds of calibrated likelihood ratios).
    """
    if comparisons <= 1:
        return threshold
    return threshold / (threshold + (1.0 - threshold) / comparisons)


def gallery_threshold(threshold: float, people: People, match: str) -> float:
    """Returns the `corrected_threshold` for the best match among all people, from the threshold for one pair."""
    return corrected_threshold(threshold, len(people.rows if match == "best" else people.names))


def nearest_people(
    model: "SiameseModel", probes: np.ndarray, people: People, count: int, match: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields each probe with the people of the highest scores, unordered; a fast search in float32 precision.

    Args:
        model: compares the embeddings.
        probes: (n, d) float32.
        people: one person or more.
        count: number of people to find; all if there are fewer.
        match: one of MATCHES.

    Yields:
        A probe (d,) and the positions of people.
    """
    images = np.diff(people.ends, prepend=0)
    count = min(count, len(images))
    for start in range(0, len(probes), _PROBE_BATCH):
        block = probes[start : start + _PROBE_BATCH]
        logits = model.all_pairs.prepared_logits(block, people.rows)  # (n, m)
        of_people = logits  # (n, N)
        if len(images) < len(people.rows):
            of_people = _REDUCE[match].reduceat(logits, people.ends - images, axis=1)
            if match == "mean":
                of_people /= images
        yield from zip(block, largest_columns(of_people, count), strict=True)


def rank_people(
    model: "SiameseModel",
    probe: np.ndarray,
    people: Sequence[tuple[str, np.ndarray]],
    match: str,
    threshold: float,
) -> list[Match]:
    """Ranks a few people by their similarity to an image, with the exact logits of the model.

    Args:
        model: compares the embeddings.
        probe: (d,) float32.
        people: the names and embeddings (r, d) of the people, r >= 1.
        match: one of MATCHES.
        threshold: the decision threshold of the score.

    Returns:
        One match per person, in descending order of the logits; ties in the given order.

    Raises:
        ImageError: if the logits of the model are not finite.
    """
    images = [len(rows) for _, rows in people]
    rows = np.concatenate([rows for _, rows in people])
    logits = model.all_pairs.logit_matrix(probe[np.newaxis], rows)[0].astype(np.float64)
    if not np.isfinite(logits).all():
        raise ImageError(
            "the logits of these images must be finite; got NaN or infinity. Check the model with evaluate"
        )
    of_people = _REDUCE[match].reduceat(logits, np.cumsum([0, *images[:-1]]))
    if match == "mean":
        of_people = of_people / images
    scores = probability(of_people)
    return [
        Match(people[j][0], float(scores[j]), threshold, bool(scores[j] >= threshold))
        for j in np.argsort(-of_people, kind="stable")
    ]
