"""Split of the images into training, validation and test, made before pairs are drawn."""

from dataclasses import dataclass

import numpy as np

from siamese_tf.data.images.content_ids import content_ids
from siamese_tf.data.sampling.split_by_class import MIN_CLASSES, split_by_class
from siamese_tf.data.sampling.split_by_image import split_by_image
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import ConfigError, DatasetError

MODES = ("image", "class")
GIVEN = "given"  # the source has folders train, validation and test


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """Images of each split; no image is in two splits.

    Attributes:
        train, validation, test: positions of the images in the source, int64, ascending.
        duplicates: number of omitted images of the source by reason; the keys are those of `distinct_images`.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    duplicates: dict[str, int]


def split_images(source: Source, mode: str = "image", seed: int | np.random.SeedSequence = 0) -> ImageSplit:
    """Splits the distinct images of a source into training, validation and test.

    - `"image"`: `split_by_image` divides every class, small classes in groups. If the source has an official test
      split, that is the test split and a sixth of the other images are for validation; otherwise a quarter of the
      images is for test and a fifth of the rest for validation (60 / 15 / 25 %).
    - `"class"`: about 60 / 20 / 20 % of the classes go to training, validation and test. Classes with one image, which
      form only dissimilar pairs, are divided in the same proportions. If class sizes vary widely, `deal_classes` gives
      each split its share of the images. Test images come only from the official test split if there is one.
    - `"given"`: the splits of the source. A missing validation split is a sixth, and a missing test split a quarter, of
      the training images: by class if training and the other split share no class, otherwise by image.

    Args:
        source: labeled images.
        mode: `"image"` or `"class"`; must be `"given"` for a source with its own split (`Source.has_split`).
        seed: seed of the generator.

    Raises:
        ConfigError: if `mode` is unknown or does not fit the source.
        DatasetError: if a split by class has fewer than six classes with two images, or a split by image has too few
            images for two of one class and one of another in each split.
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
    """Checks that a mode of `split_images` is known and fits the source.

    Raises:
        ConfigError: if it does not.
    """
    if mode not in MODES and not (mode == GIVEN and source.has_split):
        raise ConfigError(f"split must be 'image' or 'class'; got {mode!r}.")
    if source.has_split and mode != GIVEN:
        raise ConfigError(
            f"split must be omitted for {source.origin}, whose folders define the split (train, and validation, test or"
            f" both); got {mode!r}. Omit it, or put all classes into one folder"
        )


def default_mode(source: Source) -> str:
    """Returns the default mode of `split_images`.

    It is `"given"` for a source with its own split, `"class"` for image files with at least six classes of two images,
    and `"image"` otherwise. Image files often show people, and a model is used on people it was not trained on; the
    classes of digits are always the same.
    """
    if source.has_split:
        return GIVEN
    if source.paths is None:
        return "image"
    keep, _ = distinct_images(source)
    return "class" if (np.bincount(source.labels[keep]) >= 2).sum() >= 3 * MIN_CLASSES else "image"


def distinct_images(source: Source) -> tuple[np.ndarray, dict[str, int]]:
    """Finds the images to use, so that byte-identical images are used once.

    An image in two splits is removed from test or validation, never from training. Of copies within a split, the first
    is used; none is used if their labels differ.

    Returns:
        Mask of the images to use, (n,) bool; and the number of omitted images by reason: `"test_twins"` (test images
        that also occur outside of test), `"validation_copies"` (validation images that also occur in training; only for
        a source with its own split), `"copies"` (later copies within a split) and `"contradicting"` (all copies of an
        image with different labels).
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
        is_ambiguous = np.zeros(len(first), bool)
        is_ambiguous[group[labels != labels[first[group]]]] = True
        keep[rows[first[~is_ambiguous]]] = True
        contradicting += int(is_ambiguous[group].sum())
    copies = len(ids) - int(keep.sum()) - sum(earlier_counts) - contradicting
    counts = {"test_twins": earlier_counts[2]}
    if source.has_split:
        counts["validation_copies"] = earlier_counts[1]
    return keep, {**counts, "copies": copies, "contradicting": contradicting}


def sides_of(source: Source) -> list[np.ndarray]:
    """Returns the masks, (n,) bool, of the source's own training, validation and test images; each image is in one."""
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
    """Returns the splits of the source; takes a missing validation or test split from training.

    Takes classes if training and the other split share no class, otherwise images.
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
