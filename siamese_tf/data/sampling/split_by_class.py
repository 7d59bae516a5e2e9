"""Split by class: the test classes are never seen in training, as in face verification."""

from collections.abc import Sequence

import numpy as np

from siamese_tf.data.sampling.balance import deal_classes
from siamese_tf.errors import DatasetError

MIN_CLASSES = 2  # with two images each in every part: one class makes no dissimilar pair, one image no similar one


def split_by_class(
    labels: np.ndarray, test_labels: np.ndarray, steps: Sequence[int], rng: np.random.Generator, name: str
) -> list[np.ndarray]:
    """Chooses the classes of training and of other parts, see `deal_classes`; those of one image are dealt alike.

    Args:
        labels: (n,) integers, the class of each image that may be for training.
        test_labels: (t,) integers, the class of each image that may be for the test; the same as `labels` where there
            are no test images apart. Only classes of both are dealt.
        steps: one number for each part other than training: `(5, 5)` asks for two parts with a fifth of the classes
            each; they get two at least.
        rng: generator that shuffles the classes.
        name: of the data set, for the message.

    Returns:
        The classes of training, then of a part for each step.

    Raises:
        DatasetError: there are too few classes with two images for two in every part.
    """
    classes = rng.permutation(np.intersect1d(labels, test_labels))
    several = np.logical_and.reduce([images_of(side, classes) >= 2 for side in (labels, test_labels)])
    min_classes = MIN_CLASSES * (len(steps) + 1)
    if several.sum() < min_classes:
        single = "" if several.all() else f", {(~several).sum()} of them with one image"
        raise DatasetError(
            f"{name} has {len(classes)} classes{single}; a split by class needs at least {min_classes} with two images"
            f" or more, {MIN_CLASSES} for each of its {len(steps) + 1} parts. Split by image instead."
        )
    counts = [max(MIN_CLASSES, round(several.sum() / step)) for step in steps]
    group = deal_classes(images_of(labels, classes[several]), [*counts, int(several.sum()) - sum(counts)])
    singles = np.split(classes[~several], np.cumsum([round((~several).sum() / step) for step in steps]))
    *others, train = (
        np.concatenate([classes[several][group == number], single]) for number, single in enumerate(singles)
    )
    return [train, *others]


def images_of(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Returns the number of images (k,) of each of k classes."""
    return np.bincount(labels, minlength=int(classes.max(initial=0)) + 1)[classes]
