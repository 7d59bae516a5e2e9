"""Balanced assignment of whole classes to groups, so that no group is left with few images."""

from collections.abc import Sequence

import numpy as np


def deal_classes(sizes: Sequence[int] | np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Chooses the group that each class goes to: `counts[g]` classes go to group g.

    The classes go in their order, the first `counts[0]` to group 0 and so on, where that is balanced: each group gets
    at least half of the images that as many classes of average size have, and a class with two images or more. If not,
    the largest class comes first, and each class goes to the group that lacks the largest part of its images (the
    longest-processing-time rule of multiway number partitioning).

    Args:
        sizes: (k,), the number of images of each class.
        counts: the number of classes of each group; their sum is k. The last group goes before the others in a tie, so
            that is where the largest class goes.

    Returns:
        group (k,) int64.
    """
    images = np.asarray(sizes, np.int64)
    in_order = np.repeat(np.arange(len(counts)), counts)
    target = np.asarray(counts) * images.mean()
    enough = np.bincount(in_order, images, len(counts)) >= target / 2
    if np.all(enough & (np.bincount(in_order, images >= 2, len(counts)) > 0)):
        return in_order
    group = np.empty(len(images), np.int64)
    dealt, places = np.zeros(len(counts)), np.array(counts)
    for position in np.argsort(-images, kind="stable"):
        lack = np.where(places > 0, 1 - dealt / target, -np.inf)
        chosen = len(counts) - 1 - int(np.argmax(lack[::-1]))
        group[position] = chosen
        dealt[chosen] += images[position]
        places[chosen] -= 1
    return group
