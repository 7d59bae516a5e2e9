"""Split by group: training and test share no group of classes, such as the alphabet of a character."""

import numpy as np

from siamese_tf.data.sampling.split_by_class import MIN_CLASSES, deal_units, images_of
from siamese_tf.data.sampling.train_share import Steps
from siamese_tf.errors import DatasetError

Images = tuple[np.ndarray, np.ndarray]  # group and label of each image, (n,) integers


def split_by_group(
    images: Images,
    test_images: Images,
    steps: Steps,
    rng: np.random.Generator,
    name: str,
    train_share: float | None = None,
) -> list[np.ndarray]:
    """Assigns whole groups to training and the other splits, each with a group that forms all kinds of pairs.

    Such a group has at least two classes with two images each. The other groups are assigned separately, in the same
    proportions.

    Args:
        images: groups and classes of the images available for training.
        test_images: those available for test; equal to `images` if there is no official test split. Only groups in both
            are used.
        steps: one number for each split other than training: `(5, 5)` gives two splits a fifth of the groups each, at
            least one.
        rng: generator that shuffles the groups.
        name: name of the data set in messages.
        train_share: share of the groups for training; None for the rest of the steps.

    Returns:
        Groups of training, then of one split per step.

    Raises:
        DatasetError: if there are too few groups for one in every split.
    """
    groups = rng.permutation(np.intersect1d(images[0], test_images[0]))
    usable = np.logical_and.reduce([_classes_of(side, groups) >= MIN_CLASSES for side in (images, test_images)])
    if usable.sum() < len(steps) + 1:
        raise DatasetError(
            f"{name} must have at least {len(steps) + 1} groups with {MIN_CLASSES} classes of two images for a split by"
            f" group, one for each split; got {usable.sum()} of {len(groups)} groups. Split by class instead."
        )
    return deal_units(groups, usable, images_of(images[0], groups), steps, 1, train_share)


def _classes_of(images: Images, groups: np.ndarray) -> np.ndarray:
    """Returns the number of classes with at least two images in each group, (k,) integers."""
    _, first, size = np.unique(images[1], return_index=True, return_counts=True)
    return images_of(images[0][first[size >= 2]], groups)
