"""Ways to split images: by image, by class, or by group of classes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from siamese_tf.data.sampling.split_by_class import split_by_class
from siamese_tf.data.sampling.split_by_group import split_by_group
from siamese_tf.data.sampling.split_by_image import split_by_image
from siamese_tf.data.sampling.train_share import Steps, scale_steps
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import DatasetError


class SplitMode(NamedTuple):
    """A way to split images; the images of a unit are in the same split.

    Attributes:
        units: function of a source that returns the unit of each image, (n,) integers; None if the source has no such
            units.
        steps: default steps of test and validation.
        split: function like `by_image`.
    """

    units: Callable[[Source], np.ndarray | None]
    steps: tuple[int, ...]
    split: Callable[[Source, np.ndarray, np.ndarray, Steps, np.random.Generator, float | None], list[np.ndarray]]


def by_image(
    source: Source,
    pool: np.ndarray,
    test_pool: np.ndarray,
    steps: Steps,
    rng: np.random.Generator,
    train_share: float | None = None,
) -> list[np.ndarray]:
    """Splits the pool with `split_by_image`.

    Args:
        source: labeled images.
        pool: positions of the images that are available for training and validation, int64.
        test_pool: positions of the images that are available for test.
        steps: one number for each split other than training; if there are two, the first is test.
        rng: generator that shuffles the images.
        train_share: share for training; None for the rest of the steps.

    Returns:
        Positions of the images of training, then of one split per step.

    Raises:
        DatasetError: if there are too few images.
    """
    try:
        parts = split_by_image(source.labels[pool], scale_steps(steps, train_share), rng)
    except DatasetError as error:
        raise DatasetError(f"{source.name}: {error}") from error
    return [pool[part] for part in parts]


def by_class(
    source: Source,
    pool: np.ndarray,
    test_pool: np.ndarray,
    steps: Steps,
    rng: np.random.Generator,
    train_share: float | None = None,
) -> list[np.ndarray]:
    """Splits the classes with `split_by_class`; arguments and result are those of `by_image`."""
    labels = source.labels
    classes = split_by_class(labels[pool], labels[test_pool], steps, rng, source.name, train_share)
    return _images_of(labels, classes, pool, test_pool)


def by_group(
    source: Source,
    pool: np.ndarray,
    test_pool: np.ndarray,
    steps: Steps,
    rng: np.random.Generator,
    train_share: float | None = None,
) -> list[np.ndarray]:
    """Splits the groups with `split_by_group`; arguments and result are those of `by_image`."""
    assert source.groups is not None
    images, test_images = ((source.groups[side], source.labels[side]) for side in (pool, test_pool))
    groups = split_by_group(images, test_images, steps, rng, source.name, train_share)
    return _images_of(source.groups, groups, pool, test_pool)


def _images_of(
    units: np.ndarray, units_of_splits: list[np.ndarray], pool: np.ndarray, test_pool: np.ndarray
) -> list[np.ndarray]:
    """Returns the positions of the images of each split; if training has two other splits, the first is test."""
    pools = [pool, test_pool, pool] if len(units_of_splits) == 3 else [pool] * len(units_of_splits)
    return [side[np.isin(units[side], chosen)] for side, chosen in zip(pools, units_of_splits, strict=True)]


MODES = {
    "image": SplitMode(lambda source: np.arange(len(source.labels)), (4, 5), by_image),
    "class": SplitMode(lambda source: source.labels, (5, 5), by_class),
    "group": SplitMode(lambda source: source.groups, (5, 5), by_group),
}
