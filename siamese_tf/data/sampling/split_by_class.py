"""Split by class: training and test share no class, as in face verification."""

from collections.abc import Sequence

import numpy as np

from siamese_tf.data.sampling.balance import deal_classes
from siamese_tf.errors import DatasetError

MIN_CLASSES = 2  # per split, with two images each: one class forms no dissimilar pair, one image no similar pair


def split_by_class(
    labels: np.ndarray, test_labels: np.ndarray, steps: Sequence[int], rng: np.random.Generator, name: str
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
    counts = [max(MIN_CLASSES, round(several.sum() / step)) for step in steps]
    group = deal_classes(images_of(labels, classes[several]), [*counts, int(several.sum()) - sum(counts)])
    singles = np.split(classes[~several], np.cumsum([round((~several).sum() / step) for step in steps]))
    *others, train = (
        np.concatenate([classes[several][group == number], single]) for number, single in enumerate(singles)
    )
    return [train, *others]


def images_of(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Returns the number of images of each class, (k,) integers."""
    return np.bincount(labels, minlength=int(classes.max(initial=0)) + 1)[classes]
