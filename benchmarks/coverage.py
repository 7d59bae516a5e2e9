"""How often the 95% intervals of a verification hold the truth, and how often a threshold keeps to its FMR.

    python benchmarks/coverage.py [REPETITIONS]    300 unless told; some ten minutes on one core

People are drawn from a random-effects model, so that every true rate is known. A same pair of person i has the score
g + a_i + noise, a different pair of i and j the score -h + b_i + b_j + c_ij + noise; all effects are normal, and the
variances of a score add up to 1. All pairs of four pictures each (uneven: three to eight) are scored.

The first table has, for each rate and number of people, the lowest coverage over the kinds of people and the mean
width: `old` of the percentile bootstrap over people, `new` of `cluster_intervals`. The second is the same for an
accuracy over images. The third has, for each rule of a threshold, the highest share of repetitions over the kinds of
people in which it is refused, and in which the true FMR exceeds the rate that was asked for.
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
REPLICATES = 100  # of the bootstrap that is compared with


class Kind(NamedTuple):
    """A kind of people.

    Attributes:
        mean: of the scores, g for same and -h for different pairs, in standard deviations; the threshold is 0.
        same: the share of the variance of same pairs that belongs to their person.
        different: the share of the variance of different pairs that belongs to their two people.
        pair: the share that belongs to the pair of people.
        pictures: how many each person has, in turn.
    """

    mean: float
    same: float
    different: float
    pair: float
    pictures: tuple[int, ...]


KINDS = {
    "weak effects, accuracy 0.90": Kind(1.28, 0.1, 0.1, 0.0, (4,)),
    "strong effects, accuracy 0.90": Kind(1.28, 0.4, 0.3, 0.1, (4,)),
    "strong effects, accuracy 0.98": Kind(2.05, 0.4, 0.3, 0.1, (4,)),
    "uneven, accuracy 0.95": Kind(1.645, 0.3, 0.2, 0.1, (3, 4, 5, 8)),
}


class Drawn(NamedTuple):
    """Pairs of people that were drawn: similarity, people and scores in [0, 1], (m,) each; the threshold is 0.5."""

    similarity: np.ndarray
    person1: np.ndarray
    person2: np.ndarray
    scores: np.ndarray


class Held(NamedTuple):
    """Of some repetitions: the share whose interval held the truth, and the mean width."""

    coverage: float
    width: float


def draw(kind: Kind, people: int, rng: np.random.Generator) -> Drawn:
    labels = np.repeat(np.arange(people), np.resize(kind.pictures, people))
    first, second = (labels[side] for side in np.triu_indices(labels.size, 1))
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
    """The rates of all people of this kind, at the shares of same and different pairs that were drawn."""
    wrong, same = ndtr(-kind.mean), int(similarity.sum())
    different = similarity.size - same
    fnmr_at = {str(fmr): ndtr(-ndtri(fmr) - 2 * kind.mean) for fmr in (0.1, 0.01, 0.001)}
    f1 = 2 * same * (1 - wrong) / (2 * same * (1 - wrong) + wrong * (same + different))
    rates = {"accuracy": 1 - wrong, "f1": f1, "fmr": wrong, "fnmr": wrong, "eer": wrong}
    return {name: float(rate) for name, rate in (rates | {"auc": ndtr(2**0.5 * kind.mean)} | fnmr_at).items()}


def new(drawn: Drawn) -> dict[str, tuple[float, float]]:
    intervals = verification_report(*drawn, 0.5)["ci95"]
    intervals |= intervals.pop("fnmr_at_fmr")
    return {name: ends for name, ends in intervals.items() if ends is not None}


def old(drawn: Drawn) -> dict[str, tuple[float, float]]:
    rates = PairRates(drawn.similarity == 1, drawn.scores, drawn.scores >= 0.5)
    return bootstrap_people(drawn.person1, drawn.person2, rates.of, replicates=REPLICATES)


def coverage(kind: Kind, people: int, repetitions: int, method=new) -> dict[str, Held]:
    """By the name of the rate; a rate that the pairs never support is not in it."""
    rng = np.random.default_rng(people)
    found: dict[str, list[tuple[bool, float]]] = {}
    for _ in range(repetitions):
        drawn = draw(kind, people, rng)
        true = truth(kind, drawn.similarity)
        for name, (low, high) in method(drawn).items():
            found.setdefault(name, []).append((low - 1e-12 <= true[name] <= high + 1e-12, high - low))
    return {name: Held(*np.mean(rows, axis=0).tolist()) for name, rows in found.items()}


def image_coverage(images: int, repetitions: int) -> tuple[Held, Held]:
    """Of an accuracy of 0.90 over images, of which each is in about 20 pairs: old, new."""
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
    return Held(*means[:2]), Held(*means[2:])


def exceeded(kind: Kind, people: int, rule: str, repetitions: int) -> tuple[float, float]:
    """The shares of the repetitions in which the rule is refused, and in which the true FMR exceeds its rate."""
    rng, asked = np.random.default_rng(people), parse_rule(rule)
    rate = asked if isinstance(asked, float) else asked.fmr
    refused = above = 0
    for _ in range(repetitions):
        drawn = draw(kind, people, rng)
        try:
            threshold = choose_threshold(drawn.similarity, drawn.scores, asked, drawn.person1, drawn.person2)
        except SiameseError:
            refused += 1
        else:
            above += bool(ndtr(-logit(threshold) - kind.mean) > rate)
    return refused / repetitions, above / repetitions


def tables(repetitions: int) -> Iterator[str]:
    yield "| rate | method | " + " | ".join(f"{people} people" for people in PEOPLE) + " |"
    yield "|---|---|" + "---|" * len(PEOPLE)
    runs = {
        (method, people): [coverage(kind, people, repetitions, method) for kind in KINDS.values()]
        for method in (old, new)
        for people in PEOPLE
    }
    for name in RATES:
        for method in (old, new):
            cells = [cell([held[name] for held in runs[method, people] if name in held]) for people in PEOPLE]
            label = f"FNMR at FMR {name}" if name[0] == "0" else name
            yield f"| {label} | {method.__name__} | " + " | ".join(cells) + " |"
    yield ""
    yield "| rate | method | " + " | ".join(f"{images} images" for images in IMAGES) + " |"
    yield "|---|---|" + "---|" * len(IMAGES)
    for number, method in enumerate((old, new)):
        cells = [cell([image_coverage(images, repetitions)[number]]) for images in IMAGES]
        yield f"| accuracy | {method.__name__} | " + " | ".join(cells) + " |"
    yield ""
    yield "| threshold | | " + " | ".join(f"{people} people" for people in PEOPLE) + " |"
    yield "|---|---|" + "---|" * len(PEOPLE)
    for rule in RULES:
        lr_multipliers = np.array([[exceeded(kind, n, rule, repetitions) for n in PEOPLE] for kind in KINDS.values()])
        for number, what in enumerate(("refused", "exceeded")):
            cells = [f"{share:.2f}" for share in lr_multipliers.max(axis=0)[:, number]]
            yield f"| {rule} | {what} | " + " | ".join(cells) + " |"


def cell(held: list[Held]) -> str:
    """The lowest coverage and the mean width, or nothing where the pairs do not support the rate."""
    if not held:
        return ""
    return f"{min(one.coverage for one in held):.2f} ({np.mean([one.width for one in held]):.2f})"


def main(repetitions: int) -> None:
    for line in tables(repetitions):
        print(line, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
