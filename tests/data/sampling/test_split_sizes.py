from dataclasses import replace

import pytest

from siamese_tf.data.sampling.split_sizes import pair_warnings, split_warnings
from siamese_tf.data.sources.load import load_source


def manifest(train=60, validation=20, test=20, pairs=20):
    return {"images": {"train": train, "validation": validation, "test": test}, "pairs": {"validation": pairs}}


def test_nothing_to_warn_of():
    assert split_warnings(manifest()) == []
    assert split_warnings(manifest(2, 3, 3)) == []  # a quarter


def test_a_training_part_of_few_images():
    (line,) = split_warnings(manifest(4, 4, 152))
    assert line == "training has 4 of 160 images, 2%, because the classes are few or vary widely in size; add images"


def test_few_pairs_to_choose_the_threshold_by():
    (line,) = split_warnings(manifest(pairs=19))
    assert line.startswith("validation has 19 pairs; a threshold chosen on fewer than 20 ")


def test_those_of_the_data_set_come_first():
    source = replace(load_source("digits"), warnings=("one is not used",))
    assert pair_warnings(source, manifest()) == ("one is not used",)
    first, second = pair_warnings(source, manifest(pairs=19))
    assert (first, second[:10]) == ("one is not used", "validation")


@pytest.mark.parametrize(
    "odd",
    [{}, {"images": 3, "pairs": []}, {"images": {"train": "few"}, "pairs": {"validation": None}}, {"images": {"a": 1}}]
    + [{"images": {"train": -1, "test": 9}, "pairs": {"validation": True}}, {"images": {"train": 0}}],
)
def test_a_manifest_may_say_anything(odd):
    assert split_warnings(odd) == []
