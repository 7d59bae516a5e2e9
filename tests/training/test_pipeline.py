from dataclasses import replace

import numpy as np
import pytest

from siamese_tf.config import TrainConfig
from siamese_tf.data.batches import epoch_batches, steps_per_epoch
from siamese_tf.data.pair_file import TRAIN
from siamese_tf.training.pipeline import training_batches

CONFIG = TrainConfig(batch_pairs=16, seed=5)


def batches_of(pairs, config=CONFIG, epochs=range(2)):
    return list(training_batches(pairs, config, epochs).as_numpy_iterator())


def assert_equal(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_a_batch_is_what_it_is_said_to_be(toy_pairs):
    batches = batches_of(toy_pairs)
    assert len(batches) == 2 * steps_per_epoch(70, 16) == 8
    for batch in batches:
        types = {name: (array.shape, array.dtype.name) for name, array in batch.items()}
        assert types == {
            "images": ((32, 8, 8, 1), "uint8"),
            "index": ((32,), "int32"),
            "labels": ((32,), "int64"),
            "similarity": ((16,), "float32"),
            "seed": ((2,), "int32"),
        }
        np.testing.assert_array_equal(batch["images"], toy_pairs.images[batch["index"]])
        np.testing.assert_array_equal(batch["labels"], toy_pairs.labels[batch["index"]])
        np.testing.assert_array_equal(batch["similarity"], batch["labels"][:16] == batch["labels"][16:])


def test_the_pairs_are_the_training_pairs_in_the_order_of_the_epochs(toy_pairs):
    rows = toy_pairs.rows(TRAIN)
    expected = np.concatenate([epoch_batches(rows, 16, CONFIG.seed, epoch) for epoch in range(2)])
    batches = batches_of(toy_pairs)
    for batch, rows in zip(batches, expected, strict=True):
        np.testing.assert_array_equal(batch["index"][:16], toy_pairs.img1[rows])
        np.testing.assert_array_equal(batch["index"][16:], toy_pairs.img2[rows])


def test_a_run_resumed_at_epoch_1_sees_what_an_unbroken_one_would(toy_pairs):
    assert_equal(batches_of(toy_pairs, epochs=range(1, 3)), batches_of(toy_pairs, epochs=range(3))[4:])


def test_a_finished_run_has_no_batches_left(toy_pairs):
    assert batches_of(toy_pairs, epochs=range(2, 2)) == []


def test_every_step_has_a_seed_of_its_own(toy_pairs):
    seeds = [tuple(batch["seed"]) for batch in batches_of(toy_pairs, epochs=range(10))]
    seeds += [tuple(batch["seed"]) for batch in batches_of(toy_pairs, replace(CONFIG, seed=6), range(10))]
    assert len(set(seeds)) == len(seeds) == 80


def test_another_seed_gives_another_order(toy_pairs):
    first, second = batches_of(toy_pairs)[0], batches_of(toy_pairs, replace(CONFIG, seed=6))[0]
    assert not np.array_equal(first["index"], second["index"])


def test_fewer_pairs_than_a_batch(toy_pairs):
    (batch,) = batches_of(toy_pairs, replace(CONFIG, batch_pairs=1000), range(1))
    assert batch["images"].shape == (140, 8, 8, 1)
    listed = set(zip(toy_pairs.img1[:70], toy_pairs.img2[:70], strict=True))
    assert set(zip(batch["index"][:70], batch["index"][70:], strict=True)) == listed


def test_without_labels_they_are_minus_one(toy_pairs):
    unlabelled = batches_of(replace(toy_pairs, labels=None))
    assert all((batch.pop("labels") == -1).all() for batch in unlabelled)
    labelled = batches_of(toy_pairs)
    for batch in labelled:
        del batch["labels"]
    assert_equal(unlabelled, labelled)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_shapes_are_static(toy_pairs, channels):
    coloured = replace(toy_pairs, images=np.repeat(toy_pairs.images, channels, axis=3))
    specification = training_batches(coloured, CONFIG, range(1)).element_spec
    assert specification["images"].shape.as_list() == [32, 8, 8, channels]
