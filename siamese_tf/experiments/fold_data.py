"""Data of cross-validation over people: the images of each fold, and the pairs drawn from them."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from siamese_tf.data.pairs.audit import audit_pairs
from siamese_tf.data.pairs.generate import pairs_of_split
from siamese_tf.data.pairs.pair_file import TEST, PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.data.sampling.draw_pairs import all_pairs, existing_pairs
from siamese_tf.data.sampling.folds import people_folds
from siamese_tf.data.sampling.split import ImageSplit, distinct_images
from siamese_tf.data.sampling.split_sizes import split_warnings
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import DatasetError

MAX_PAIRS = 500_000  # if a fold has more test pairs, the balanced pairs of its test split are used instead
IMAGES_AT_ONCE = 1024  # limits the memory for hashing


def fold_splits(source: Source, folds: int, seed: int) -> list[ImageSplit]:
    """Splits the distinct images of a source into train, validation and test for each fold, see `people_folds`.

    Raises:
        DatasetError: if a split of a fold has no two images of one person and therefore no similar pairs.
    """
    distinct, duplicates = distinct_images(source)
    images = np.flatnonzero(distinct)
    splits = []
    for number, fold in enumerate(people_folds(source.labels[images], folds, seed)):
        for name, rows in fold._asdict().items():
            if not existing_pairs(source.labels[images[rows]])[0]:
                raise DatasetError(
                    f"the {name} split of fold {number} of {source.name} must have two images of one person; it has"
                    " one image per person. Use fewer folds or another seed, or add images"
                )
        splits.append(ImageSplit(images[fold.train], images[fold.validation], images[fold.test], duplicates))
    return splits


def fold_pairs(source: Source, split: ImageSplit, seed: int) -> TrainTestPairs:
    """Draws the pairs of a fold, with a SHA-256 that prevents resuming a run with other pairs."""
    train, test = (_with_sha256(pairs) for pairs in pairs_of_split(source, split, "class", seed))
    leaks, warnings = audit_pairs([train, test]).leaks, tuple(split_warnings(train.manifest))
    return TrainTestPairs(train, test, source.name, source.note, leaks, warnings=warnings)


def with_all_pairs(test: PairDataset) -> PairDataset:
    """Returns all pairs of the test images of a fold, or `test` unchanged if there are more than MAX_PAIRS."""
    assert test.labels is not None  # folds have labels
    if sum(existing_pairs(test.labels)) > MAX_PAIRS:
        return test
    img1, img2, similarity = all_pairs(test.labels)
    return replace(test, img1=img1, img2=img2, similarity=similarity, split=np.full(len(img1), TEST, np.uint8))


def people_names(source: Source, images: np.ndarray) -> Sequence[str]:
    """Returns the names of the people in the given images, in the order of their labels."""
    return [source.class_names[label] for label in np.unique(source.labels[images])]


def _with_sha256(pairs: PairDataset) -> PairDataset:
    digest = hashlib.sha256()
    for array in (pairs.img1, pairs.img2, pairs.split, pairs.images):
        for start in range(0, len(array), IMAGES_AT_ONCE):
            digest.update(array[start : start + IMAGES_AT_ONCE].tobytes())
    return replace(pairs, sha256=digest.hexdigest())
