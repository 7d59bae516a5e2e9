"""Balanced random pairs: half similar, half dissimilar, classes equally often, no pair twice.

Pairs are drawn as numbers. The pairs of one group (a class for similar pairs, two classes for dissimilar ones) are
numbered without gaps, each group gets its quota of different numbers, and a number is decoded to its two images. So no
image meets itself and no pair occurs twice, by construction.
"""

from collections.abc import Iterator

import numpy as np

from siamese_tf.errors import DatasetError

BLOCK = 1 << 14


def make_pairs(
    labels: np.ndarray, count: int, seed: int | np.random.SeedSequence, rest: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws `count` different pairs, half of them similar; of an odd count, one more is dissimilar.

    All classes have the same number of similar pairs, and all pairs of classes the same number of dissimilar pairs, up
    to one, or up to what exists: what a small class cannot give is shared by the others. The order of the rows, and of
    the two sides, is random.

    Args:
        labels: (n,) integers, the class of each image.
        count: m, how many pairs.
        seed: of the generator; same labels, count and seed give the same pairs.
        rest: the label of images of which nothing is known but that they are of none of the other classes: no two of
            them make a pair, similar or dissimilar. None where every label is a class.

    Returns:
        img1 (m,) int32, img2 (m,) int32, positions in `labels`; similarity (m,) uint8, 1 = same class, 0 = different.

    Raises:
        DatasetError: fewer than two pairs requested, or more than exist; the message names the maximum.
    """
    _check_count(labels, count, rest)
    order = np.argsort(labels, kind="stable")
    classes, start, size = np.unique(labels[order], return_index=True, return_counts=True)
    order = order.astype(np.int32)  # half the bytes to jump about in
    alike = _is_class(classes, rest)
    rng = np.random.Generator(np.random.PCG64(seed))
    pairs = np.empty((count, 2), np.int32)
    _similar(order, start[alike], size[alike], rng, pairs[: count // 2])
    _dissimilar(order, start, size, rng, pairs[count // 2 :])
    numbers = pairs.view(np.int64)[:, 0]  # both sides as one number: several times as fast to move as rows
    _turn_half(numbers, rng)
    rng.shuffle(numbers)
    img1, img2 = np.ascontiguousarray(pairs.T)
    return img1, img2, (labels[img1] == labels[img2]).astype(np.uint8)


def all_pairs(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns every pair of different images once, in the form of `make_pairs`; most pairs are dissimilar."""
    img1, img2 = np.triu_indices(len(labels), 1)
    return img1.astype(np.int32), img2.astype(np.int32), (labels[img1] == labels[img2]).astype(np.uint8)


def existing_pairs(labels: np.ndarray, rest: int | None = None) -> tuple[int, int]:
    """Counts the different pairs that labels (n,) allow: (similar, dissimilar); `rest` as for `make_pairs`."""
    classes, size = np.unique(labels, return_counts=True)
    within = size * (size - 1) // 2
    dissimilar = len(labels) * (len(labels) - 1) // 2 - int(within.sum())
    return int(within[_is_class(classes, rest)].sum()), dissimilar


def _is_class(labels: np.ndarray, rest: int | None) -> np.ndarray:
    return np.ones(len(labels), bool) if rest is None else labels != rest


def _check_count(labels: np.ndarray, count: int, rest: int | None) -> None:
    similar, dissimilar = existing_pairs(labels, rest)
    found = f"{len(labels)} images make {similar} similar and {dissimilar} dissimilar pairs"
    if not (similar and dissimilar):
        raise DatasetError(f"{found}; both kinds are needed. Give at least two classes, one with two images.")
    maximum = min(2 * similar + 1, 2 * dissimilar)
    if not 2 <= count <= maximum:
        raise DatasetError(f"{count} pairs asked, half of them similar; {found}. Ask for 2 to {maximum}.")


def _similar(
    order: np.ndarray, start: np.ndarray, size: np.ndarray, rng: np.random.Generator, pairs: np.ndarray
) -> None:
    """Fills `pairs` (m, 2) from `order`, the images by class: those of class k are the size[k] from start[k] on."""
    group, number = _draw(size * (size - 1) // 2, len(pairs), rng)
    for rows in _blocks(len(pairs)):
        first, second = _decode_triangle(number[rows], size[group[rows]])
        pairs[rows, 0], pairs[rows, 1] = order[start[group[rows]] + first], order[start[group[rows]] + second]


def _dissimilar(
    order: np.ndarray, start: np.ndarray, size: np.ndarray, rng: np.random.Generator, pairs: np.ndarray
) -> None:
    """Fills `pairs` (m, 2) as `_similar` does, with images of two classes."""
    existing, count = len(size) * (len(size) - 1) // 2, len(pairs)
    # With thousands of classes no class pair is needed twice: choose those that are, and never list the others.
    class_pairs = (
        np.arange(existing) if existing <= count else rng.choice(existing, count, replace=False, shuffle=False)
    )
    class1, class2 = _decode_triangle(class_pairs, len(size))
    group, number = _draw(size[class1] * size[class2], count, rng)
    for rows in _blocks(count):
        one, other = class1[group[rows]], class2[group[rows]]
        first, second = np.divmod(number[rows], size[other])
        pairs[rows, 0], pairs[rows, 1] = order[start[one] + first], order[start[other] + second]


def _turn_half(numbers: np.ndarray, rng: np.random.Generator) -> None:
    """Swaps the 32-bit halves of about half of the numbers (int64, not negative) in place."""
    for rows in _blocks(len(numbers)):
        block = numbers[rows]
        np.copyto(block, block << 32 | block >> 32, where=rng.random(len(block)) < 0.5)


def _blocks(count: int) -> Iterator[slice]:
    """Yields slices of `count` rows that are small enough for the processor's cache."""
    return (slice(first, first + BLOCK) for first in range(0, count, BLOCK))


def _draw(capacity: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws `count` different (group, number) with 0 <= number < capacity[group], evenly from all groups."""
    quota = _quotas(capacity, count, rng)
    groups = np.flatnonzero(quota)
    numbers = [rng.choice(capacity[group], quota[group], replace=False, shuffle=False) for group in groups]
    return np.repeat(groups, quota[groups]), np.concatenate(numbers)


def _quotas(capacity: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Distributes `count` evenly over groups with limited capacity; full groups pass their share on."""
    quota = np.zeros_like(capacity)
    while rest := count - int(quota.sum()):
        unfilled = np.flatnonzero(quota < capacity)
        share = rest // len(unfilled)
        if share:
            quota[unfilled] = np.minimum(quota[unfilled] + share, capacity[unfilled])
        else:
            quota[rng.choice(unfilled, rest, replace=False)] += 1
    return quota


def _decode_triangle(number: np.ndarray, size: np.ndarray | int) -> tuple[np.ndarray, np.ndarray]:
    """Decodes 0 <= number < size * (size - 1) / 2 to two different members of `size`, each pair once.

    Members sit in a circle; the pairs one step apart come first, then those two steps apart, and so on half-way around.
    """
    first, step = number % size, number // size + 1
    return first, (first + step) % size
