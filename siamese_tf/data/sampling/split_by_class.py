"""Split by class: training and test share no class, as in face verification."""

import numpy as np

from siamese_tf.data.sampling.balance import deal_classes
from siamese_tf.data.sampling.train_share import Steps, other_counts
from siamese_tf.errors import DatasetError

MIN_CLASSES = 2  # per split, with two images each: one class forms no dissimilar pair, one image no similar pair


def split_by_class(
    labels: np.ndarray,
    test_labels: np.ndarray,
    steps: Steps,
    rng: np.random.Generator,
    name: str,
    train_share: float | None = None,
) -> list[np.ndarray]:
    """Assigns the classes to training and the other splits with `deal_classes`, classes with one image separately.

    Args:
        labels: classes of the images available for training, (n,) integers.
        test_labels: classes of the images available for test, (t,) integers; equal to `labels` if there is no official
            test split. Only classes in both are used.
        steps: one number for each split other than training: `(5, 5)` gives two splits a fifth of the classes each, at
            least two.
        rng: generator that shuffles the classes.
        name: name of the data set in messages.
        train_share: share of the classes for training; None for the rest of the steps.

    Returns:
        Classes of training, then of one split per step.

    Raises:
        DatasetError: if there are too few classes with two images for two in every split.
    """
    classes = rng.permutation(np.intersect1d(labels, test_labels))
    several = np.logical_and.reduce([images_of(side, classes) >= 2 for side in (labels, test_labels)])
    min_classes = MIN_CLASSES * (len(steps) + 1)
    if several.sum() < min_classes:
        single = "" if several.all() else f", {(~several).sum()} of them with one image"
        raise DatasetError(
            f"{name} must have at least {min_classes} classes with two images for a split by class, {MIN_CLASSES} for"
            f" each of {len(steps) + 1} splits; got {len(classes)} classes{single}. Split by image instead."
        )
    return deal_units(classes, several, images_of(labels, classes), steps, MIN_CLASSES, train_share)


def deal_units(
    units: np.ndarray, usable: np.ndarray, sizes: np.ndarray, steps: Steps, minimum: int, train_share: float | None
) -> list[np.ndarray]:
    """Assigns classes (or groups) to training and the other splits, the usable ones apart from the others.

    Args:
        units: classes in random order, (k,) integers.
        usable: mask of the classes that form similar pairs, (k,) bool; `deal_classes` balances their images.
        sizes: number of images of each class, (k,) integers.
        steps, minimum, train_share: arguments of `other_counts`.

    Returns:
        Classes of training, then of one split per step.
    """
    total = int(usable.sum())
    counts = other_counts(total, steps, minimum, train_share)
    split = deal_classes(sizes[usable], [*counts, total - sum(counts)])
    unusable = np.split(units[~usable], np.cumsum(other_counts(len(units) - total, steps, 0, train_share), dtype=int))
    *others, train = (np.concatenate([units[usable][split == number], rest]) for number, rest in enumerate(unusable))
    return [train, *others]


def images_of(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Returns the number of images of each class, (k,) integers."""
    return np.bincount(labels, minlength=int(classes.max(initial=0)) + 1)[classes]
