"""Reports of one-shot tests, and the coverage of their intervals."""

import numpy as np
import pytest

from siamese_tf.evaluation.episodes import Episodes, draw_episodes
from siamese_tf.evaluation.one_shot import one_shot_report, paired_difference

LABELS = np.repeat(np.arange(8), 30)
EPISODES = draw_episodes(LABELS, ways=5, shots=2, count=600, seed=3)


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
        "ci95_over": "classes",
        "hardest": {"label": 7, "accuracy": 2 / 3, "queries": 3},
    }


def test_within_groups_the_interval_is_over_groups_and_each_group_is_reported():
    labels = np.repeat(np.arange(6), 3)
    groups = labels // 2
    query = np.array([0, 3, 6, 9, 12, 15])
    episodes = Episodes(query.reshape(6, 1, 1) + [[1], [2]], query, target=np.zeros(6, int))
    report = one_shot_report(labels, episodes, np.array([1, 1, 0, 0, 0, 1]), groups, ["Greek", "Latin"])
    assert (report["ci95"], report["ci95_count"], report["ci95_over"]) == ([0.0, 1.0], 3, "groups")
    assert report["groups"] == [
        {"name": "Greek", "queries": 2, "accuracy": 0.0},
        {"name": "2", "queries": 2, "accuracy": 0.5},
        {"name": "Latin", "queries": 2, "accuracy": 1.0},
    ]
    assert report["hardest"] == {"label": 0, "accuracy": 0.0, "queries": 1}


def test_the_interval_over_groups_covers_the_accuracy_on_other_groups():
    """The accuracy of a group varies around 0.9; the interval contains 0.9 in about 95 of 100 draws of groups."""
    groups, covered, width = np.repeat(np.arange(20), 10), 0, []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        query = rng.integers(len(groups), size=1000)
        right = rng.random(1000) < rng.beta(18, 2, 20)[groups[query]]
        episodes = Episodes(np.stack([query, query], 1)[..., np.newaxis], query, target=np.zeros(1000, int))
        low, high = one_shot_report(np.arange(len(groups)), episodes, np.where(right, 0, 1), groups)["ci95"]
        covered += low <= 0.9 <= high
        width.append(high - low)
    assert 182 <= covered <= 199
    assert np.mean(width) < 0.1


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
