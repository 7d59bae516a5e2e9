"""Episodes of n-way k-shot tests: a query, and a few support images of each of n classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.config.checks import check_whole
from siamese_tf.errors import ConfigError, DatasetError

WITHIN = ("group",)  # what the classes of an episode can have in common
MAX_WAYS, MAX_SHOTS, MAX_EPISODES = 1_000, 1_000, 1_000_000


@dataclass(frozen=True, eq=False)
class Episodes:
    """Episodes of the same number of classes (ways) and of support images per class (shots).

    Attributes:
        support: (episodes, ways, shots) int64 positions of images; no image is twice in an episode.
        query: (episodes,) int64 positions of images, none of them in the support of its episode.
        target: (episodes,) int64, from 0 to ways - 1: the way whose class is that of the query.
    """

    support: np.ndarray
    query: np.ndarray
    target: np.ndarray


def draw_episodes(
    labels: ArrayLike, ways: int, shots: int, count: int, seed: int = 0, groups: ArrayLike | None = None
) -> Episodes:
    """Draws episodes: classes, the images of each, and one query of one of the classes, all uniformly.

    With groups, all classes of an episode are of one group, drawn uniformly among those with enough classes.

    Args:
        labels: (n,) integers, the class of each image.
        ways: number of classes per episode, 2 to MAX_WAYS.
        shots: number of support images per class, 1 to MAX_SHOTS.
        count: number of episodes, 1 to MAX_EPISODES.
        seed: seed of the draw; the same seed gives the same episodes.
        groups: (n,) integers, the group of each image's class; None draws the classes from all.

    Raises:
        ConfigError: if a number is out of range.
        DatasetError: if fewer than `ways` classes (of every group) have `shots` + 1 images; a class is in two groups.
    """
    check_draw(ways, shots, count, seed)
    classes, numbered, sizes = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    group_of = np.zeros(len(classes), np.int64) if groups is None else group_of_classes(labels, groups)
    large = sizes > shots
    pools = [np.flatnonzero(large & (group_of == one)) for one in np.unique(group_of)]
    pools, largest = [pool for pool in pools if len(pool) >= ways], max(map(len, pools), default=0)
    if not pools:
        raise DatasetError(
            f"{ways}-way {shots}-shot episodes must have {ways} classes of at least {shots + 1} images; got {largest}"
            f" of {len(classes)} classes{'' if groups is None else ' in the largest group'}. Lower ways or shots"
        )
    order = np.argsort(numbered.ravel(), kind="stable")
    images_of = np.split(order, np.cumsum(sizes)[:-1])
    rng = np.random.default_rng(seed)
    support, query = np.empty((count, ways, shots), np.int64), np.empty(count, np.int64)
    target = rng.integers(ways, size=count)
    for episode, drawn_pool in enumerate(rng.integers(len(pools), size=count)):
        for way, one in enumerate(rng.choice(pools[drawn_pool], ways, replace=False)):
            is_target = way == target[episode]
            drawn = rng.choice(images_of[one], shots + is_target, replace=False)
            support[episode, way] = drawn[:shots]
            if is_target:
                query[episode] = drawn[-1]
    return Episodes(support, query, target)


def group_of_classes(labels: ArrayLike, groups: ArrayLike) -> np.ndarray:
    """Returns the group of each class, in ascending order of the labels that occur, (classes,).

    Args:
        labels, groups: (n,) integers, the class and the group of each image.

    Raises:
        DatasetError: if a class is in two groups.
    """
    classes, first, numbered = np.unique(np.asarray(labels), return_index=True, return_inverse=True)
    group_of = np.asarray(groups)[first]
    wrong = np.flatnonzero(group_of[numbered.ravel()] != groups)
    if len(wrong):
        label = np.asarray(labels)[wrong[0]]
        got = f"{group_of[numbered.ravel()[wrong[0]]]} and {np.asarray(groups)[wrong[0]]}"
        raise DatasetError(f"every class must be in one group; got class {label} in groups {got}")
    return group_of


def check_draw(ways: int, shots: int, count: int, seed: int) -> None:
    """Raises a ConfigError if an argument of `draw_episodes` is out of range."""
    check_whole("ways", ways, 2, MAX_WAYS)
    check_whole("shots", shots, 1, MAX_SHOTS)
    check_whole("episodes", count, 1, MAX_EPISODES)
    check_whole("seed", seed, 0, 2**32 - 1)


def check_episodes(episodes: Episodes, images: int) -> None:
    """Raises a ConfigError unless shapes agree and all positions are from 0 to `images` - 1."""
    count, ways, _ = episodes.support.shape if episodes.support.ndim == 3 else (0, 0, 0)
    if not count or episodes.query.shape != (count,) or episodes.target.shape != (count,):
        raise ConfigError(
            "episodes must have support (e, ways, shots), query (e,) and target (e,); got"
            f" {episodes.support.shape}, {episodes.query.shape} and {episodes.target.shape}"
        )
    for name, values, limit in (
        ("support", episodes.support, images),
        ("query", episodes.query, images),
        ("target", episodes.target, ways),
    ):
        if values.min() < 0 or values.max() >= limit:
            raise ConfigError(f"{name} must be from 0 to {limit - 1}; got {values.min()} to {values.max()}")


def check_classes(episodes: Episodes, labels: ArrayLike, groups: ArrayLike | None = None) -> None:
    """Checks episodes from a file against the classes of the images.

    Args:
        episodes: episodes that `check_episodes` accepts.
        labels: (n,) integers, the class of each image.
        groups: (n,) integers, the group of each image's class, for episodes within groups; else None.

    Raises:
        DatasetError: if the support images of a way are of several classes, two ways are of the same class, an image is
            twice in an episode, the query is not of its target's class, or an episode is not within one group.
    """
    classes = np.asarray(labels)[episodes.support]
    of_way, rows = np.sort(classes[..., 0]), np.arange(len(episodes.query))
    used = np.sort(np.column_stack([episodes.support.reshape(len(rows), -1), episodes.query]))
    of_group = np.zeros(classes.shape) if groups is None else np.asarray(groups)[episodes.support]
    for must, wrong in (
        ("support images of one class per way", (classes != classes[..., :1]).any(axis=(1, 2))),
        ("ways of different classes", (of_way[:, 1:] == of_way[:, :-1]).any(axis=1)),
        ("each image at most once", (used[:, 1:] == used[:, :-1]).any(axis=1)),
        ("a query of the class of its target", np.asarray(labels)[episodes.query] != classes[rows, episodes.target, 0]),
        ("classes of one group", (of_group != of_group[:, :1, :1]).any(axis=(1, 2))),
    ):
        if wrong.any():
            raise DatasetError(f"an episode must have {must}; got another in episode {int(wrong.argmax())}")
