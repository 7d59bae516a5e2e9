"""Which image belongs to training, validation or test: decided before any pair is made."""

from dataclasses import dataclass

import numpy as np

from siamese_tf.data.content import content_ids
from siamese_tf.data.sources import Source
from siamese_tf.errors import ConfigError, DatasetError

MODES = ("image", "class")
LEAST_CLASSES = 6  # two for each part: one class alone makes no dissimilar pair, one image alone no similar one


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """The images of each part, as sorted int64 positions in the source; no position stands in two parts.

    Attributes:
        train, validation, test: positions.
        duplicates: how many images of the source were left out, by reason; see `distinct_images`.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    duplicates: dict[str, int]


def split_images(source: Source, mode: str = "image", seed: int | np.random.SeedSequence = 0) -> ImageSplit:
    """Splits the distinct images of a source into training, validation and test.

    By image, every class is spread over all parts. With an official test part, that is the test part and one in six of
    the other images is for validation; without one, a quarter is for test and a fifth of the rest for validation
    (60 / 15 / 25 %). By class, about 60 / 20 / 20 % of the classes go to training, validation and test, whole, and so
    do those of one image, which make dissimilar pairs only; test images still come only from the official test part
    where there is one.

    Args:
        source: the labelled images.
        mode: `"image"` or `"class"`.
        seed: of the generator that chooses.

    Raises:
        ConfigError: another mode.
        DatasetError: by class, with fewer than six classes that have two images.
    """
    if mode not in MODES:
        raise ConfigError(f"split is {mode!r}; expected 'image' or 'class'.")
    rng = np.random.Generator(np.random.PCG64(seed))
    kept, duplicates = distinct_images(source)
    pool = np.flatnonzero(kept & ~source.is_test)
    official = np.flatnonzero(kept & source.is_test) if source.is_test.any() else None
    by = _by_image if mode == "image" else _by_class
    train, validation, test = by(source, pool, official, rng)
    return ImageSplit(np.sort(train), np.sort(validation), np.sort(test), duplicates)


def default_mode(source: Source) -> str:
    """How to split unasked: image files by class where there are enough classes for it, all else by image.

    With people in image files, the question is of people never seen; with digits it is not.
    """
    if source.paths is None:
        return "image"
    kept, _ = distinct_images(source)
    return "class" if (np.bincount(source.labels[kept]) >= 2).sum() >= LEAST_CLASSES else "image"


def distinct_images(source: Source) -> tuple[np.ndarray, dict[str, int]]:
    """Finds byte-identical images, so that each counts once.

    Training images are never changed for the sake of the test: a twin across the border leaves the test. Of copies on
    one side the first stays; when their labels contradict each other nobody knows the class, and none stays.

    Returns:
        kept (n,) bool, and the number of images left out as `"test_twins"` (test images whose bytes occur among the
        training images), `"copies"` (later copies on one side) and `"contradicting"` (all copies, labels differ).
    """
    (ids,) = content_ids(source.images)
    twin = source.is_test & np.isin(ids, ids[~source.is_test])
    kept = np.zeros(len(ids), bool)
    contradicting = 0
    for side in (~source.is_test, source.is_test & ~twin):
        rows = np.flatnonzero(side)
        first, group = np.unique(ids[rows], return_index=True, return_inverse=True)[1:]
        labels = source.labels[rows]
        doubtful = np.zeros(len(first), bool)
        doubtful[group[labels != labels[first[group]]]] = True
        kept[rows[first[~doubtful]]] = True
        contradicting += int(doubtful[group].sum())
    twins = int(twin.sum())
    copies = len(ids) - int(kept.sum()) - twins - contradicting
    return kept, {"test_twins": twins, "copies": copies, "contradicting": contradicting}


def _by_image(
    source: Source, pool: np.ndarray, official: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shuffled = rng.permutation(pool)
    ordered = shuffled[np.argsort(source.labels[shuffled], kind="stable")]
    if official is not None:
        validation, train = _every(ordered, 6)
        return train, validation, official
    test, rest = _every(ordered, 4)
    validation, train = _every(rest, 5)
    return train, validation, test


def _every(ordered: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """One in `step`, and the rest; of images ordered by class that is one in `step` of every class."""
    taken = np.arange(len(ordered)) % step == step - 1
    return ordered[taken], ordered[~taken]


def _by_class(
    source: Source, pool: np.ndarray, official: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    test_pool = pool if official is None else official
    classes = rng.permutation(np.intersect1d(source.labels[pool], source.labels[test_pool]))
    several = np.logical_and.reduce([np.bincount(source.labels[part])[classes] >= 2 for part in (pool, test_pool)])
    if several.sum() < LEAST_CLASSES:
        single = "" if several.all() else f", {(~several).sum()} of them with one image"
        raise DatasetError(
            f"{source.name} has {len(classes)} classes{single}; a split by class needs at least {LEAST_CLASSES} with"
            " two images or more, two for each of training, validation and test. Split by image instead."
        )
    fifth = max(2, round(several.sum() / 5))
    single_fifth = round((~several).sum() / 5)
    for_test, for_validation, for_train = map(
        np.concatenate,
        zip(
            np.split(classes[several], [fifth, 2 * fifth]),
            np.split(classes[~several], [single_fifth, 2 * single_fifth]),
            strict=True,
        ),
    )
    return (
        pool[np.isin(source.labels[pool], for_train)],
        pool[np.isin(source.labels[pool], for_validation)],
        test_pool[np.isin(source.labels[test_pool], for_test)],
    )
