"""Accuracy of n-way k-shot classification: the class of a query among n classes, given k images of each."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from siamese_tf.evaluation.episodes import Episodes, check_episodes
from siamese_tf.evaluation.intervals import accuracy_of, cluster_intervals
from siamese_tf.evaluation.jackknife import MIN_CLUSTERS, TAIL
from siamese_tf.models.classify import MEAN_EMBEDDING, class_logits
from siamese_tf.models.embeddings import check_comparable
from siamese_tf.models.pair_scorer import PairScorer


def classify_episodes(
    scorer: PairScorer, embeddings: np.ndarray, episodes: Episodes, rule: str = MEAN_EMBEDDING, seed: int = 0
) -> np.ndarray:
    """Classifies the query of each episode.

    Args:
        scorer: `model.all_pairs` of the model that computed the embeddings.
        embeddings: (n, d) float32, the images at whose positions the episodes point.
        episodes: episodes of these images.
        rule: one of `siamese_tf.models.classify.RULES`.
        seed: seed of the choice among classes with the same logit, so that a constant model is at chance.

    Returns:
        (episodes,) int64, the chosen way of each episode, from 0 to ways - 1.

    Raises:
        ConfigError: if `rule` is unknown, or an episode points outside the embeddings.
        ImageError: if an embedding is zero or not finite.
    """
    check_episodes(episodes, len(embeddings))
    used = np.unique(np.append(episodes.support, episodes.query))
    check_comparable(embeddings[used], positions=used)
    rng = np.random.default_rng(seed)
    ways, shots = episodes.support.shape[1:]
    labels = np.repeat(np.arange(ways), shots).tolist()
    chosen = np.empty(len(episodes.query), np.int64)
    for episode, (support, query) in enumerate(zip(episodes.support, episodes.query, strict=True)):
        _, logits = class_logits(scorer, embeddings[[query]], embeddings[support.ravel()], labels, rule)
        best = np.flatnonzero(logits[0] == logits[0].max())
        chosen[episode] = rng.choice(best)
    return chosen


def one_shot_report(labels: ArrayLike, episodes: Episodes, chosen: np.ndarray) -> dict[str, Any]:
    """Reports the accuracy of the chosen classes, with an interval over classes: valid for other classes, too.

    Args:
        labels: (n,) integers, the class of each image.
        episodes: episodes of these images.
        chosen: (episodes,) the chosen way of each episode.

    Returns:
        Python numbers and containers: `ways`, `shots`, `episodes`, `accuracy` in [0, 1], `chance`, the 95% interval
        `ci95` over `ci95_count` classes of queries ((0, 1) for fewer than five), and `hardest`, the class with the
        lowest accuracy: its `label`, `accuracy` and number of `queries`.
    """
    _, ways, shots = episodes.support.shape
    correct = (chosen == episodes.target).astype(np.int64)
    of_query = np.asarray(labels)[episodes.query]
    same = np.ones(len(correct), np.int64)
    interval = cluster_intervals(of_query, of_query, same, accuracy_of(correct), of_same=("accuracy",))["accuracy"]
    classes, numbered = np.unique(of_query, return_inverse=True)
    queries = np.bincount(numbered.ravel())
    accuracies = np.bincount(numbered.ravel(), correct) / queries
    hardest = int(accuracies.argmin())
    return {
        "ways": ways,
        "shots": shots,
        "episodes": len(correct),
        "accuracy": float(correct.mean()),
        "chance": 1 / ways,
        "ci95": list(interval),
        "ci95_count": len(classes),
        "hardest": {
            "label": int(classes[hardest]),
            "accuracy": float(accuracies[hardest]),
            "queries": int(queries[hardest]),
        },
    }


def paired_difference(
    labels: ArrayLike, episodes: Episodes, chosen: np.ndarray, other: np.ndarray
) -> dict[str, float | list[float]]:
    """Compares two models on the same episodes.

    The 95% interval is over classes of queries: each class is left out in turn (jackknife), and the spread of the
    difference gives a t interval.

    Args:
        labels: (n,) integers, the class of each image.
        episodes: episodes of these images.
        chosen, other: (episodes,) the ways chosen by the two models.

    Returns:
        `difference`, the accuracy of `chosen` minus that of `other`, in [-1, 1], and `ci95`, [low, high]; [-1, 1] for
        fewer than five classes.
    """
    gain = (chosen == episodes.target).astype(np.int64) - (other == episodes.target)
    _, numbered = np.unique(np.asarray(labels)[episodes.query], return_inverse=True)
    counts, gains = np.bincount(numbered.ravel()), np.bincount(numbered.ravel(), gain)
    difference, classes = float(gain.mean()), len(counts)
    if classes < MIN_CLUSTERS:
        return {"difference": difference, "ci95": [-1.0, 1.0]}
    left_out = (gains.sum() - gains) / (counts.sum() - counts)
    error = np.sqrt((classes - 1) / classes * np.sum((left_out - left_out.mean()) ** 2))
    half = float(stdtrit(classes - 1, 1 - TAIL) * error)
    return {"difference": difference, "ci95": [max(-1.0, difference - half), min(1.0, difference + half)]}


def one_shot_lines(report: Mapping[str, Any], class_names: list[str]) -> list[str]:
    """Formats the dict of `one_shot_report` as lines of text; classes without a name are shown by their label.

    Its entry `against`, if there is one, is that of `paired_difference`.
    """
    count, hardest = report["ci95_count"], report["hardest"]
    interval = "{:.4f} to {:.4f}".format(*report["ci95"]) if count >= MIN_CLUSTERS else f"requires {MIN_CLUSTERS}"
    label = hardest["label"]
    name = class_names[label] if label < len(class_names) else str(label)
    lines = [
        f"{report['ways']}-way {report['shots']}-shot, {report['episodes']:,} episodes",
        f"accuracy                   {report['accuracy']:.4f}  (chance {report['chance']:.4f})",
        f"95% interval over classes  {interval}  ({count:,} classes)",
        f"hardest class              {hardest['accuracy']:.4f}  ({name}, {hardest['queries']:,} queries)",
    ]
    if "against" in report:
        low, high = report["against"]["ci95"]
        of_classes = f"{low:+.4f} to {high:+.4f}" if count >= MIN_CLUSTERS else f"requires {MIN_CLUSTERS}"
        lines.append(f"against the other model    {report['against']['difference']:+.4f}  ({of_classes})")
    return lines
