"""Classification of the queries of episodes with a model."""

import numpy as np

from siamese_tf.evaluation.episodes import Episodes, check_episodes
from siamese_tf.models.classify import MEAN_EMBEDDING, class_logits
from siamese_tf.models.embeddings import check_comparable
from siamese_tf.models.pair_scorer import PairScorer


def classify_episodes(
    scorer: PairScorer, embeddings: np.ndarray, episodes: Episodes, rule: str = MEAN_EMBEDDING, seed: int = 0
) -> np.ndarray:
    """Classifies the query of each episode: `choose_classes` of `episode_logits`."""
    return choose_classes(episode_logits(scorer, embeddings, episodes, rule), seed)


def episode_logits(
    scorer: PairScorer, embeddings: np.ndarray, episodes: Episodes, rule: str = MEAN_EMBEDDING
) -> np.ndarray:
    """Scores the query of each episode against its classes.

    Args:
        scorer: `model.all_pairs` of the model that computed the embeddings.
        embeddings: (n, d) float32, the images at whose positions the episodes point.
        episodes: episodes of these images.
        rule: one of `siamese_tf.models.classify.RULES`.

    Returns:
        (episodes, ways) float32 logits; higher is more similar.

    Raises:
        ConfigError: if `rule` is unknown, or an episode points outside the embeddings.
        ImageError: if an embedding is zero or not finite.
    """
    check_episodes(episodes, len(embeddings))
    used = np.unique(np.append(episodes.support, episodes.query))
    check_comparable(embeddings[used], positions=used)
    count, ways, shots = episodes.support.shape
    labels = np.repeat(np.arange(ways), shots).tolist()
    logits = np.empty((count, ways), np.float32)
    for episode, (support, query) in enumerate(zip(episodes.support, episodes.query, strict=True)):
        of_query = class_logits(scorer, embeddings[[query]], embeddings[support.ravel()], labels, rule)[1]
        logits[episode] = of_query[0]
    return logits


def choose_classes(logits: np.ndarray, seed: int = 0) -> np.ndarray:
    """Returns the way with the highest logit of each episode, (episodes,) int64, from 0 to ways - 1.

    Args:
        logits: (episodes, ways), higher is more similar.
        seed: seed of the choice among classes with the same logit, so that a constant model is at chance.
    """
    rng = np.random.default_rng(seed)
    return np.array([rng.choice(np.flatnonzero(row == row.max())) for row in logits], np.int64)
