from dataclasses import replace

import numpy as np
import pytest

from siamese_tf.data.sampling.split import split_images
from siamese_tf.data.sampling.split_modes import MODES
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import ConfigError


def source(groups: int, classes: int = 4, images: int = 5, official_groups: int = 0) -> Source:
    """Returns images of `classes` classes in each group; the last groups are official test images."""
    labels = np.repeat(np.arange(groups * classes), images)
    of_group = labels // classes
    return Source(
        name="drawn",
        images=np.arange(len(labels) * 2, dtype=np.uint16).view(np.uint8).reshape(-1, 2, 2, 1),
        labels=labels,
        is_test=of_group >= groups - official_groups,
        class_names=tuple(f"{k // classes}/{k % classes}" for k in range(groups * classes)),
        origin="drawn in the test",
        files={},
        note="drawn",
        groups=of_group,
        group_names=tuple(f"{k}" for k in range(groups)),
    )


def units(drawn, mode, split):
    """Returns the classes (by image, the images) or groups of training, validation and test."""
    values = MODES[mode].units(drawn)
    return [set(values[part].tolist()) for part in (split.train, split.validation, split.test)]


@pytest.mark.parametrize(("mode", "sizes"), [("image", [120, 30, 50]), ("class", [24, 8, 8]), ("group", [6, 2, 2])])
def test_no_unit_is_in_two_splits_and_all_are_used(mode, sizes):
    drawn = source(10)
    sides = units(drawn, mode, split_images(drawn, mode, seed=1))
    assert [len(side) for side in sides] == sizes
    assert len(set.union(*sides)) == sum(sizes)


@pytest.mark.parametrize(
    ("mode", "share", "sizes"),
    [
        ("image", 0.6, [120, 30, 50]),
        ("image", 0.2, [40, 60, 100]),
        ("image", 0.84, [168, 12, 20]),
        ("class", 0.5, [20, 10, 10]),
        ("group", 0.8, [8, 1, 1]),
    ],
)
def test_the_share_is_for_training_and_the_rest_is_divided_as_by_default(mode, share, sizes):
    drawn = source(10)
    split = split_images(drawn, mode, seed=1, train_share=share)
    assert [len(side) for side in units(drawn, mode, split)] == sizes
    assert split.train_share == share


def test_the_default_share_gives_the_default_split():
    drawn = source(10)
    default, same = (units(drawn, "image", split_images(drawn, "image", 3, share)) for share in (None, 0.6))
    assert default == same


@pytest.mark.parametrize("mode", ["image", "class", "group"])
def test_official_test_images_of_other_units_are_the_test_split(mode):
    drawn = source(16, official_groups=4)
    pool = len(np.unique(MODES[mode].units(drawn)[~drawn.is_test]))
    for share, validation in ((None, pool / 6), (0.5, pool / 2), (1, 0)):
        split = split_images(drawn, mode, seed=2, train_share=share)
        np.testing.assert_array_equal(split.test, np.flatnonzero(drawn.is_test))
        train, taken, _ = units(drawn, mode, split)
        assert (len(train), len(taken)) == (pool - validation, validation)
        assert train.isdisjoint(taken)


@pytest.mark.parametrize("mode", ["class", "group"])
def test_official_test_images_of_the_same_units_are_test_images_of_the_units_for_test(mode):
    drawn = source(10)
    drawn = replace(drawn, is_test=np.arange(200) % 5 >= 3)  # two of five images of each class
    split = split_images(drawn, mode, seed=2, train_share=0.5)
    assert drawn.is_test[split.test].all()
    assert not drawn.is_test[np.concatenate([split.train, split.validation])].any()
    train, validation, test = units(drawn, mode, split)
    assert train.isdisjoint(test | validation)
    assert test.isdisjoint(validation)
    assert len(train) == len(test | validation)
    with pytest.raises(ConfigError, match=f"no official test split that shares no {mode} with its other"):
        split_images(drawn, mode, seed=2, train_share=1)


@pytest.mark.parametrize("mode", ["image", "class", "group"])
def test_all_for_training_needs_official_test_images(mode):
    with pytest.raises(ConfigError, match="must be less than 1 for drawn, which has no official test split"):
        split_images(source(10), mode, train_share=1)


def test_groups_and_shares_that_do_not_fit_are_refused():
    drawn = source(10)
    with pytest.raises(ConfigError, match="must be 'image' or 'class'; got 'group'. drawn in the test has no groups"):
        split_images(replace(drawn, groups=None), "group")
    with pytest.raises(ConfigError, match="must be 'image', 'class' or 'group'; got 'alphabet'"):
        split_images(drawn, "alphabet")
    with pytest.raises(ConfigError, match="training share must be more than 0 and at most 1; got 2"):
        split_images(drawn, "image", train_share=2)
    given = replace(drawn, is_validation=np.zeros(200, bool))
    with pytest.raises(ConfigError, match="training share must be omitted for drawn in the test, whose folders define"):
        split_images(given, "given", train_share=0.5)


@pytest.mark.parametrize("mode", ["image", "class", "group"])
def test_the_seed_decides(mode):
    drawn = source(10)
    one, same, other = (split_images(drawn, mode, seed, 0.5).train.tolist() for seed in (1, 1, 2))
    assert one == same != other
