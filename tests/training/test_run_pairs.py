from dataclasses import replace

import numpy as np
import pytest

from siamese_tf.config import TrainConfig
from siamese_tf.data.pair_file import TEST, TRAIN, VALIDATION, save_pair_file
from siamese_tf.errors import ConfigError, PairFileError
from siamese_tf.training.run_pairs import open_run_pairs


@pytest.fixture(scope="module")
def path(quarters, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "quarters.npz"
    save_pair_file(path, quarters)
    return path


def test_the_pairs_of_a_file_are_seen_as_they_are(quarters, path):
    run = open_run_pairs(TrainConfig(pairs=str(path)))
    assert run.seen is run.opened
    np.testing.assert_array_equal(run.opened.train.labels, quarters.labels)
    assert run.opened.test is run.opened.train
    assert run.opened.dataset == "quarters"


def test_the_pool_is_the_training_images_and_no_others(quarters, path):
    run = open_run_pairs(TrainConfig(pairs=str(path)))
    np.testing.assert_array_equal(run.pool, quarters.images_of(TRAIN))
    for part in (VALIDATION, TEST):
        assert not np.intersect1d(run.pool, quarters.images_of(part)).size
    assert len(run.pool) > 55  # nearly all of the 63


def test_the_pool_is_the_images_that_training_pairs_use(quarters, tmp_path):
    rows = quarters.rows(TRAIN)[:10]
    columns = {name: getattr(quarters, name)[rows] for name in ("img1", "img2", "similarity", "split")}
    save_pair_file(tmp_path / "train.npz", replace(quarters, **columns))
    used = np.unique([columns["img1"], columns["img2"]])
    np.testing.assert_array_equal(open_run_pairs(TrainConfig(pairs=str(tmp_path / "train.npz"))).pool, used)


@pytest.mark.parametrize("rest_is_a_class", [False, True])
@pytest.mark.parametrize("name", ["south-west", "2"])
def test_one_class_against_the_rest(quarters, path, name, rest_is_a_class):
    config = TrainConfig(pairs=str(path), one_vs_rest=name, rest_is_a_class=rest_is_a_class)
    run = open_run_pairs(config)
    np.testing.assert_array_equal(run.opened.train.labels, quarters.labels)
    np.testing.assert_array_equal(run.seen.train.labels, quarters.labels == 2)
    np.testing.assert_array_equal(run.pool, quarters.images_of(TRAIN))
    assert run.seen.dataset == "quarters-south-west-vs-rest"
    pairs = run.seen.train
    both_rest = (pairs.labels[pairs.img1] == 0) & (pairs.labels[pairs.img2] == 0)
    assert bool(both_rest.any()) is rest_is_a_class
    again = open_run_pairs(config).seen.train
    other = open_run_pairs(replace(config, seed=1)).seen.train
    np.testing.assert_array_equal(again.img1, pairs.img1)
    assert not np.array_equal(other.img1, pairs.img1)


def test_what_is_said(path):
    """The last class has 3 training images, fewer than the 5 of a step."""
    config = TrainConfig(pairs=str(path), objective="triplet", classes_per_batch=4, images_per_class=5)
    run = open_run_pairs(config)
    assert run.short_classes(config) == 1
    *first, last = run.lines(config)
    assert first == run.seen.lines()
    assert last == "steps of 4 classes with 5 images each; classes with fewer (1) repeat some within a step"
    enough = replace(config, images_per_class=3)
    assert run.short_classes(enough) == 0
    assert run.lines(enough)[-1] == "steps of 4 classes with 3 images each"
    assert run.lines(TrainConfig(pairs=str(path), objective="bce")) == run.seen.lines()


def test_what_is_said_of_one_class_against_the_rest(path):
    config = TrainConfig(pairs=str(path), objective="triplet", one_vs_rest="3", classes_per_batch=2, images_per_class=4)
    first, *_, last = open_run_pairs(config).lines(config)
    assert first.endswith(", as south-east against the rest")
    assert last == "steps of 2 classes with 4 images each; classes with fewer (1) repeat some within a step"


def test_what_is_said_of_all_pairs_of_one_class_and_the_rest(path):
    config = TrainConfig(pairs=str(path), one_vs_rest="3", batch_pairs=4)
    assert open_run_pairs(config).lines(config)[-1].startswith("steps of 2 classes with 4 images each; classes with")
    config = replace(config, pairs_per_step="listed")
    run = open_run_pairs(config)
    assert run.lines(config) == run.seen.lines()


def test_what_is_wrong_with_the_class_is_said(quarters, path, tmp_path):
    with pytest.raises(ConfigError, match="there is no class 'up'; expected one of north-west, .*south-east"):
        open_run_pairs(TrainConfig(pairs=str(path), one_vs_rest="up"))
    save_pair_file(tmp_path / "bare.npz", replace(quarters, labels=None))
    with pytest.raises(PairFileError, match="there are no labels"):
        open_run_pairs(TrainConfig(pairs=str(tmp_path / "bare.npz"), one_vs_rest="2"))
