"""Accuracy of n-way k-shot classification: the class of a query among n classes, given k images of each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from siamese_tf.evaluation.episodes import Episodes
from siamese_tf.evaluation.intervals import accuracy_of, cluster_intervals
from siamese_tf.evaluation.jackknife import MIN_CLUSTERS, TAIL


def one_shot_report(
    labels: ArrayLike,
    episodes: Episodes,
    chosen: np.ndarray,
    groups: ArrayLike | None = None,
    group_names: Sequence[str] = (),
) -> dict[str, Any]:
    """Reports the accuracy of the chosen classes, with an interval over classes, or over groups of classes.

    The interval is valid for other classes (groups) of the same kind, too, see `cluster_intervals`.

    Args:
        labels: (n,) integers, the class of each image.
        episodes: episodes of these images.
        chosen: (episodes,) the chosen way of each episode.
        groups: (n,) integers, the group of each image's class, for episodes within groups; else None.
        group_names: name of each group; groups without a name are named by their number.

    Returns:
        Python numbers and containers: `ways`, `shots`, `episodes`, `accuracy` in [0, 1], `chance`, the 95% interval
        `ci95` over `ci95_count` classes or groups of queries ((0, 1) for fewer than five), `ci95_over`, `"classes"` or
        `"groups"`, and `hardest`, the class with the lowest accuracy: its `label`, `accuracy` and number of `queries`.
        With groups also `groups`, a list of dicts with the `name`, number of `queries` and `accuracy` of each, the
        lowest accuracy first.
    """
    _, ways, shots = episodes.support.shape
    correct = (chosen == episodes.target).astype(np.int64)
    of_query = np.asarray(labels)[episodes.query]
    clusters = of_query if groups is None else np.asarray(groups)[episodes.query]
    same = np.ones(len(correct), np.int64)
    interval = cluster_intervals(clusters, clusters, same, accuracy_of(correct), of_same=("accuracy",))["accuracy"]
    label, accuracy, queries = _by_accuracy(of_query, correct)[0]
    report = {
        "ways": ways,
        "shots": shots,
        "episodes": len(correct),
        "accuracy": float(correct.mean()),
        "chance": 1 / ways,
        "ci95": list(interval),
        "ci95_count": len(np.unique(clusters)),
        "ci95_over": "classes" if groups is None else "groups",
        "hardest": {"label": label, "accuracy": accuracy, "queries": queries},
    }
    if groups is not None:
        report["groups"] = [
            {"name": name_of(one, group_names), "queries": queries, "accuracy": accuracy}
            for one, accuracy, queries in _by_accuracy(clusters, correct)
        ]
    return report


def name_of(number: int, names: Sequence[str]) -> str:
    """Returns the name of a class or group, or its number as text if it has none."""
    return names[number] if number < len(names) else str(number)


def _by_accuracy(clusters: np.ndarray, correct: np.ndarray) -> list[tuple[int, float, int]]:
    """Returns number, accuracy and count of queries of each cluster, the lowest accuracy first."""
    distinct, numbered = np.unique(clusters, return_inverse=True)
    queries = np.bincount(numbered.ravel())
    accuracies = np.bincount(numbered.ravel(), correct) / queries
    order = np.argsort(accuracies, kind="stable")
    return [(int(distinct[one]), float(accuracies[one]), int(queries[one])) for one in order]


def paired_difference(
    clusters: ArrayLike, episodes: Episodes, chosen: np.ndarray, other: np.ndarray
) -> dict[str, float | list[float]]:
    """Compares two models on the same episodes.

    The 95% interval is over classes (groups) of queries: each is left out in turn (jackknife), and the spread of the
    difference gives a t interval.

    Args:
        clusters: (n,) integers, the class of each image, or its group for episodes within groups.
        episodes: episodes of these images.
        chosen, other: (episodes,) the ways chosen by the two models.

    Returns:
        `difference`, the accuracy of `chosen` minus that of `other`, in [-1, 1], and `ci95`, [low, high]; [-1, 1] for
        fewer than five classes (groups).
    """
    gain = (chosen == episodes.target).astype(np.int64) - (other == episodes.target)
    _, numbered = np.unique(np.asarray(clusters)[episodes.query], return_inverse=True)
    counts, gains = np.bincount(numbered.ravel()), np.bincount(numbered.ravel(), gain)
    difference, size = float(gain.mean()), len(counts)
    if size < MIN_CLUSTERS:
        return {"difference": difference, "ci95": [-1.0, 1.0]}
    left_out = (gains.sum() - gains) / (counts.sum() - counts)
    error = np.sqrt((size - 1) / size * np.sum((left_out - left_out.mean()) ** 2))
    half = float(stdtrit(size - 1, 1 - TAIL) * error)
    return {"difference": difference, "ci95": [max(-1.0, difference - half), min(1.0, difference + half)]}
