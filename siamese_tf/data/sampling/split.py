"""Split of the images into training, validation and test, made before any pair is drawn."""

from dataclasses import dataclass

import numpy as np

from siamese_tf.data.images.content_ids import content_ids
from siamese_tf.data.sampling.split_by_class import MIN_CLASSES, split_by_class
from siamese_tf.data.sampling.split_by_image import split_by_image
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import ConfigError, DatasetError

MODES = ("image", "class")
GIVEN = "given"  # by the folders train, validation and test of the source


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """Images of each split, as sorted int64 positions in the source; no position is in two splits.

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

    By image, every class is spread over the parts, small ones in groups, see `split_by_image`. With an official test
    part, that is the test part and one in six of the other images is for validation; without one, a quarter is for test
    and a fifth of the rest for validation (60 / 15 / 25 %). By class, about 60 / 20 / 20 % of the classes go to
    training, validation and test, whole, and so do those of one image, which make dissimilar pairs only; where classes
    have very different sizes, so that each part has its share of the images, see `deal_classes`. Test images still come
    only from the official test part where there is one.

    As given, the parts are those of the source; of a missing one, a sixth of the training images is for validation, or
    a quarter for test: whole classes where training and the other part have no class in common, else by image.

    Args:
        source: the labeled images.
        mode: `"image"` or `"class"`; `"given"` for a source with its own split, see `Source.has_split`.
        seed: of the generator that chooses.

    Raises:
        ConfigError: another mode, or one that is not for this source.
        DatasetError: by class, with fewer than six classes that have two images; or by image, with too few images for
            two of one class and one of another in each part.
    """
    check_mode(source, mode)
    rng = np.random.Generator(np.random.PCG64(seed))
    keep, duplicates = distinct_images(source)
    if mode == GIVEN:
        train, validation, test = _as_given(source, keep, rng)
        return ImageSplit(np.sort(train), np.sort(validation), np.sort(test), duplicates)
    pool = np.flatnonzero(keep & ~source.is_test)
    official = np.flatnonzero(keep & source.is_test) if source.is_test.any() else None
    by = _by_image if mode == "image" else _by_class
    train, validation, test = by(source, pool, official, rng)
    return ImageSplit(np.sort(train), np.sort(validation), np.sort(test), duplicates)


def check_mode(source: Source, mode: str) -> None:
    """Refuses a mode that is none, or not for this source.

    Raises:
        ConfigError: as `split_images`.
    """
    if mode not in MODES and not (mode == GIVEN and source.has_split):
        raise ConfigError(f"split is {mode!r}; expected 'image' or 'class'.")
    if source.has_split and mode != GIVEN:
        raise ConfigError(
            f"split must be left out for {source.origin}, whose folders are the split (train, and validation, test or"
            f" both); got {mode!r}. Leave it out, or put all classes into one folder to have them split"
        )


def default_mode(source: Source) -> str:
    """Returns the default mode of the split: that of the source, if it has one; by class for image files of enough
    classes; by image for all else.

    With people in image files, the question is of people never seen; with digits it is not.
    """
    if source.has_split:
        return GIVEN
    if source.paths is None:
        return "image"
    keep, _ = distinct_images(source)
    return "class" if (np.bincount(source.labels[keep]) >= 2).sum() >= 3 * MIN_CLASSES else "image"


def distinct_images(source: Source) -> tuple[np.ndarray, dict[str, int]]:
    """Finds byte-identical images, so that each counts once.

    Training images never change for the sake of the test: an image of two splits leaves the test, or validation. Of
    copies within one split the first is used; if their labels contradict each other, none is.

    Returns:
        keep (n,) bool, and the number of images left out as `"test_twins"` (test images whose bytes occur among the
        other images), `"validation_copies"` (validation images whose bytes occur among the training images; only for
        a source with its own split), `"copies"` (later copies within one split) and `"contradicting"` (all copies
        whose labels differ).
    """
    (ids,) = content_ids(source.images)
    keep, earlier = np.zeros(len(ids), bool), np.zeros(len(ids), bool)
    contradicting, earlier_counts = 0, []
    for side in sides_of(source):
        is_earlier = side & np.isin(ids, ids[earlier])
        earlier_counts.append(int(is_earlier.sum()))
        earlier |= side
        rows = np.flatnonzero(side & ~is_earlier)
        first, group = np.unique(ids[rows], return_index=True, return_inverse=True)[1:]
        labels = source.labels[rows]
        doubtful = np.zeros(len(first), bool)
        doubtful[group[labels != labels[first[group]]]] = True
        keep[rows[first[~doubtful]]] = True
        contradicting += int(doubtful[group].sum())
    copies = len(ids) - int(keep.sum()) - sum(earlier_counts) - contradicting
    counts = {"test_twins": earlier_counts[2]}
    if source.has_split:
        counts["validation_copies"] = earlier_counts[1]
    return keep, {**counts, "copies": copies, "contradicting": contradicting}


def sides_of(source: Source) -> list[np.ndarray]:
    """Returns bool masks (n,) of the source's own training, validation and test images; each image is in one."""
    validation = np.zeros(len(source.labels), bool) if source.is_validation is None else source.is_validation
    return [~(source.is_test | validation), validation, source.is_test]


def _by_class(
    source: Source, pool: np.ndarray, official: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    test_pool = pool if official is None else official
    train, test, validation = split_by_class(source.labels[pool], source.labels[test_pool], (5, 5), rng, source.name)
    return (
        pool[np.isin(source.labels[pool], train)],
        pool[np.isin(source.labels[pool], validation)],
        test_pool[np.isin(source.labels[test_pool], test)],
    )


def _as_given(source: Source, distinct: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Returns the splits of the source; a missing validation or test split is taken from training.

    It is taken by image, but by class where the training images and those of the other part share no class.
    """
    parts = [np.flatnonzero(distinct & side) for side in sides_of(source)]
    for missing, step in ((1, 6), (2, 4)):
        if sides_of(source)[missing].any():
            continue
        pool, labels = parts[0], source.labels[parts[0]]
        apart = not np.isin(labels, source.labels[parts[3 - missing]]).any()
        if apart and (np.bincount(labels) >= 2).sum() >= 2 * MIN_CLASSES:
            train, taken = (
                np.flatnonzero(np.isin(labels, of_part))
                for of_part in split_by_class(labels, labels, (step,), rng, source.name)
            )
        else:
            train, taken = _checked_by_image(source, pool, (step,), rng)
        parts[0], parts[missing] = pool[train], pool[taken]
    return parts


def _by_image(
    source: Source, pool: np.ndarray, official: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if official is not None:
        train, validation = _checked_by_image(source, pool, (6,), rng)
        return pool[train], pool[validation], official
    train, test, validation = _checked_by_image(source, pool, (4, 5), rng)
    return pool[train], pool[validation], pool[test]


def _checked_by_image(
    source: Source, pool: np.ndarray, steps: tuple[int, ...], rng: np.random.Generator
) -> list[np.ndarray]:
    try:
        return split_by_image(source.labels[pool], steps, rng)
    except DatasetError as error:
        raise DatasetError(f"{source.name}: {error}") from error
