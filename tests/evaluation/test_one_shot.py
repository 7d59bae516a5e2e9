"""One-shot tests: models whose accuracy is known, and the report."""

import numpy as np
import pytest

from siamese_tf.errors import ImageError
from siamese_tf.evaluation.episodes import Episodes, draw_episodes
from siamese_tf.evaluation.one_shot import classify_episodes, one_shot_lines, one_shot_report, paired_difference
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


def test_an_image_without_an_embedding_is_named_by_its_position(scorer):
    embeddings = np.eye(8, dtype=np.float32)[LABELS]
    position = int(EPISODES.query[7])
    embeddings[position] = 0
    with pytest.raises(ImageError, match=rf"images\[{position}\]"):
        classify_episodes(scorer, embeddings, EPISODES)


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


def test_worked_example_of_the_paired_difference():
    # Five classes of two queries; the first model is right in one query more of class 0, and in one less of class 1.
    labels = np.repeat(np.arange(5), 3)
    query = np.arange(15).reshape(5, 3)[:, :2].ravel()
    support = np.stack([query, (query + 3) % 15], axis=1)[:, :, np.newaxis]
    episodes = Episodes(support, query, target=np.zeros(10, np.int64))
    chosen, other = np.zeros((2, 10), np.int64)
    other[0] = chosen[2] = 1
    found = paired_difference(labels, episodes, chosen, other)
    assert found["difference"] == 0
    # Without class 0 the difference is -1/8, without class 1 it is 1/8, without another 0: a variance of
    # 4/5 (1/64 + 1/64), and a t quantile of 2.776 with 4 degrees of freedom.
    half = 2.7764451 * np.sqrt(4 / 5 * 2 / 64)
    np.testing.assert_allclose(found["ci95"], [-half, half], rtol=1e-6)
    assert paired_difference(labels, episodes, chosen, chosen) == {"difference": 0.0, "ci95": [0.0, 0.0]}
    chosen[2] = 0
    assert paired_difference(labels, episodes, chosen, other)["difference"] == pytest.approx(0.1)
    assert paired_difference(labels, episodes, other, chosen)["difference"] == pytest.approx(-0.1)


def test_fewer_than_five_classes_have_no_interval():
    labels = LABELS[LABELS < 4]
    episodes = draw_episodes(labels, 3, 1, 50)
    found = paired_difference(labels, episodes, episodes.target, (episodes.target + 1) % 3)
    assert found == {"difference": 1.0, "ci95": [-1.0, 1.0]}
    report = one_shot_report(labels, episodes, episodes.target) | {"against": found}
    assert one_shot_lines(report, [])[-1] == "against the other model    +1.0000  (requires 5)"


def test_the_interval_of_the_difference_covers_the_truth():
    """Two models whose accuracies differ by class, but not on average: the interval contains 0 in 95 of 100 draws."""
    of_query, covered = LABELS[EPISODES.query], 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        right = rng.random((2, 8))[:, of_query] > rng.random((2, 600))
        chosen, other = np.where(right, EPISODES.target, (EPISODES.target + 1) % 5)
        low, high = paired_difference(LABELS, EPISODES, chosen, other)["ci95"]
        covered += low <= 0 <= high
    assert 180 <= covered <= 199
