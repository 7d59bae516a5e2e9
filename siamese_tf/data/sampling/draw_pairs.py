"""Random pairs without duplicates: half similar and half dissimilar, balanced over the classes.

Pairs are drawn as numbers. The pairs of a group (a class for similar pairs, two classes for dissimilar pairs) are
numbered without gaps, each group gets a quota of distinct numbers, and each number is decoded to two images. By
construction, no image is paired with itself and no pair occurs twice.
"""

from collections.abc import Iterator

import numpy as np

from siamese_tf.errors import DatasetError

BLOCK = 1 << 14


def make_pairs(
    labels: np.ndarray,
    count: int,
    seed: int | np.random.SeedSequence,
    rest: int | None = None,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws `count` distinct pairs, half of them similar; an odd count gives one more dissimilar pair.

    The numbers of similar pairs per class differ by at most one, and so do the numbers of dissimilar pairs per pair of
    classes. If a small class has fewer pairs than its share, the others share the remainder. The order of the rows and
    the order of the two images in a pair are random.

    Args:
        labels: class of each image, (n,) integers.
        count: m, the number of pairs.
        seed: seed of the generator; equal labels, count and seed give equal pairs.
        rest: label of the images that are in none of the other classes and whose classes are unknown. No two of them
            form a pair, similar or dissimilar. None if every label is a class.
        groups: group of each image, (n,) integers; every class is in one group. Dissimilar pairs are then within groups
            only, balanced over the groups, then over the pairs of classes of each. None draws them from all classes.

    Returns:
        img1 and img2, positions in `labels`, (m,) int32; similarity, (m,) uint8, 1 = same class, 0 = different.

    Raises:
        DatasetError: if `count` is less than 2 or more than the number of pairs that exist, or `groups` is invalid.
    """
    _check_count(labels, count, rest, groups)
    order = np.argsort(labels, kind="stable")
    classes, start, size = np.unique(labels[order], return_index=True, return_counts=True)
    order = order.astype(np.int32)  # halves the memory that is accessed at random
    is_class = _is_class(classes, rest)
    rng = np.random.Generator(np.random.PCG64(seed))
    pairs = np.empty((count, 2), np.int32)
    _similar(order, start[is_class], size[is_class], rng, pairs[: count // 2])
    if groups is None:
        _dissimilar(order, start, size, rng, pairs[count // 2 :])
    else:
        _dissimilar_within(groups[order[start]], order, start, size, rng, pairs[count // 2 :])
    numbers = pairs.view(np.int64)[:, 0]  # one number per pair moves several times as fast as a row
    _swap_half(numbers, rng)
    rng.shuffle(numbers)
    img1, img2 = np.ascontiguousarray(pairs.T)
    return img1, img2, (labels[img1] == labels[img2]).astype(np.uint8)


def all_pairs(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns every pair of different images once, as `make_pairs` does; usually, the majority is dissimilar."""
    img1, img2 = np.triu_indices(len(labels), 1)
    return img1.astype(np.int32), img2.astype(np.int32), (labels[img1] == labels[img2]).astype(np.uint8)


def existing_pairs(labels: np.ndarray, rest: int | None = None, groups: np.ndarray | None = None) -> tuple[int, int]:
    """Returns the numbers of distinct (similar, dissimilar) pairs of labels (n,).

    `rest` and `groups` are those of `make_pairs`.
    """
    classes, size = np.unique(labels, return_counts=True)
    within = size * (size - 1) // 2
    group_size = np.array([len(labels)]) if groups is None else np.unique(groups, return_counts=True)[1]
    dissimilar = int((group_size * (group_size - 1) // 2).sum()) - int(within.sum())
    return int(within[_is_class(classes, rest)].sum()), dissimilar


def _is_class(labels: np.ndarray, rest: int | None) -> np.ndarray:
    return np.ones(len(labels), bool) if rest is None else labels != rest


def _check_count(labels: np.ndarray, count: int, rest: int | None, groups: np.ndarray | None) -> None:
    if groups is not None:
        _check_groups(labels, groups)
    similar, dissimilar = existing_pairs(labels, rest, groups)
    found = f"{len(labels)} images with {similar} similar and {dissimilar} dissimilar pairs"
    found += "" if groups is None else " within groups"
    if not (similar and dissimilar):
        where = "" if groups is None else " of a group"
        raise DatasetError(
            f"the images must form similar and dissimilar pairs; got {found}."
            f" Use at least two classes{where}, one of them with two images."
        )
    maximum = min(2 * similar + 1, 2 * dissimilar)
    if not 2 <= count <= maximum:
        raise DatasetError(
            f"the number of pairs, half of them similar, must be from 2 to {maximum}; got {count} for {found}."
        )


def _check_groups(labels: np.ndarray, groups: np.ndarray) -> None:
    classes, first, index = np.unique(labels, return_index=True, return_inverse=True)
    wrong = np.flatnonzero(groups != groups[first][index.ravel()])
    if wrong.size:
        raise DatasetError(f"every class must be in one group; got the class {labels[wrong[0]]} in two groups.")


def _similar(
    order: np.ndarray, start: np.ndarray, size: np.ndarray, rng: np.random.Generator, pairs: np.ndarray
) -> None:
    """Fills `pairs` (m, 2) with images of one class; class k is `order[start[k] : start[k] + size[k]]`."""
    group, number = _draw(size * (size - 1) // 2, len(pairs), rng)
    for rows in _blocks(len(pairs)):
        first, second = _decode_triangle(number[rows], size[group[rows]])
        pairs[rows, 0], pairs[rows, 1] = order[start[group[rows]] + first], order[start[group[rows]] + second]


def _dissimilar(
    order: np.ndarray, start: np.ndarray, size: np.ndarray, rng: np.random.Generator, pairs: np.ndarray
) -> None:
    """Fills `pairs` (m, 2) with images of two classes; the arguments are those of `_similar`."""
    existing, count = len(size) * (len(size) - 1) // 2, len(pairs)
    # With thousands of classes, each pair of classes is used at most once; the unused ones are never listed.
    class_pairs = (
        np.arange(existing) if existing <= count else rng.choice(existing, count, replace=False, shuffle=False)
    )
    class1, class2 = _decode_triangle(class_pairs, len(size))
    group, number = _draw(size[class1] * size[class2], count, rng)
    for rows in _blocks(count):
        row_class1, row_class2 = class1[group[rows]], class2[group[rows]]
        first, second = np.divmod(number[rows], size[row_class2])
        pairs[rows, 0], pairs[rows, 1] = order[start[row_class1] + first], order[start[row_class2] + second]


def _dissimilar_within(
    group_of_class: np.ndarray,
    order: np.ndarray,
    start: np.ndarray,
    size: np.ndarray,
    rng: np.random.Generator,
    pairs: np.ndarray,
) -> None:
    """Fills `pairs` (m, 2) with images of two classes of one group; the other arguments are those of `_similar`."""
    groups, of_group = np.unique(group_of_class, return_inverse=True)
    images, alike = np.zeros(len(groups), np.int64), np.zeros(len(groups), np.int64)
    np.add.at(images, of_group, size)
    np.add.at(alike, of_group, size * (size - 1) // 2)
    quota = _quotas(images * (images - 1) // 2 - alike, len(pairs), rng)
    ends = np.cumsum(quota)
    for group in np.flatnonzero(quota):
        classes = of_group == group
        rows = slice(ends[group] - quota[group], ends[group])
        _dissimilar(order, start[classes], size[classes], rng, pairs[rows])


def _swap_half(numbers: np.ndarray, rng: np.random.Generator) -> None:
    """Swaps the 32-bit halves of about half of the non-negative int64 numbers in place."""
    for rows in _blocks(len(numbers)):
        block = numbers[rows]
        np.copyto(block, block << 32 | block >> 32, where=rng.random(len(block)) < 0.5)


def _blocks(count: int) -> Iterator[slice]:
    """Returns consecutive slices of `count` rows, each small enough for the processor cache."""
    return (slice(first, first + BLOCK) for first in range(0, count, BLOCK))


def _draw(capacity: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws `count` distinct (group, number) with 0 <= number < capacity[group], evenly from all groups."""
    quota = _quotas(capacity, count, rng)
    groups = np.flatnonzero(quota)
    numbers = [rng.choice(capacity[group], quota[group], replace=False, shuffle=False) for group in groups]
    return np.repeat(groups, quota[groups]), np.concatenate(numbers)


def _quotas(capacity: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Distributes `count` evenly over groups of limited capacity; the other groups share the excess of full ones."""
    quota = np.zeros_like(capacity)
    while remaining := count - int(quota.sum()):
        unfilled = np.flatnonzero(quota < capacity)
        share = remaining // len(unfilled)
        if share:
            quota[unfilled] = np.minimum(quota[unfilled] + share, capacity[unfilled])
        else:
            quota[rng.choice(unfilled, remaining, replace=False)] += 1
    return quota


def _decode_triangle(number: np.ndarray, size: np.ndarray | int) -> tuple[np.ndarray, np.ndarray]:
    """Maps each 0 <= number < size * (size - 1) / 2 to a distinct pair of different positions below `size`.

    The positions form a circle: pairs one step apart come first, then pairs two steps apart, and so on half-way around.
    """
    first, step = number % size, number // size + 1
    return first, (first + step) % size
