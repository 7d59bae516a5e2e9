import numpy as np
import pytest

from siamese_tf.data.pairs.draw_parts import STANDARD_PAIRS, draw_parts
from siamese_tf.data.pairs.pair_datasets import pair_datasets
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION
from siamese_tf.data.sampling.split import ImageSplit
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import ConfigError

SEEDS = np.random.SeedSequence(0).spawn(3)


def source() -> Source:
    return Source(
        name="drawn",
        images=np.arange(240, dtype=np.uint8).reshape(60, 2, 2, 1),
        labels=np.arange(60) % 4,
        is_test=np.arange(60) >= 40,
        class_names=("a/1", "a/2", "b/1", "b/2"),
        origin="drawn in the test",
        files={"images": "12ab"},
        note="drawn",
        groups=np.arange(60) % 4 // 2,
        group_names=("a", "b"),
        authors=np.arange(60) % 5,
    )


def drawn(validation: int, train_share=None, counts=None):
    split = ImageSplit(np.arange(40 - validation), np.arange(40 - validation, 40), np.arange(40, 60), {}, train_share)
    return draw_parts(source(), split, dict.fromkeys(STANDARD_PAIRS) | (counts or {}), SEEDS)


def test_images_labels_groups_and_authors_are_those_of_the_positions():
    for file, positions in zip(
        pair_datasets(source(), drawn(12), "by hand", 3), (range(40), range(40, 60)), strict=True
    ):
        for name in ("images", "labels", "groups", "authors"):
            np.testing.assert_array_equal(getattr(file, name), getattr(source(), name)[positions])
        np.testing.assert_array_equal(file.labels[file.img1] == file.labels[file.img2], file.similarity)


def test_the_manifest_is_the_same_in_both():
    train, test = pair_datasets(source(), drawn(12), "by hand", 3)
    assert train.manifest == test.manifest
    assert (train.manifest["split"], train.manifest["seed"]) == ("by hand", 3)
    assert train.manifest["group_names"] == ["a", "b"]
    assert train.manifest["images"] == {"train": 28, "validation": 12, "test": 20}
    assert "train_share" not in train.manifest


def test_without_validation_images_there_are_no_validation_pairs():
    train, test = pair_datasets(source(), drawn(0, 1), "image", 3)
    assert set(train.split.tolist()) == {TRAIN}
    assert set(test.split.tolist()) == {TEST}
    assert [*train.manifest["images"]] == [*train.manifest["pairs"]] == ["train", "test"]
    assert train.manifest["train_share"] == 1
    np.testing.assert_array_equal(train.images_of(TRAIN), np.arange(40))
    with pytest.raises(ConfigError, match="validation pairs must be omitted with a training share of 1; got 6"):
        drawn(0, 1, {"validation": 6})


def test_the_pairs_of_training_do_not_depend_on_validation():
    assert VALIDATION in drawn(12).pairs
    one, other = (drawn(12, None, {"validation": count}).pairs[TRAIN] for count in (None, 6))
    np.testing.assert_array_equal(one, other)
