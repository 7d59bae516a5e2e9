"""Pairs of images that show the same picture in another size, encoding or orientation."""

from collections.abc import Iterator, Sequence

import numpy as np

from siamese_tf.data.images.perceptual import (
    ORIENTATIONS,
    Perceptual,
    correlation,
    orient_descriptors,
    orient_pixels,
)
from siamese_tf.inference.duplicate_pair import DuplicatePair

SAME_PICTURE = "same picture"
MIN_COSINE = 0.93  # of two descriptors, to compare the small copies
MIN_CORRELATION = 0.985  # of two small copies
MAX_DIFFERENCE = 10.0  # mean difference of two small copies, in gray levels
MAX_STRETCH = 1.04  # of the proportions
BLOCK = 1024  # rows compared at once


def same_pictures(images: Sequence[Perceptual]) -> Iterator[DuplicatePair]:
    """Yields the pairs that show the same picture in any of eight orientations.

    Candidates have similar descriptors; each is then decided by its small copies and proportions.
    """
    descriptors = np.stack([image.descriptor for image in images])
    for first, second in _candidates(descriptors):
        pair = _compare(images, first, second)
        if pair is not None:
            yield pair


def _candidates(descriptors: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yields positions i < j of descriptors with a cosine of MIN_COSINE in some orientation."""
    oriented = [orient_descriptors(descriptors, *orientation) for orientation in ORIENTATIONS]
    for start in range(0, len(descriptors), BLOCK):
        block = descriptors[start : start + BLOCK]
        near = np.zeros((len(block), len(descriptors) - start), bool)
        for others in oriented:
            near |= block @ others[start:].T >= MIN_COSINE
        for row, column in zip(*np.nonzero(np.triu(near, 1)), strict=True):
            yield start + int(row), start + int(column)


def _compare(images: Sequence[Perceptual], first: int, second: int) -> DuplicatePair | None:
    one, other = images[first], images[second]
    best = None
    for turns, mirrored in ORIENTATIONS:
        width, height = other.size if turns % 2 == 0 else other.size[::-1]
        stretch = (one.size[0] * height) / (one.size[1] * width)
        if max(stretch, 1 / stretch) > MAX_STRETCH:
            continue
        pixels = orient_pixels(other.pixels, turns, mirrored)
        score = correlation(one.pixels, pixels)
        difference = np.abs(one.pixels.astype(np.float32) - pixels).mean()
        is_better = best is None or score > best.score
        if score >= MIN_CORRELATION and difference <= MAX_DIFFERENCE and is_better:
            best = DuplicatePair(first, second, SAME_PICTURE, score, turns, mirrored)
    return best
