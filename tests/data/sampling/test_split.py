from dataclasses import replace

import numpy as np
import pytest

from siamese_tf.data.sampling.split import default_mode, distinct_images, split_images
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import ConfigError, DatasetError


def source(labels, is_test=None, values=None) -> Source:
    """Returns a source whose image k is filled with values[k]; by default, all images differ."""
    values = np.arange(len(labels)) if values is None else np.asarray(values)
    images = np.stack([values % 256, values // 256], axis=1).astype(np.uint8).reshape(-1, 1, 2, 1)
    return Source(
        name="drawn",
        images=images,
        labels=np.asarray(labels, np.int64),
        is_test=np.zeros(len(labels), bool) if is_test is None else np.asarray(is_test, bool),
        class_names=tuple(str(k) for k in range(max(labels) + 1)),
        origin="drawn in the test",
        files={},
        note="drawn",
    )


def classes_of(drawn: Source, positions: np.ndarray) -> list[int]:
    return np.bincount(drawn.labels[positions], minlength=len(drawn.class_names)).tolist()


def test_by_image_without_a_test_part_gives_60_15_25_percent_of_every_class():
    drawn = source(np.repeat([0, 1, 2], 100))
    split = split_images(drawn, "image", seed=4)
    assert classes_of(drawn, split.train) == [60, 60, 60]
    assert classes_of(drawn, split.validation) == [15, 15, 15]
    assert classes_of(drawn, split.test) == [25, 25, 25]
    everything = np.concatenate([split.train, split.validation, split.test])
    assert sorted(everything.tolist()) == list(range(300))


def test_by_image_with_a_test_part_gives_one_in_six_to_validation():
    drawn = source(np.tile(np.arange(4), 90), is_test=np.arange(360) >= 240)
    split = split_images(drawn, "image", seed=4)
    assert split.test.tolist() == list(range(240, 360))
    assert classes_of(drawn, split.validation) == [10, 10, 10, 10]
    assert classes_of(drawn, split.train) == [50, 50, 50, 50]
    assert sorted(np.concatenate([split.train, split.validation]).tolist()) == list(range(240))


def test_uneven_classes_are_stratified_to_one_image_and_the_total_is_exact():
    labels = np.random.default_rng(2).choice(5, 600, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    drawn = source(labels, is_test=[False] * 599 + [True])
    split = split_images(drawn, "image", seed=0)
    assert len(split.validation) == 599 // 6
    sizes = np.bincount(labels[:599])
    assert np.all(np.abs(np.array(classes_of(drawn, split.validation)) - sizes / 6) < 1)


def test_positions_are_sorted_int64():
    split = split_images(source(np.repeat([0, 1], 20)), "image")
    for positions in (split.train, split.validation, split.test):
        assert positions.dtype == np.int64
        assert np.all(np.diff(positions) > 0)


@pytest.mark.parametrize("mode", ["image", "class"])
def test_the_seed_decides(mode):
    drawn = source(np.repeat(np.arange(8), 25))
    same, again, other = (split_images(drawn, mode, seed) for seed in (1, 1, 2))
    assert np.array_equal(same.train, again.train)
    assert np.array_equal(same.test, again.test)
    assert not np.array_equal(same.train, other.train)


def test_by_class_keeps_whole_classes_apart():
    drawn = source(np.repeat(np.arange(10), 7))
    split = split_images(drawn, "class", seed=3)
    sides = [set(drawn.labels[part].tolist()) for part in (split.train, split.validation, split.test)]
    assert [len(side) for side in sides] == [6, 2, 2]
    assert set.union(*sides) == set(range(10))
    assert len(split.train) + len(split.validation) + len(split.test) == 70


def test_by_class_takes_test_images_from_the_official_test_part_only():
    drawn = source(np.tile(np.arange(10), 12), is_test=np.arange(120) >= 80)
    split = split_images(drawn, "class", seed=3)
    assert drawn.is_test[split.test].all()
    assert not drawn.is_test[np.concatenate([split.train, split.validation])].any()
    sides = [set(drawn.labels[part].tolist()) for part in (split.train, split.validation, split.test)]
    assert [len(side) for side in sides] == [6, 2, 2]
    assert set.union(*sides) == set(range(10))
    assert len(split.test) == 2 * 4  # all test images of its two classes


@pytest.mark.parametrize(("classes", "sides"), [(6, [2, 2, 2]), (7, [3, 2, 2]), (20, [12, 4, 4]), (101, [61, 20, 20])])
def test_by_class_gives_a_fifth_but_at_least_two_classes(classes, sides):
    drawn = source(np.repeat(np.arange(classes), 2))
    split = split_images(drawn, "class", seed=0)
    found = [len(np.unique(drawn.labels[part])) for part in (split.train, split.validation, split.test)]
    assert found == sides


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("place", [0, 5])
def test_by_class_one_large_class_is_for_training_whatever_the_seed(seed, place):
    counts = [2] * 6
    counts[place] = 150
    split = split_images(source(np.repeat(np.arange(6), counts)), "class", seed)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [152, 4, 4]


def test_by_class_two_large_classes_are_not_in_one_part():
    drawn = source(np.repeat(np.arange(6), [150, 2, 2, 150, 2, 2]))
    for seed in range(4):
        split = split_images(drawn, "class", seed)
        assert sorted(len(part) for part in (split.train, split.validation, split.test)) == [4, 152, 152]
        assert len(split.train) == 152


def test_by_class_refuses_fewer_than_six_classes():
    with pytest.raises(DatasetError, match=r"drawn must have at least 6 classes .*; got 5 classes. Split by image"):
        split_images(source(np.repeat(np.arange(5), 9)), "class")


def test_by_class_counts_only_classes_that_both_sides_have():
    drawn = source([*range(6), *range(5)], is_test=[False] * 6 + [True] * 5)
    with pytest.raises(DatasetError, match="got 5 classes"):
        split_images(drawn, "class")


def test_an_unknown_mode_is_refused():
    with pytest.raises(ConfigError, match="split must be 'image' or 'class'; got 'person'"):
        split_images(source([0, 1]), "person")


def test_each_kind_of_byte_identical_image_is_dropped_and_counted():
    # Eight images for training, seven for the test.
    values = [10, 10, 20, 20, 20, 30, 40, 40, 10, 20, 50, 50, 60, 60, 70]
    labels = [1, 1, 0, 1, 0, 1, 2, 2, 0, 0, 1, 1, 0, 1, 2]
    drawn = source(labels, is_test=[False] * 8 + [True] * 7, values=values)
    kept, counts = distinct_images(drawn)
    assert [values[k] for k in np.flatnonzero(kept & ~drawn.is_test)] == [10, 30, 40]
    assert [values[k] for k in np.flatnonzero(kept & drawn.is_test)] == [50, 70]
    assert kept[0]  # the first copy is used
    assert counts == {"test_twins": 2, "copies": 3, "contradicting": 5}


def test_distinct_images_agrees_with_a_slow_twin():
    rng = np.random.default_rng(9)
    values, labels, is_test = rng.integers(0, 60, 200), rng.integers(0, 2, 200), rng.random(200) < 0.3
    kept, counts = distinct_images(source(labels, is_test, values))
    expected = []
    for k in range(200):
        same_side = [j for j in range(200) if values[j] == values[k] and is_test[j] == is_test[k]]
        twin = is_test[k] and any(values[j] == values[k] and not is_test[j] for j in range(200))
        agree = all(labels[j] == labels[k] for j in same_side)
        expected.append(not twin and agree and same_side[0] == k)
    assert kept.tolist() == expected
    assert sum(counts.values()) == 200 - sum(expected)
    assert min(counts.values()) > 0


def test_a_validation_twin_of_training_and_a_test_twin_of_either_are_dropped():
    values, labels = [1, 2, 3, 2, 4, 4, 5, 3, 4, 5, 6], [0, 0, 1, 1, 1, 1, 0, 1, 1, 0, 0]
    drawn = source(labels, is_test=[False] * 7 + [True] * 4, values=values)
    drawn = replace(drawn, is_validation=np.array([False] * 3 + [True] * 4 + [False] * 4))
    kept, counts = distinct_images(drawn)
    assert np.flatnonzero(kept).tolist() == [0, 1, 2, 4, 6, 10]
    assert counts == {"test_twins": 3, "validation_copies": 1, "copies": 1, "contradicting": 0}


def given(labels, parts) -> Source:
    """Returns a source whose folders give the split of each image: t(rain), v(alidation) or s (test)."""
    parts = np.array(list(parts))
    return replace(source(labels, is_test=parts == "s"), is_validation=parts == "v")


def test_a_split_that_the_source_has_is_taken_as_it_is():
    drawn = given([0, 0, 1] * 3, "tttvvvsss")
    assert default_mode(drawn) == "given"
    split = split_images(drawn, "given", seed=1)
    assert [part.tolist() for part in (split.train, split.validation, split.test)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize("parts", ["ts", "tv"])
def test_a_missing_part_is_taken_from_training_by_image_where_the_classes_are_the_same(parts):
    drawn = given(np.tile(np.arange(4), 30), np.repeat(list(parts), 60))
    split = split_images(drawn, "given", seed=1)
    taken, there = (split.validation, split.test) if parts == "ts" else (split.test, split.validation)
    assert there.tolist() == list(range(60, 120))
    assert sorted([*split.train, *taken]) == list(range(60))
    assert classes_of(drawn, split.train) == [15 - k for k in classes_of(drawn, taken)]
    assert len(taken) in {(10, 15)[parts == "tv"] + k for k in (-2, -1, 0, 1, 2)}
    assert min(classes_of(drawn, split.train)) > 0


@pytest.mark.parametrize("parts", ["ts", "tv"])
def test_a_missing_part_is_taken_from_training_by_class_where_no_class_is_shared(parts):
    drawn = given([*np.repeat(np.arange(8), 5), *np.repeat(np.arange(8, 11), 5)], [parts[0]] * 40 + [parts[1]] * 15)
    split = split_images(drawn, "given", seed=1)
    taken, there = (split.validation, split.test) if parts == "ts" else (split.test, split.validation)
    assert there.tolist() == list(range(40, 55))
    assert sorted([*split.train, *taken]) == list(range(40))
    assert [count for count in classes_of(drawn, taken) if count] == [5, 5]
    assert set(drawn.labels[taken]).isdisjoint(drawn.labels[split.train])


def test_another_split_of_a_source_that_has_one_is_refused():
    with pytest.raises(ConfigError, match="split must be omitted for .* folders define the split.*; got 'image'"):
        split_images(given([0, 0, 1] * 3, "tttvvvsss"))
    with pytest.raises(ConfigError, match="split must be 'image' or 'class'; got 'given'"):
        split_images(source([0, 1]), "given")


def test_dropped_images_stand_in_no_part():
    drawn = source(np.tile([0, 1], 60), values=np.arange(120) // 4 * 2 + np.tile([0, 1], 60))
    split = split_images(drawn, "image", seed=1)
    positions = np.concatenate([split.train, split.validation, split.test])
    assert split.duplicates == {"test_twins": 0, "copies": 60, "contradicting": 0}
    assert len(positions) == 60
    assert len(np.unique(drawn.images[positions], axis=0)) == 60


def test_by_class_deals_out_the_classes_of_one_image_as_well():
    """Every split has at least two classes with similar pairs, for any seed."""
    drawn = source([*np.repeat(np.arange(6), 3), *range(6, 16)])
    for seed in range(20):
        split = split_images(drawn, "class", seed)
        parts = [np.array(classes_of(drawn, part)) for part in (split.train, split.validation, split.test)]
        assert [int((part >= 2).sum()) for part in parts] == [2, 2, 2]
        assert [int((part == 1).sum()) for part in parts] == [6, 2, 2]
        assert (np.stack(parts) > 0).sum(axis=0).max() == 1


def test_by_class_refuses_classes_of_one_image_for_what_takes_two():
    with pytest.raises(DatasetError, match=r"at least 6 classes .*; got 9 classes, 4 of them with one image"):
        split_images(source([*np.repeat(np.arange(5), 2), *range(5, 9)]), "class")


@pytest.mark.parametrize(
    ("counts", "mode"),
    [([2] * 6, "class"), ([2] * 5 + [1] * 9, "image"), ([50, 50], "image"), ([2] * 6 + [1], "class")],
)
def test_unasked_image_files_are_split_by_class_where_they_can_be(counts, mode):
    drawn = source(np.repeat(np.arange(len(counts)), counts))
    assert default_mode(drawn) == "image"  # not image files
    assert default_mode(replace(drawn, paths=("",) * len(drawn.labels))) == mode


def test_a_class_of_copies_does_not_count_for_a_split_by_class():
    labels = np.repeat(np.arange(6), 2)
    drawn = source(labels, values=[*range(11), 10])
    assert default_mode(replace(drawn, paths=("",) * len(labels))) == "image"
