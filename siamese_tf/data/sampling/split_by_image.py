"""Split by image: every class with enough images appears in all splits.

Large classes are divided image by image. Small classes would leave single images, which form no similar pair, in some
splits, so they are divided in groups: a class of 4 to about 20 images puts the majority into training and the rest into
one other split, and a class of 2 or 3 images goes to one split.
"""

import math
from collections.abc import Mapping
from itertools import product

import numpy as np

from siamese_tf.data.sampling.train_share import Steps
from siamese_tf.errors import DatasetError

MIN_IMAGES = 3  # per class and split, to divide image by image; three images form three similar pairs
MIN_GROUP = 2
GROUP_SHARE = 0.4  # share of a smaller class that goes to a split other than training; more if training gets less
# Numbers of images of two classes that every split must have, in order of preference; the last is the minimum.
CORES = ((3, 3), (2, 2), (3, 1), (2, 1))

Row = tuple[int, ...]  # number of images of a class in each split


def split_by_image(labels: np.ndarray, steps: Steps, rng: np.random.Generator) -> list[np.ndarray]:
    """Splits labeled images into training and other splits, each with similar and dissimilar pairs.

    Args:
        labels: class of each image, (n,) integers.
        steps: one number of at least 1 for each split other than training: `(4, 5)` gives the first a quarter of the
            images and the second a fifth of the rest.
        rng: generator that shuffles the images and the classes.

    Returns:
        Positions of the images, int64: training, then one split per step. Every position is in one split.

    Raises:
        DatasetError: if there are too few images for two of one class and one of another in every split.
    """
    shuffled = rng.permutation(len(labels))
    ordered = shuffled[np.argsort(labels[shuffled], kind="stable")]
    parts = _image_by_image(ordered, steps)
    sizes = np.unique(labels, return_counts=True)[1]
    if all(_images_of_each(labels, part, len(sizes)).min() >= MIN_IMAGES for part in parts):
        return parts
    classes = rng.permutation(len(sizes))
    classes = classes[np.argsort(-sizes[classes], kind="stable")]
    rows = np.empty((len(sizes), len(parts)), np.int64)
    rows[classes] = _deal(sizes[classes].tolist(), np.array(_shares(steps)))
    part_of = np.repeat(np.tile(np.arange(len(parts)), len(sizes)), rows.ravel())
    return [ordered[part_of == part] for part in range(len(parts))]


def _image_by_image(ordered: np.ndarray, steps: Steps) -> list[np.ndarray]:
    """Takes every n-th image; since the images are ordered by class, this takes the same share of every class."""
    rest, taken = ordered, []
    for step in steps:
        chosen = np.diff(np.arange(len(rest) + 1) * step.denominator // step.numerator) > 0
        taken.append(rest[chosen])
        rest = rest[~chosen]
    return [rest, *taken]


def _images_of_each(labels: np.ndarray, part: np.ndarray, classes: int) -> np.ndarray:
    counts = np.unique(labels[part], return_counts=True)[1]
    return counts if len(counts) == classes > 0 else np.zeros(1, np.int64)


def _shares(steps: Steps) -> list[float]:
    """Returns the share of the images in each split: `(4, 5)` gives 60, 25 and 15 %."""
    rest, shares = 1.0, []
    for step in steps:
        shares.append(rest / float(step))
        rest -= rest / float(step)
    return [rest, *shares]


def _deal(sizes: list[int], shares: np.ndarray) -> np.ndarray:
    """Returns the number of images of each class, largest first, in each split, (classes, splits)."""
    rows = _deal_rows(sizes, shares, {})
    if np.all((rows >= MIN_GROUP).sum(axis=0) >= 2):
        return rows
    for groups in CORES:
        core = _core(sizes, len(shares), groups)
        if core is None:
            continue
        rows = _deal_rows(sizes, shares, core)
        if groups[-1] < MIN_IMAGES or 2 * rows[:, 0].sum() >= rows.sum():
            return rows
    parts, several = len(shares), sum(size > 1 for size in sizes)
    raise DatasetError(
        f"the images for {parts} splits must be at least {3 * parts}, {parts} of them outside of the largest class, and"
        f" form {parts} similar pairs without a common image, since each split needs a similar pair and an image of"
        f" another class; got {sum(sizes):,} distinct images in {len(sizes):,} classes, {several:,} of them with two"
        " or more images. Add images"
    )


def _deal_rows(sizes: list[int], shares: np.ndarray, core: Mapping[int, Row]) -> np.ndarray:
    """Chooses for each class the row that brings the splits closest to their shares of the images assigned so far."""
    rows = np.zeros((len(sizes), len(shares)), np.int64)
    dealt = np.zeros(len(shares))
    for number, size in enumerate(sizes):
        options = np.array(_options(size, shares.tolist(), core.get(number)))
        miss = dealt + options - shares * (dealt.sum() + size)
        rows[number] = options[np.argmin((miss**2 / shares).sum(axis=1))]
        dealt += rows[number]
    return rows


def _options(size: int, shares: list[float], core: Row | None) -> list[Row]:
    """Returns the possible rows of a class with `size` images."""
    if min(shares) * size >= MIN_IMAGES:
        near = [(math.floor(share * size), math.ceil(share * size)) for share in shares[1:]]
        return [(size - sum(others), *others) for others in product(*near)]
    if core is not None:
        return _options_with(core, size)
    group = math.ceil(max(GROUP_SHARE, 1 - shares[0]) * size)
    if size - group < MIN_GROUP:
        group = size
    parts = range(len(shares))
    return [tuple((size - group) * (part == 0) + group * (part == chosen) for part in parts) for chosen in parts]


def _options_with(core: Row, size: int) -> list[Row]:
    """Returns the possible rows of a class that give every split at least the images of the core."""
    rest = size - sum(core)
    added = product(range(rest + 1), repeat=len(core) - 1)
    rows = [
        tuple(have + more for have, more in zip(core, (rest - sum(others), *others), strict=True))
        for others in added
        if sum(others) <= rest
    ]
    rows = [row for row in rows if all(have == need or have >= MIN_GROUP for have, need in zip(row, core, strict=True))]
    parts = max(1, sum(have > 0 for have in core[1:]))
    few = [row for row in rows if row[0] >= MIN_GROUP and sum(have > 0 for have in row[1:]) <= parts]
    return few or rows


def _core(sizes: list[int], parts: int, groups: Row) -> dict[int, Row] | None:
    """Returns rows that give each split `groups[0]` images of one class, `groups[1]` of another; None if impossible.

    Considers only the largest classes, two per split, which is enough.
    """
    left = sizes[: 2 * parts]
    rows = [[0] * parts for _ in left]
    places = [(part, group) for part in range(parts) for group in groups]

    def place(number: int) -> bool:
        if number == len(places):
            return True
        part, group = places[number]
        for at in sorted(range(len(left)), key=lambda at: -left[at]):
            if left[at] < group or rows[at][part]:
                continue
            left[at] -= group
            rows[at][part] = group
            if place(number + 1):
                return True
            left[at] += group
            rows[at][part] = 0
        return False

    return {at: tuple(row) for at, row in enumerate(rows) if any(row)} if place(0) else None
