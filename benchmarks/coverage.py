"""Simulated coverage of the 95% intervals of verification rates, and FMR of thresholds chosen by an FMR rule.

    python benchmarks/coverage.py [REPETITIONS]    300 by default; about ten minutes on one core

People are drawn from a random-effects model, so every true rate is known. A same pair of person i has the score
g + a_i + noise, a different pair of i and j the score -h + b_i + b_j + c_ij + noise. All effects are normal, and the
variances of a score sum to 1. All pairs of four images per person (uneven: three to eight) are scored.

The first table lists, for each rate and number of people, the lowest coverage over the populations and the mean width,
for the percentile bootstrap over people and for `cluster_intervals`, the jackknife. The second does the same for an
accuracy over images. The third lists, for each threshold rule, the highest fraction of repetitions over the populations
in which the rule is rejected, and in which the true FMR exceeds the rate of the rule.
"""

import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.intervals import accuracy_of, bootstrap_people, cluster_intervals
from siamese_tf.evaluation.thresholds import choose_threshold, parse_rule
from siamese_tf.evaluation.verification import PairRates, verification_report

RATES = ("accuracy", "f1", "fmr", "fnmr", "eer", "auc", "0.1", "0.01", "0.001")
PEOPLE = (5, 8, 12, 20, 40)
IMAGES = (8, 20, 50, 100)
RULES = ("0.05", "0.05 at 95%", "0.2 at 95%")
REPLICATES = 100  # of the bootstrap


class Kind(NamedTuple):
    """Parameters of a simulated population.

    Attributes:
        mean: mean score of same pairs, and minus that of different pairs, in standard deviations; the threshold is 0.
        same: fraction of the variance of same pairs due to the person.
        different: fraction of the variance of different pairs due to the two people.
        pair: fraction of the variance of different pairs due to the pair of people.
        images: numbers of images of successive people, repeated cyclically.
    """

    mean: float
    same: float
    different: float
    pair: float
    images: tuple[int, ...]


KINDS = {
    "weak effects, accuracy 0.90": Kind(1.28, 0.1, 0.1, 0.0, (4,)),
    "strong effects, accuracy 0.90": Kind(1.28, 0.4, 0.3, 0.1, (4,)),
    "strong effects, accuracy 0.98": Kind(2.05, 0.4, 0.3, 0.1, (4,)),
    "uneven, accuracy 0.95": Kind(1.645, 0.3, 0.2, 0.1, (3, 4, 5, 8)),
}


class Drawn(NamedTuple):
    """Simulated pairs: similarity, people and scores in [0, 1], each (m,); the threshold is 0.5."""

    similarity: np.ndarray
    person1: np.ndarray
    person2: np.ndarray
    scores: np.ndarray


class IntervalStats(NamedTuple):
    """Fraction of repetitions whose interval contains the true rate, and mean width."""

    coverage: float
    width: float


def draw(kind: Kind, people: int, rng: np.random.Generator) -> Drawn:
    labels = np.repeat(np.arange(people), np.resize(kind.images, people))
    first, second = labels[np.stack(np.triu_indices(labels.size, 1))]
    of_same = rng.normal(0, kind.same**0.5, people)
    of_different = rng.normal(0, (kind.different / 2) ** 0.5, people)
    of_pair = rng.normal(0, kind.pair**0.5, (people, people))
    noise = rng.normal(size=first.size)
    scores = np.where(
        first == second,
        kind.mean + of_same[first] + (1 - kind.same) ** 0.5 * noise,
        -kind.mean
        + of_different[first]
        + of_different[second]
        + of_pair[first, second]
        + (1 - kind.different - kind.pair) ** 0.5 * noise,
    )
    return Drawn((first == second).astype(np.uint8), first, second, expit(scores))


def truth(kind: Kind, similarity: np.ndarray) -> dict[str, float]:
    """Returns the true rates of the population, for the given proportion of same and different pairs."""
    wrong, same = ndtr(-kind.mean), int(similarity.sum())
    different = similarity.size - same
    fnmr_at = {str(fmr): ndtr(-ndtri(fmr) - 2 * kind.mean) for fmr in (0.1, 0.01, 0.001)}
    f1 = 2 * same * (1 - wrong) / (2 * same * (1 - wrong) + wrong * (same + different))
    rates = {"accuracy": 1 - wrong, "f1": f1, "fmr": wrong, "fnmr": wrong, "eer": wrong}
    return {name: float(rate) for name, rate in (rates | {"auc": ndtr(2**0.5 * kind.mean)} | fnmr_at).items()}


def jackknife(drawn: Drawn) -> dict[str, tuple[float, float]]:
    intervals = verification_report(*drawn, 0.5)["ci95"]
    intervals |= intervals.pop("fnmr_at_fmr")
    return {name: ends for name, ends in intervals.items() if ends is not None}


