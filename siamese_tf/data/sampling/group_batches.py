"""Batches of E groups, P classes of each, K images of each class: classes of one group are hard to tell apart."""

from collections.abc import Iterator

import numpy as np

from siamese_tf.data.sampling.class_batches import check_batch, cycle
from siamese_tf.errors import ConfigError


def group_batches(
    labels: np.ndarray,
    groups: np.ndarray,
    authors: np.ndarray | None,
    groups_per_batch: int,
    classes_per_batch: int,
    images_per_class: int,
    seed: int,
) -> Iterator[np.ndarray]:
    """Draws batches endlessly; equal arguments give equal batches.

    Every group is drawn once before any group is drawn again. The P classes of a part are different; where a group has
    fewer, classes of the next group follow. The K images of a class are different if it has as many. With authors, the
    images of a part are by the same K authors where these made images of all its classes.

    Args:
        labels: class of each image, (n,) integers.
        groups: group of each image, (n,) integers; equal for all images of a class.
        authors: who made each image, (n,) integers, or None.
        groups_per_batch: E, from 1 to the number of groups.
        classes_per_batch: P, from 2 to the number of classes.
        images_per_class: K, 2 or more.
        seed: seed of the generator.

    Returns:
        Endless iterator of positions in `labels`, (E * P * K,) int64: the parts one after another, the K images of a
        class consecutive.

    Raises:
        ConfigError: if E, P or K is out of range.
    """
    classes, first = np.unique(labels, return_index=True)
    check_batch(classes_per_batch, images_per_class, len(classes))
    members = dict(zip(classes.tolist(), _members(labels), strict=True))
    names = np.unique(groups)
    if groups_per_batch > len(names):
        raise ConfigError(
            f"groups_per_batch must be at most {len(names)}, the number of groups; got {groups_per_batch}. Lower it"
        )
    classes_of = {name: classes[groups[first] == name] for name in names.tolist()}
    return _batches(classes_of, members, authors, (groups_per_batch, classes_per_batch, images_per_class), seed)


def _members(labels: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.unique(labels[order], return_index=True)[1][1:])


def _batches(
    classes_of: dict[int, np.ndarray],
    members: dict[int, np.ndarray],
    authors: np.ndarray | None,
    shape: tuple[int, int, int],
    seed: int,
) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    parts, count, images = shape
    order = cycle(np.array(sorted(classes_of)), 1, rng)
    while True:
        batch = []
        for _ in range(parts):
            chosen = np.empty(0, np.int64)
            while missing := count - len(chosen):
                others = np.setdiff1d(classes_of[int(next(order)[0])], chosen)
                chosen = np.append(chosen, rng.permutation(others)[:missing])
            batch.append(_images(chosen, members, authors, images, rng))
        yield np.concatenate(batch)


def _images(
    chosen: np.ndarray, members: dict[int, np.ndarray], authors: np.ndarray | None, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns `count` images of each chosen class: those of the authors drawn first, if there are authors."""
    if authors is None:
        return np.concatenate([_first(rng.permutation(members[label]), count) for label in chosen.tolist()])
    present = np.unique(np.concatenate([authors[members[label]] for label in chosen.tolist()]))
    rank = np.empty(present[-1] + 1, np.int64)
    rank[present] = rng.permutation(len(present))
    drawn = []
    for label in chosen.tolist():
        images = rng.permutation(members[label])
        drawn.append(_first(images[np.argsort(rank[authors[images]], kind="stable")], count))
    return np.concatenate(drawn)


def _first(images: np.ndarray, count: int) -> np.ndarray:
    """Returns the first `count` images, repeated from the start if there are fewer."""
    return np.resize(images, count)
