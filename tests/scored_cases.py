"""Scored pairs that several tests of metrics, reports and plots draw."""

import numpy as np


def random_case(seed):
    """Returns between 2 and 300 pairs of both classes whose scores take few different values: similarity, scores."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 300))
    similarity = rng.integers(0, 2, count).astype(np.uint8)
    similarity[:2] = [0, 1]
    levels = int(rng.integers(1, 12))
    scores = np.clip(rng.integers(0, levels + 1, count) + rng.integers(0, 2) * similarity, 0, levels) / levels
    return similarity, scores


def scored_pairs(count=600, seed=0):
    """Returns as many same as different pairs whose scores overlap: similarity, scores."""
    rng = np.random.default_rng(seed)
    similarity = (np.arange(count) % 2).astype(np.uint8)
    return similarity, np.clip(0.2 + 0.6 * similarity + rng.normal(0, 0.2, count), 0, 1)


def all_pairs(seed=0, people=12, each=4, levels=100):
    """Returns all pairs of the images of some people, with scores: similarity, person1, person2, scores."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), each)
    img1, img2 = np.triu_indices(labels.size, 1)
    same = labels[img1] == labels[img2]
    scores = np.clip(0.3 + 0.4 * same + rng.normal(0, 0.2, same.size), 0, 1)
    return same.astype(np.uint8), labels[img1], labels[img2], np.round(levels * scores) / levels
