"""Balanced assignment of classes to groups, so that no group ends up with few images."""

from collections.abc import Sequence

import numpy as np


def deal_classes(sizes: Sequence[int] | np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Assigns each class to a group; group g gets `counts[g]` classes.

    Keeps the order of the classes (the first `counts[0]` in group 0, and so on) if that is balanced: each group gets a
    class with two or more images, and at least half of the images that its number of classes has on average. Otherwise
    goes from the largest class to the smallest and assigns each to the group that lacks the largest share of its images
    (the longest-processing-time rule of multiway number partitioning).

    Args:
        sizes: number of images of each class, (k,).
        counts: number of classes of each group; the sum is k. The last group wins ties, so it gets the largest class.

    Returns:
        Group of each class, (k,) int64.
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
