from dataclasses import replace

import numpy as np
import pytest

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TEST, TRAIN
from siamese_tf.data.sampling.batches import epoch_batches, steps_per_epoch
from siamese_tf.training.epochs import images_per_epoch, training_steps
from siamese_tf.training.pipeline import training_batches

PAIRS = TrainConfig(batch_pairs=16, seed=5)
TRIPLETS = TrainConfig(objective="triplet", classes_per_batch=3, images_per_class=4, seed=5)
TYPES = {"images": ((32, 8, 8, 1), "uint8"), "index": ((32,), "int32"), "labels": ((32,), "int64")}


def batches_of(run, config, epochs=range(2)):
    return list(training_batches(run, config, epochs).as_numpy_iterator())


def assert_equal(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.fixture(scope="module")
def toys(toy_pairs, run_of):
    return run_of(toy_pairs)


@pytest.fixture(scope="module")
def classes(quarters, run_of):
    return run_of(quarters)


# Every objective.


@pytest.mark.parametrize(
    "config",
    [PAIRS, TRIPLETS, replace(PAIRS, steps_per_epoch=3), replace(TRIPLETS, steps_per_epoch=7)],
    ids=["pairs", "triplets", "pairs, short epochs", "triplets, long epochs"],
)
class TestEveryObjective:
    def test_a_resumed_run_gets_the_batches_of_an_unbroken_one(self, classes, config):
        steps = training_steps(classes, config)
        unbroken = batches_of(classes, config, range(4))
        assert len(unbroken) == 4 * steps
        for epoch in (1, 3):
            assert_equal(batches_of(classes, config, range(epoch, 4)), unbroken[epoch * steps :])

    def test_the_same_data_set_gives_the_same_batches_twice(self, classes, config):
        dataset = training_batches(classes, config, range(1, 3))
        assert_equal(list(dataset.as_numpy_iterator()), list(dataset.as_numpy_iterator()))

    def test_images_per_epoch_counts_the_images_of_its_batches(self, classes, config):
        shown = sum(len(batch["index"]) for batch in batches_of(classes, config, range(1)))
        assert images_per_epoch(classes, config) == shown > 0

    def test_a_finished_run_has_no_batches_left(self, classes, config):
        assert batches_of(classes, config, range(2, 2)) == []

    def test_every_step_has_its_own_seed(self, classes, config):
        seeds = [tuple(batch["seed"]) for batch in batches_of(classes, config, range(5))]
        seeds += [tuple(batch["seed"]) for batch in batches_of(classes, replace(config, seed=6), range(5))]
        assert len(set(seeds)) == len(seeds) == 10 * training_steps(classes, config)

    def test_another_seed_gives_another_order(self, classes, config):
        first, second = (batches_of(classes, each)[0] for each in (config, replace(config, seed=6)))
        assert not np.array_equal(first["index"], second["index"])

    def test_every_epoch_has_its_own_order(self, classes, config):
        batches = batches_of(classes, config)
        assert not np.array_equal(batches[0]["index"], batches[training_steps(classes, config)]["index"])

    def test_only_training_images_are_in_them(self, classes, quarters, config):
        task = np.concatenate([batch["index"] for batch in batches_of(classes, config, range(10))])
        np.testing.assert_array_equal(np.unique(task), quarters.images_of(TRAIN))

    @pytest.mark.parametrize("channels", [1, 3])
    def test_the_shapes_are_static(self, quarters, run_of, config, channels):
        colored = run_of(replace(quarters, images=np.repeat(quarters.images, channels, axis=3)))
        specification = training_batches(colored, config, range(1)).element_spec
        width = 12 if config.objective == "triplet" else 32
        assert specification["images"].shape.as_list() == [width, 8, 8, channels]


# Objectives on pairs.


def test_the_content_of_a_batch_of_pairs(toys, toy_pairs):
    batches = batches_of(toys, PAIRS)
    assert len(batches) == 2 * steps_per_epoch(70, 16) == 2 * training_steps(toys, PAIRS) == 8
    for batch in batches:
        types = {name: (array.shape, array.dtype.name) for name, array in batch.items()}
        assert types == TYPES | {"similarity": ((16,), "float32"), "seed": ((2,), "int32")}
        np.testing.assert_array_equal(batch["images"], toy_pairs.images[batch["index"]])
        np.testing.assert_array_equal(batch["labels"], toy_pairs.labels[batch["index"]])
        np.testing.assert_array_equal(batch["similarity"], batch["labels"][:16] == batch["labels"][16:])


def test_the_pairs_are_the_training_pairs_in_the_order_of_the_epochs(toys, toy_pairs):
    rows = toy_pairs.rows(TRAIN)
    expected = np.concatenate([epoch_batches(rows, 16, PAIRS.seed, epoch) for epoch in range(2)])
    for batch, rows in zip(batches_of(toys, PAIRS), expected, strict=True):
        np.testing.assert_array_equal(batch["index"][:16], toy_pairs.img1[rows])
        np.testing.assert_array_equal(batch["index"][16:], toy_pairs.img2[rows])


def test_fewer_pairs_than_a_batch(toys, toy_pairs):
    (batch,) = batches_of(toys, replace(PAIRS, batch_pairs=1000), range(1))
    assert batch["images"].shape == (140, 8, 8, 1)
    assert images_per_epoch(toys, replace(PAIRS, batch_pairs=1000)) == 140
    listed = set(zip(toy_pairs.img1[:70], toy_pairs.img2[:70], strict=True))
    assert set(zip(batch["index"][:70], batch["index"][70:], strict=True)) == listed


def test_without_labels_they_are_minus_one(toys, toy_pairs, run_of):
    unlabeled = batches_of(run_of(replace(toy_pairs, labels=None)), PAIRS)
    assert all((batch.pop("labels") == -1).all() for batch in unlabeled)
    labeled = batches_of(toys, PAIRS)
    for batch in labeled:
        del batch["labels"]
    assert_equal(unlabeled, labeled)


# Triplets: P classes with K images each.


def test_the_content_of_a_batch_of_triplets(classes, quarters):
    batches = batches_of(classes, TRIPLETS)
    assert len(batches) == 2 * training_steps(classes, TRIPLETS) == 2 * (len(classes.train_images) // 12)
    short = 0
    for batch in batches:
        types = {name: (array.shape, array.dtype.name) for name, array in batch.items()}
        assert types == {name: ((12, *shape[1:]), dtype) for name, (shape, dtype) in TYPES.items()} | {
            "seed": ((2,), "int32")
        }
        np.testing.assert_array_equal(batch["images"], quarters.images[batch["index"]])
        np.testing.assert_array_equal(batch["labels"], quarters.labels[batch["index"]])
        blocks = batch["labels"].reshape(3, 4)
        assert (blocks == blocks[:, :1]).all()
        assert len(set(blocks[:, 0])) == 3
        for block, images in zip(blocks, batch["index"].reshape(3, 4), strict=True):
            assert len(set(images)) == (3 if block[0] == 3 else 4)  # the last class has 3 training images
            short += block[0] == 3
    assert short


def test_a_step_larger_than_the_pool_is_an_epoch(classes):
    config = replace(TRIPLETS, classes_per_batch=4, images_per_class=50)
    assert training_steps(classes, config) == 1
    (batch,) = batches_of(classes, config, range(1))
    np.testing.assert_array_equal(np.unique(batch["index"]), classes.train_images)


# One class against the rest.

AGAINST_REST = {
    "all pairs": (replace(PAIRS, one_vs_rest="2"), 16),
    "triplets": (replace(TRIPLETS, classes_per_batch=2, one_vs_rest="2"), 4),
}


@pytest.mark.parametrize("rest_is_a_class", [False, True])
@pytest.mark.parametrize(("config", "images"), AGAINST_REST.values(), ids=AGAINST_REST)
def test_steps_of_one_class_and_the_rest(quarters, run_of, config, images, rest_is_a_class):
    """Half of the images are of the class; those of the rest keep their labels unless the rest is a class."""
    config = replace(config, rest_is_a_class=rest_is_a_class)
    run = run_of(quarters, config)
    batches = batches_of(run, config, range(3))
    assert len(batches) == 3 * training_steps(run, config) == 3 * (len(run.train_images) // (2 * images))
    assert images_per_epoch(run, config) == 2 * images * len(batches) // 3
    for batch in batches:
        assert set(batch) == {"images", "index", "labels", "seed"}
        labels = quarters.labels[batch["index"]]
        np.testing.assert_array_equal(batch["labels"], labels == 2 if rest_is_a_class else labels)
        ones = (labels == 2).reshape(2, images)
        assert sorted(ones.sum(axis=1)) == [0, images]  # balanced, though the rest has more images
    shown = np.concatenate([batch["index"] for batch in batches])
    assert set(quarters.labels[shown]) == {0, 1, 2, 3}
    assert_equal(batches_of(run, config, range(1, 3)), batches[len(batches) // 3 :])


@pytest.mark.parametrize("rest_is_a_class", [False, True])
def test_listed_pairs_of_one_class_and_the_rest(quarters, run_of, rest_is_a_class):
    config = replace(PAIRS, pairs_per_step="listed", one_vs_rest="2", rest_is_a_class=rest_is_a_class)
    batches = batches_of(run_of(quarters, config), config)
    own = np.concatenate([quarters.labels[batch["index"]].reshape(2, 16) for batch in batches], axis=1)
    similarity = np.concatenate([batch["similarity"] for batch in batches])
    np.testing.assert_array_equal(similarity, (own[0] == 2) == (own[1] == 2))
    assert 0.3 < similarity.mean() < 0.7
    assert bool((own != 2).all(axis=0).any()) is rest_is_a_class  # no pair of two of the rest, unless it is a class


@pytest.mark.parametrize("of_the_rest", [0, 7])
@pytest.mark.parametrize("config", [PAIRS, replace(TRIPLETS, classes_per_batch=2)], ids=["pairs", "triplets"])
def test_the_classes_of_a_rest_with_one_label_are_unknown(quarters, run_of, config, of_the_rest):
    """Its label may stand for all other classes. The labels of test images do not matter."""
    labels = np.where(quarters.labels == 2, 2, of_the_rest)
    labels[quarters.images_of(TEST)] = quarters.labels[quarters.images_of(TEST)]
    for rest_is_a_class in (False, True):
        asked = replace(config, one_vs_rest="2", rest_is_a_class=rest_is_a_class)
        run = run_of(replace(quarters, labels=labels), asked)
        for batch in batches_of(run, asked):
            expected = (1, 0) if rest_is_a_class else (2, -1)
            np.testing.assert_array_equal(batch["labels"], np.where(labels[batch["index"]] == 2, *expected))
