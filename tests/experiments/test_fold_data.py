"""The splits and pairs of folds; `test_folds.py` checks that the runs get them."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION
from siamese_tf.data.sources.load import load_source
from siamese_tf.errors import DatasetError
from siamese_tf.experiments import fold_data
from siamese_tf.experiments.fold_data import fold_pairs, fold_splits, people_names, with_all_pairs


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Noise: six people with three images each."""
    folder, rng = tmp_path_factory.mktemp("folds") / "people", np.random.default_rng(0)
    for person in "abcdef":
        (folder / person).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(rng.integers(0, 255, (6, 5), np.uint8)).save(folder / person / f"{number}.png")
    return load_source(str(folder))


def test_every_person_is_tested_once_and_never_trained_on(source):
    splits = fold_splits(source, 3, seed=0)
    assert sorted(name for split in splits for name in people_names(source, split.test)) == list("abcdef")
    for split in splits:
        people = [set(people_names(source, rows)) for rows in (split.train, split.validation, split.test)]
        assert [len(names) for names in people] == [2, 2, 2]
        assert len(set.union(*people)) == 6


def test_copies_of_an_image_are_left_out(source):
    splits = fold_splits(replace(source, images=source.images[[0, 0, *range(2, 18)]]), 3, seed=0)
    for split in splits:
        used = np.concatenate([split.train, split.validation, split.test])
        assert len(used) == 17
        assert split.duplicates == splits[0].duplicates


def test_a_split_without_two_images_of_one_person_is_an_error(source):
    with pytest.raises(DatasetError) as caught:
        fold_splits(replace(source, labels=np.arange(18)), 3, seed=0)
    assert str(caught.value) == (
        "the train split of fold 0 of people must have two images of one person; it has one image per person."
        " Use fewer folds or another seed, or add images"
    )


def test_the_pairs_have_a_hash_of_their_images_and_rows(source, monkeypatch):
    split, other = fold_splits(source, 3, seed=0)[:2]
    pairs = fold_pairs(source, split, seed=0)
    assert set(pairs.train.split.tolist()) == {TRAIN, VALIDATION}
    assert set(pairs.test.split.tolist()) == {TEST}
    assert pairs.leaks == 0
    monkeypatch.setattr(fold_data, "IMAGES_AT_ONCE", 3)  # the size of the blocks does not matter
    again = fold_pairs(source, split, seed=0)
    assert (again.train.sha256, again.test.sha256) == (pairs.train.sha256, pairs.test.sha256)
    brighter = replace(source, images=source.images + np.uint8(1))
    changed = [fold_pairs(source, other, 0), fold_pairs(source, split, 1), fold_pairs(brighter, split, 0)]
    hashes = {one.train.sha256 for one in [pairs, *changed]}
    assert len(hashes) == 4
    assert all(len(one) == 64 for one in hashes)


def test_all_pairs_unless_there_are_too_many(source, monkeypatch):
    test = fold_pairs(source, fold_splits(source, 3, seed=0)[0], seed=0).test
    complete = with_all_pairs(test)
    assert len(complete.img1) == 6 * 5 // 2
    assert complete.similarity.sum() == 2 * 3
    assert set(complete.split.tolist()) == {TEST}
    same = test.labels[complete.img1] == test.labels[complete.img2]
    np.testing.assert_array_equal(complete.similarity, same)
    monkeypatch.setattr(fold_data, "MAX_PAIRS", 15)
    assert with_all_pairs(test) is not test
    monkeypatch.setattr(fold_data, "MAX_PAIRS", 14)
    assert with_all_pairs(test) is test
