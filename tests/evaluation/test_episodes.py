from dataclasses import replace

import numpy as np
import pytest

from siamese_tf.errors import ConfigError, DatasetError
from siamese_tf.evaluation.episodes import Episodes, check_classes, check_episodes, draw_episodes

LABELS = np.repeat([4, 7, 9, 2, 5], [6, 3, 10, 2, 4])[np.random.default_rng(0).permutation(25)]


@pytest.fixture(scope="module")
def episodes():
    return draw_episodes(LABELS, ways=3, shots=2, count=400, seed=1)


def test_every_episode_has_ways_classes_with_shots_images_and_a_query_of_one_of_them(episodes):
    assert (episodes.support.shape, episodes.query.shape, episodes.target.shape) == ((400, 3, 2), (400,), (400,))
    for support, query, target in zip(episodes.support, episodes.query, episodes.target, strict=True):
        classes = LABELS[support]
        assert (classes == classes[:, :1]).all()
        assert len(set(classes[:, 0])) == 3
        assert len(set(support.ravel())) == 6
        assert query not in support
        assert LABELS[query] == classes[target, 0]


def test_classes_of_too_few_images_are_left_out_and_the_others_are_drawn_alike(episodes):
    drawn, counts = np.unique(LABELS[episodes.support[:, :, 0]], return_counts=True)
    assert drawn.tolist() == [4, 5, 7, 9]  # class 2 has two images, none for a query
    np.testing.assert_allclose(counts, 300, atol=45)
    np.testing.assert_allclose(np.bincount(episodes.target), 400 / 3, atol=40)
    of_four = episodes.query[LABELS[episodes.query] == 4]
    np.testing.assert_allclose(np.unique(of_four, return_counts=True)[1], len(of_four) / 6, atol=14)


def test_the_seed_decides():
    one, again, other = (draw_episodes(LABELS, 3, 2, 20, seed) for seed in (5, 5, 6))
    for name in ("support", "query", "target"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    assert not np.array_equal(one.query, other.query)


def test_the_episodes_of_a_seed_are_those_of_earlier_releases(episodes):
    assert episodes.query[:6].tolist() == [3, 12, 1, 5, 11, 2]
    assert episodes.support[0].tolist() == [[13, 23], [21, 8], [11, 6]]


def test_with_groups_all_classes_of_an_episode_are_of_one_which_is_drawn_uniformly():
    labels = np.repeat(np.arange(12), 4)
    group_of = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 5])  # the last two have too few classes
    groups = group_of[labels]
    episodes = draw_episodes(labels, 3, 2, 600, seed=1, groups=groups)
    of_episode = groups[episodes.support]
    assert (of_episode == of_episode[:, :1, :1]).all()
    np.testing.assert_array_equal(groups[episodes.query], of_episode[:, 0, 0])
    np.testing.assert_allclose(np.bincount(groups[episodes.query]), [300, 300], atol=37)  # three standard errors
    np.testing.assert_allclose(np.bincount(labels[episodes.query])[3:9], 50, atol=22)


def test_without_a_group_of_enough_classes_episodes_are_refused():
    groups = LABELS % 2
    message = "3-way 3-shot episodes must have 3 classes of at least 4 images; got 2 of 5 classes in the largest group"
    assert len(draw_episodes(LABELS, 3, 2, 5, groups=groups).query) == 5
    with pytest.raises(DatasetError, match=message):
        draw_episodes(LABELS, 3, 3, 1, groups=groups)
    with pytest.raises(DatasetError, match="every class must be in one group; got class 7 in groups 0 and 1"):
        draw_episodes([5, 7, 5, 7], 2, 1, 1, groups=[1, 0, 1, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ways": 1}, "ways must be an integer from 2 to 1,000; got 1"),
        ({"shots": 0}, "shots must be an integer from 1 to 1,000; got 0"),
        ({"count": 0}, "episodes must be an integer from 1 to 1,000,000; got 0"),
        ({"seed": -1}, "seed must be an integer from 0 to .*; got -1"),
    ],
)
def test_numbers_out_of_range_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        draw_episodes(LABELS, **{"ways": 2, "shots": 1, "count": 1, **change})


def test_too_few_classes_are_refused():
    with pytest.raises(DatasetError, match="5-way 2-shot .* 5 classes of at least 3 images; got 4 of 5 classes"):
        draw_episodes(LABELS, 5, 2, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": np.array([25] * 400)}, "query must be from 0 to 24; got 25 to 25"),
        ({"target": np.array([-1] * 400)}, "target must be from 0 to 2; got -1 to -1"),
        ({"query": np.array([1])}, r"query \(e,\).*got \(400, 3, 2\), \(1,\) and \(400,\)"),
        ({"support": np.zeros((0, 3, 2), int)}, "got "),
    ],
)
def test_episodes_of_other_images_are_refused(episodes, change, message):
    check_episodes(episodes, 25)
    with pytest.raises(ConfigError, match=message):
        check_episodes(replace(episodes, **change), 25)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"support": [[[0, 4], [8, 9]]]}, "support images of one class per way; got another in episode 0"),
        ({"support": [[[0, 1], [2, 3]]]}, "ways of different classes"),
        ({"support": [[[0, 0], [4, 5]]]}, "each image at most once"),
        ({"query": [4]}, "each image at most once"),
        ({"query": [2], "target": [1]}, "a query of the class of its target"),
        ({"support": [[[4, 5], [8, 9]]], "target": [0]}, "classes of one group"),
    ],
)
def test_episodes_that_disagree_with_the_classes_are_refused(change, message):
    labels = np.repeat(np.arange(3), 4)
    groups = [0] * 8 + [1] * 4
    entries = {"support": [[[0, 1], [4, 5]]], "query": [6], "target": [1]}
    check_classes(Episodes(**{name: np.array(value) for name, value in entries.items()}), labels, groups)
    with pytest.raises(DatasetError, match=f"an episode must have {message}"):
        check_classes(Episodes(**{name: np.array(v) for name, v in (entries | change).items()}), labels, groups)
