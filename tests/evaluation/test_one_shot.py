"""One-shot tests: models whose accuracy is known, and the report."""

import numpy as np
import pytest

from siamese_tf.evaluation.episodes import Episodes, draw_episodes
from siamese_tf.evaluation.one_shot import classify_episodes, one_shot_lines, one_shot_report
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


def test_ties_are_broken_by_the_seed(scorer):
    constant = np.ones((len(LABELS), 8), np.float32)
    one, again, other = (classify_episodes(scorer, constant, EPISODES, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_the_report():
    support = np.array([[[0], [2]], [[0], [2]], [[2], [0]], [[2], [0]]])  # of classes 7 and 3
    episodes = Episodes(support, query=np.array([1, 3, 1, 1]), target=np.array([0, 1, 1, 1]))
    report = one_shot_report([7, 7, 3, 3], episodes, np.array([0, 1, 1, 0]))
    assert report == {
        "ways": 2,
        "shots": 1,
        "episodes": 4,
        "accuracy": 0.75,
        "chance": 0.5,
        "ci95": [0.0, 1.0],
        "ci95_count": 2,
        "hardest": {"label": 7, "accuracy": 2 / 3, "queries": 3},
    }
    assert one_shot_lines(report, []) == [
        "2-way 1-shot, 4 episodes",
        "accuracy                   0.7500  (chance 0.5000)",
        "95% interval over classes  requires 5  (2 classes)",
        "hardest class              0.6667  (7, 3 queries)",
    ]
    assert one_shot_lines(report, list("abcdefgh"))[-1].endswith("(h, 3 queries)")


def test_the_interval_is_over_classes():
    """Where whole classes are wrong, it is wider than where as many single queries are."""
    by_class = np.where(LABELS[EPISODES.query] < 2, EPISODES.target + 1, EPISODES.target) % 5
    wrong = np.mean(by_class != EPISODES.target)
    one_by_one = np.where(np.random.default_rng(0).random(600) < wrong, EPISODES.target + 1, EPISODES.target) % 5
    wide, narrow = (one_shot_report(LABELS, EPISODES, chosen)["ci95"] for chosen in (by_class, one_by_one))
    assert 0 < wide[0] < 1 - wrong < wide[1] <= 1
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])
