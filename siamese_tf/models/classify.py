"""Classification among classes that are given by a few images each: n-way k-shot.

A class is scored by one of the rules in `RULES`, from the logits of a query with the support images of the class.
"""

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from siamese_tf.config.checks import check_choice
from siamese_tf.errors import ConfigError
from siamese_tf.models.embeddings import check_comparable
from siamese_tf.models.pair_scorer import PairScorer

MEAN_EMBEDDING = "mean-embedding"
# Of the logits (q, k) of a class's support images.
COMBINE: dict[str, Callable[..., np.ndarray]] = {"mean-score": np.mean, "best-score": np.max}
RULES = (MEAN_EMBEDDING, *COMBINE)


def class_logits(
    scorer: PairScorer, queries: np.ndarray, support: np.ndarray, labels: Sequence[Hashable], rule: str = MEAN_EMBEDDING
) -> tuple[list[Hashable], np.ndarray]:
    """Scores queries against classes.

    Args:
        scorer: scorer of the model that computed the embeddings.
        queries: (q, d) float32 embeddings.
        support: (s, d) float32 embeddings of images of the classes.
        labels: the class of each support image, (s,).
        rule: `"mean-embedding"`, the logit of the mean of the class's embeddings, each L2-normalized if the head
            compares normalized embeddings; `"mean-score"`, the mean logit; or `"best-score"`, the highest logit.

    Returns:
        The classes in the order in which they first occur, and (q, classes) float32 logits; higher is more similar.

    Raises:
        ConfigError: if `rule` is unknown, or there is not one label per support image.
        ImageError: if an embedding is zero or not finite.
    """
    check_choice("rule", rule, RULES)
    if len(labels) != len(support) or not len(support):
        raise ConfigError(
            f"labels must have one entry per support image, and at least one; got {len(labels)} for {len(support)}"
        )
    check_comparable(queries, "images")
    check_comparable(support, "support")
    rows_of: dict[Hashable, list[int]] = {}
    for row, label in enumerate(labels):
        rows_of.setdefault(label, []).append(row)
    groups = [np.array(rows) for rows in rows_of.values()]
    if rule == MEAN_EMBEDDING:
        prepared = scorer.prepare(support)
        means = np.stack([prepared[rows].mean(axis=0) for rows in groups])
        return list(rows_of), scorer.logit_matrix(queries, means)
    logits = scorer.logit_matrix(queries, support)
    return list(rows_of), np.stack([COMBINE[rule](logits[:, rows], axis=1) for rows in groups], axis=1)
