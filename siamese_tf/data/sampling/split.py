"""Split of the images into training, validation and test, made before pairs are drawn."""

from dataclasses import dataclass

import numpy as np

from siamese_tf.data.images.content_ids import content_ids
from siamese_tf.data.sampling.split_by_class import MIN_CLASSES, split_by_class
from siamese_tf.data.sampling.split_modes import MODES, by_image
from siamese_tf.data.sampling.train_share import check_train_share, other_steps
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import ConfigError

MIN_GROUPS = 6  # fewer groups are split by class by default
GIVEN = "given"  # the source has folders train, validation and test


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """Images of each split; no image is in two splits.

    Attributes:
        train, validation, test: positions of the images in the source, int64, ascending.
        duplicates: number of omitted images of the source by reason; the keys are those of `distinct_images`.
        train_share: share that was requested for training; None for the default.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    duplicates: dict[str, int]
    train_share: float | None = None


def split_images(
    source: Source, mode: str = "image", seed: int | np.random.SeedSequence = 0, train_share: float | None = None
) -> ImageSplit:
    """Splits the distinct images of a source into training, validation and test.

    - `"image"`: `split_by_image` divides every class, small classes in groups. If the source has an official test
      split, that is the test split and a sixth of the other images are for validation; otherwise a quarter of the
      images is for test and a fifth of the rest for validation (60 / 15 / 25 %).
    - `"class"`: about 60 / 20 / 20 % of the classes go to training, validation and test. Classes with one image, which
      form only dissimilar pairs, are divided in the same proportions. If class sizes vary widely, `deal_classes` gives
      each split its share of the images. Test images come only from the official test split if there is one; if it
      shares no class with the other images, it is the test split and a sixth of the other classes are for validation.
    - `"group"`: the same with whole groups of classes. Each split has a group with two classes of two images.
    - `"given"`: the splits of the source. A missing validation split is a sixth, and a missing test split a quarter, of
      the training images: by class if training and the other split share no class, otherwise by image.

    Args:
        source: labeled images.
        mode: `"image"`, `"class"` or `"group"`; must be `"given"` for a source with its own split (`Source.has_split`).
        seed: seed of the generator.
        train_share: share of the images, classes or groups for training; the other splits divide the rest in the
            proportions above. 1 leaves no validation images; the test images must then be given. None for the above.

    Raises:
        ConfigError: if `mode` or `train_share` is unknown or does not fit the source.
        DatasetError: if a split by class has fewer than six classes with two images, a split by group has too few
            groups, or a split by image has too few images for two of one class and one of another in each split.
    """
    check_mode(source, mode, train_share)
    rng = np.random.Generator(np.random.PCG64(seed))
    keep, duplicates = distinct_images(source)
    if mode == GIVEN:
        train, validation, test = _as_given(source, keep, rng)
        return ImageSplit(np.sort(train), np.sort(validation), np.sort(test), duplicates)
    pool = np.flatnonzero(keep & ~source.is_test)
    official = np.flatnonzero(keep & source.is_test)
    units = MODES[mode].units(source)
    assert units is not None  # see `check_mode`
    has_test = bool(source.is_test.any()) and not np.isin(units[official], units[pool]).any()
    test_pool = official if source.is_test.any() and not has_test else pool
    steps = other_steps(MODES[mode].steps, has_test, train_share, mode, source.name)
    train, *others = MODES[mode].split(source, pool, test_pool, steps, rng, train_share)
    test = official if has_test else others.pop(0)
    validation = others[0] if others else np.empty(0, np.int64)
    return ImageSplit(np.sort(train), np.sort(validation), np.sort(test), duplicates, train_share)


def check_mode(source: Source, mode: str, train_share: float | None = None) -> None:
    """Checks that a mode of `split_images` is known and fits the source.

    Raises:
        ConfigError: if it does not, or the share is not more than 0 and at most 1.
    """
    check_train_share(train_share)
    if mode == GIVEN and source.has_split:
        if train_share is not None:
            raise ConfigError(
                f"the training share must be omitted for {source.origin}, whose folders define the split; got"
                f" {train_share}. Omit it, or put all classes into one folder"
            )
        return
    modes = [known for known, rule in MODES.items() if rule.units(source) is not None]
    if mode not in modes:
        hint = f" {source.origin} has no groups; its class folders must be in group folders" if mode in MODES else ""
        *first, last = map(repr, modes)
        raise ConfigError(f"split must be {', '.join(first)} or {last}; got {mode!r}.{hint}")
    if source.has_split:
        raise ConfigError(
            f"split must be omitted for {source.origin}, whose folders define the split (train, and validation, test or"
            f" both); got {mode!r}. Omit it, or put all classes into one folder"
        )


def default_mode(source: Source) -> str:
    """Returns the default mode of `split_images`.

    It is `"given"` for a source with its own split; `"group"` for a source with groups, at least six unless the test
    images are given; `"class"` for image files with at least six classes of two images; and `"image"` otherwise. Image
    files often show people, and a model is used on people it was not trained on; the classes of digits are always the
    same.
    """
    if source.has_split:
        return GIVEN
    if source.groups is not None and (source.is_test.any() or len(np.unique(source.groups)) >= MIN_GROUPS):
        return "group"
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
            parts[0], parts[missing] = pool[train], pool[taken]
        else:
            parts[0], parts[missing] = by_image(source, pool, pool, (step,), rng)
    return parts
