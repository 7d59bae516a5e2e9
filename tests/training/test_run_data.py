from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.images.decode import load_image
from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, save_pair_file
from siamese_tf.errors import ConfigError, PairFileError
from siamese_tf.training.run_data import load_run_data


@pytest.fixture(scope="module")
def path(quarters, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "quarters.npz"
    save_pair_file(path, quarters)
    return path


def test_the_pairs_of_a_file_are_used_unchanged(quarters, path):
    run = load_run_data(TrainConfig(pairs=str(path)))
    assert run.task is run.original
    np.testing.assert_array_equal(run.original.train.labels, quarters.labels)
    assert run.original.test is run.original.train
    assert run.original.dataset == "quarters"


def test_train_images_are_the_training_images_and_no_others(quarters, path):
    run = load_run_data(TrainConfig(pairs=str(path)))
    np.testing.assert_array_equal(run.train_images, quarters.images_of(TRAIN))
    for part in (VALIDATION, TEST):
        assert not np.intersect1d(run.train_images, quarters.images_of(part)).size
    assert len(run.train_images) > 55  # nearly all of the 63


def test_train_images_are_the_images_of_training_pairs(quarters, tmp_path):
    rows = quarters.rows(TRAIN)[:10]
    columns = {name: getattr(quarters, name)[rows] for name in ("img1", "img2", "similarity", "split")}
    save_pair_file(tmp_path / "train.npz", replace(quarters, **columns))
    used = np.unique([columns["img1"], columns["img2"]])
    np.testing.assert_array_equal(load_run_data(TrainConfig(pairs=str(tmp_path / "train.npz"))).train_images, used)


@pytest.mark.parametrize("rest_is_a_class", [False, True])
@pytest.mark.parametrize("name", ["south-west", "2"])
def test_one_class_against_the_rest(quarters, path, name, rest_is_a_class):
    config = TrainConfig(pairs=str(path), one_vs_rest=name, rest_is_a_class=rest_is_a_class)
    run = load_run_data(config)
    np.testing.assert_array_equal(run.original.train.labels, quarters.labels)
    np.testing.assert_array_equal(run.task.train.labels, quarters.labels == 2)
    np.testing.assert_array_equal(run.train_images, quarters.images_of(TRAIN))
    assert run.task.dataset == "quarters-south-west-vs-rest"
    pairs = run.task.train
    both_rest = (pairs.labels[pairs.img1] == 0) & (pairs.labels[pairs.img2] == 0)
    assert bool(both_rest.any()) is rest_is_a_class
    again = load_run_data(config).task.train
    other = load_run_data(replace(config, seed=1)).task.train
    np.testing.assert_array_equal(again.img1, pairs.img1)
    assert not np.array_equal(other.img1, pairs.img1)


def test_the_lines(path):
    """The last class has 3 training images, fewer than the 5 of a batch."""
    config = TrainConfig(pairs=str(path), objective="triplet", classes_per_batch=4, images_per_class=5)
    run = load_run_data(config)
    assert run.short_classes(config) == 1
    *first, last = run.lines(config)
    assert first == run.task.lines()
    assert (
        last
        == "batches of 4 classes with 5 images each; classes with fewer images (1) repeat some of them within a batch"
    )
    enough = replace(config, images_per_class=3)
    assert run.short_classes(enough) == 0
    assert run.lines(enough)[-1] == "batches of 4 classes with 3 images each"
    assert run.lines(TrainConfig(pairs=str(path), objective="bce")) == run.task.lines()


def test_the_lines_of_one_class_against_the_rest(path):
    config = TrainConfig(pairs=str(path), objective="triplet", one_vs_rest="3", classes_per_batch=2, images_per_class=4)
    first, *_, last = load_run_data(config).lines(config)
    assert first.endswith(", as south-east against the rest")
    assert (
        last
        == "batches of 2 classes with 4 images each; classes with fewer images (1) repeat some of them within a batch"
    )


def test_the_lines_of_all_pairs_of_one_class_and_the_rest(path):
    config = TrainConfig(pairs=str(path), one_vs_rest="3", batch_pairs=4)
    assert load_run_data(config).lines(config)[-1].startswith("batches of 2 classes with 4 images each; classes with")
    config = replace(config, pairs_per_step="listed")
    run = load_run_data(config)
    assert run.lines(config) == run.task.lines()


@pytest.fixture
def people(tmp_path, monkeypatch):
    """Six people, three pictures of each, 6 high and 4 wide, and a list of three folds with two people each."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for person in "abcdef":
        (tmp_path / "people" / person).mkdir(parents=True)
        for k in range(1, 4):
            picture = Image.fromarray(rng.integers(0, 256, (6, 4), np.uint8))
            picture.save(tmp_path / "people" / person / f"{person}_{k:04d}.png")
    folds = [f"{one} 1 2\n{one} 3 {two} 1" for one, two in ("ab", "cd", "ef")]
    (tmp_path / "pairs.txt").write_text("\n".join(["3 1", *folds]))
    return tmp_path / "people"


@pytest.mark.parametrize(
    ("settings", "image_format"),
    [
        ({}, ImageFormat((6, 4), "grey", "pad")),
        ({"image_size": "8", "color": "rgb", "resize": "crop"}, ImageFormat((8, 8), "rgb", "crop")),
        ({"image_size": "5x4", "resize": "stretch"}, ImageFormat((5, 4), "grey", "stretch")),
    ],
)
def test_image_files_are_loaded_in_the_format_of_the_config(people, settings, image_format):
    listed = {"pairs": "pairs.txt", "images": str(people)}
    for where in ({"dataset": str(people)}, listed, {"pairs": "dataset/people/pairs.csv"}):
        run = load_run_data(TrainConfig(**where, **settings))
        assert run.task.train.image_format == run.task.test.image_format == image_format
        assert run.task.train.images.shape[1:] == image_format.shape
        image = load_image(people / "a" / "a_0001.png", *image_format.shape, image_format.resize)
        files = [run.task.train, run.task.test]
        assert any((file.images == image).all(axis=(1, 2, 3)).any() for file in files)


def test_of_three_folds_one_is_trained_on(people):
    run = load_run_data(TrainConfig(pairs="pairs.txt", images=str(people)))
    train = run.original.train
    assert [len(train.rows(part)) for part in (TRAIN, VALIDATION, TEST)] == [2, 2, 2]
    np.testing.assert_array_equal(run.train_images, train.images_of(TRAIN))
    assert set(train.labels[run.train_images].tolist()) == {0, 1}
    assert run.original.dataset == "pairs"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"dataset": "people", "image_size": "5 x 4"}, ConfigError, "image size must be HEIGHTxWIDTH"),
        ({"dataset": "people", "color": "sepia"}, ConfigError, "color must be grey or rgb; got 'sepia'"),
        ({"dataset": "people", "resize": "fit"}, ConfigError, "resize must be pad, crop or stretch; got 'fit'"),
        ({"dataset": "digits", "image_size": "9"}, ConfigError, "got digits. Omit these settings"),
        (
            {"dataset": "digits", "images": "people"},
            ConfigError,
            "images must be omitted .*; got people.*as the dataset",
        ),
        ({"pairs": "pairs.txt"}, PairFileError, r"12 of its 12 images .*must be at NAME/.* in \.;"),
        ({"pairs": "pairs.txt", "images": "none"}, PairFileError, "must be at NAME/.* in none; .* with --images"),
    ],
)
def test_image_files_that_cannot_be_loaded_are_an_error(people, settings, error, message):
    with pytest.raises(error, match=message):
        load_run_data(TrainConfig(**settings))


def test_an_unknown_class_or_missing_labels_are_an_error(quarters, path, tmp_path):
    with pytest.raises(ConfigError, match="the class must be one of north-west, .*south-east.*; got 'up'"):
        load_run_data(TrainConfig(pairs=str(path), one_vs_rest="up"))
    save_pair_file(tmp_path / "bare.npz", replace(quarters, labels=None))
    with pytest.raises(PairFileError, match="must have labels"):
        load_run_data(TrainConfig(pairs=str(tmp_path / "bare.npz"), one_vs_rest="2"))