def bootstrap(drawn: Drawn) -> dict[str, tuple[float, float]]:
    rates = PairRates(drawn.similarity == 1, drawn.scores, drawn.scores >= 0.5)
    return bootstrap_people(drawn.person1, drawn.person2, rates.of, replicates=REPLICATES)


def coverage(kind: Kind, people: int, repetitions: int, method=jackknife) -> dict[str, IntervalStats]:
    """Returns the coverage by rate; omits a rate that the pairs never support."""
    rng = np.random.default_rng(people)
    found: dict[str, list[tuple[bool, float]]] = {}
    for _ in range(repetitions):
        drawn = draw(kind, people, rng)
        true = truth(kind, drawn.similarity)
        for name, (low, high) in method(drawn).items():
            found.setdefault(name, []).append((low - 1e-12 <= true[name] <= high + 1e-12, high - low))
    return {name: IntervalStats(*np.mean(rows, axis=0).tolist()) for name, rows in found.items()}


def image_coverage(images: int, repetitions: int) -> tuple[IntervalStats, IntervalStats]:
    """Returns the coverage of an accuracy of 0.90 over images in about 20 pairs each: bootstrap, jackknife."""
    rng, rows = np.random.default_rng(images), []
    for _ in range(repetitions):
        hard = rng.normal(0, 0.2**0.5, images)
        first = rng.integers(0, images, 10 * images)
        second = (first + rng.integers(1, images, first.size)) % images
        right = (hard[first] + hard[second] + 0.6**0.5 * rng.normal(size=first.size) < 1.2816).astype(np.int64)
        rate = accuracy_of(right)
        ends = bootstrap_people(first, second, rate, replicates=REPLICATES)["accuracy"]
        ends += cluster_intervals(first, second, np.zeros(first.size), rate)["accuracy"]
        rows.append([ends[0] <= 0.9 <= ends[1], ends[1] - ends[0], ends[2] <= 0.9 <= ends[3], ends[3] - ends[2]])
    means = np.mean(rows, axis=0).tolist()
    return IntervalStats(*means[:2]), IntervalStats(*means[2:])


def exceeded(kind: Kind, people: int, rule: str, repetitions: int) -> tuple[float, float]:
    """Returns the fraction of repetitions that reject the rule, and the fraction whose true FMR exceeds its rate."""
    rng, parsed = np.random.default_rng(people), parse_rule(rule)
    rate = parsed if isinstance(parsed, float) else parsed.fmr
    rejected = above = 0
    for _ in range(repetitions):
        drawn = draw(kind, people, rng)
        try:
            threshold = choose_threshold(drawn.similarity, drawn.scores, parsed, drawn.person1, drawn.person2)
        except SiameseError:
            rejected += 1
        else:
            above += bool(ndtr(-logit(threshold) - kind.mean) > rate)
    return rejected / repetitions, above / repetitions


def tables(repetitions: int) -> Iterator[str]:
    yield "| rate | method | " + " | ".join(f"{people} people" for people in PEOPLE) + " |"
    yield "|---|---|" + "---|" * len(PEOPLE)
    runs = {
        (method, people): [coverage(kind, people, repetitions, method) for kind in KINDS.values()]
        for method in (bootstrap, jackknife)
        for people in PEOPLE
    }
    for name in RATES:
        for method in (bootstrap, jackknife):
            cells = [cell([stats[name] for stats in runs[method, people] if name in stats]) for people in PEOPLE]
            label = f"FNMR at FMR {name}" if name[0] == "0" else name
            yield f"| {label} | {method.__name__} | " + " | ".join(cells) + " |"
    yield "\n| rate | method | " + " | ".join(f"{images} images" for images in IMAGES) + " |"
    yield "|---|---|" + "---|" * len(IMAGES)
    for number, method in enumerate((bootstrap, jackknife)):
        cells = [cell([image_coverage(images, repetitions)[number]]) for images in IMAGES]
        yield f"| accuracy | {method.__name__} | " + " | ".join(cells) + " |"
    yield "\n| threshold | | " + " | ".join(f"{people} people" for people in PEOPLE) + " |"
    yield "|---|---|" + "---|" * len(PEOPLE)
    for rule in RULES:
        fractions = np.array([[exceeded(kind, n, rule, repetitions) for n in PEOPLE] for kind in KINDS.values()])
        for number, outcome in enumerate(("rejected", "exceeded")):
            cells = [f"{fraction:.2f}" for fraction in fractions.max(axis=0)[:, number]]
            yield f"| {rule} | {outcome} | " + " | ".join(cells) + " |"


def cell(stats: list[IntervalStats]) -> str:
    """Formats the lowest coverage and the mean width; empty if the pairs do not support the rate."""
    if not stats:
        return ""
    return f"{min(one.coverage for one in stats):.2f} ({np.mean([one.width for one in stats]):.2f})"


def main(repetitions: int) -> None:
    for line in tables(repetitions):
        print(line, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
