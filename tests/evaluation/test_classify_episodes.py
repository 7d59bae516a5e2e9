"""Classification of episodes by models whose accuracy is known."""

import numpy as np
import pytest

from siamese_tf.errors import ImageError
from siamese_tf.evaluation.classify_episodes import choose_classes, classify_episodes, episode_logits
from siamese_tf.evaluation.episodes import draw_episodes
from siamese_tf.models.classify import RULES
from siamese_tf.models.heads import build_head
from siamese_tf.models.pair_scorer import PairScorer

LABELS = np.repeat(np.arange(8), 30)
EPISODES = draw_episodes(LABELS, ways=5, shots=2, count=600, seed=3)
CHANCE = (0.2 - 0.05, 0.2 + 0.05)  # three standard errors


@pytest.fixture(scope="module")
def scorer() -> PairScorer:
    return PairScorer(build_head("cosine", 8), 8)


def accuracy(scorer, embeddings, rule="mean-embedding"):
    return np.mean(classify_episodes(scorer, np.float32(embeddings), EPISODES, rule) == EPISODES.target)


@pytest.mark.parametrize("rule", RULES)
def test_models_score_what_they_should(scorer, rule):
    perfect = np.eye(8)[LABELS]
    constant = np.ones((len(LABELS), 8))
    random = np.random.default_rng(0).normal(size=(len(LABELS), 8))
    assert accuracy(scorer, perfect, rule) == 1
    assert CHANCE[0] < accuracy(scorer, constant, rule) < CHANCE[1]
    assert CHANCE[0] < accuracy(scorer, random, rule) < CHANCE[1]


def test_a_model_that_calls_different_images_similar_is_almost_never_right(scorer):
    swapped = PairScorer(build_head("cosine", 8), 8)
    swapped.head.calibrate(-1.0, 0.0)
    assert accuracy(swapped, np.eye(8)[LABELS]) == 0


def test_ties_are_broken_by_the_seed():
    one, again, other = (choose_classes(np.ones((50, 5), np.float32), seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_an_image_without_an_embedding_is_named_by_its_position(scorer):
    embeddings = np.eye(8, dtype=np.float32)[LABELS]
    position = int(EPISODES.query[7])
    embeddings[position] = 0
    with pytest.raises(ImageError, match=rf"images\[{position}\]"):
        classify_episodes(scorer, embeddings, EPISODES)


def test_logits_are_those_of_the_classes_and_the_highest_is_chosen(scorer):
    logits = episode_logits(scorer, np.eye(8, dtype=np.float32)[LABELS], EPISODES)
    assert (logits.shape, logits.dtype) == ((600, 5), np.float32)
    is_target = np.arange(5) == EPISODES.target[:, np.newaxis]
    assert logits[is_target].min() > logits[~is_target].max()
    np.testing.assert_array_equal(choose_classes(logits), EPISODES.target)
    assert choose_classes(np.array([[0.0, 2, 1], [3, 2, 1]])).tolist() == [1, 0]
