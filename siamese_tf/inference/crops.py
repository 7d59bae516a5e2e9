"""Pairs of images of which one is a crop of the other."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from siamese_tf.data.images.perceptual import Perceptual, correlation, descriptor_of, window_pixels
from siamese_tf.inference.duplicate_pair import DuplicatePair
from siamese_tf.inference.same_pictures import BLOCK, MAX_DIFFERENCE

CROPPED = "cropped"
MIN_COSINE = 0.9  # of the descriptors of a window and a crop, to compare their pixels
MIN_START = 0.75  # correlation of a window and a crop, to look for a better window
MIN_CORRELATION = 0.975  # of the crop and the part of the image that it fits best
SIZES = (0.9, 0.8)  # width and height of a crop, to find candidates
STEPS = (0.025, 0.0125)  # by which a window is moved and resized
MIN_SIZE, MAX_SIZE = 0.7, 0.97  # smaller side of the best window; more is the whole image, stretched
EDGES = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (1, 0, 1, 0), (0, 1, 0, 1))  # left, top, right, bottom
Window = tuple[float, float, float, float]  # left, top, width and height, as fractions of the image

WINDOWS: tuple[Window, ...] = tuple(
    (left, top, size, size) for size in SIZES for left, top in product((0.0, (1 - size) / 2, 1 - size), repeat=2)
)


def cropped_pictures(images: Sequence[Perceptual]) -> Iterator[DuplicatePair]:
    """Yields the pairs of an image and a crop of it, of about 0.85 to 0.95 of its width and height.

    Candidates are images whose descriptor is similar to that of a window of another; each is then decided by the
    window that fits it best. Turned and mirrored crops are not found.
    """
    descriptors = np.stack([image.descriptor for image in images])
    found: set[tuple[int, int]] = set()
    for window in WINDOWS:
        parts = np.stack([descriptor_of(window_pixels(image.detail, window)) for image in images])
        for start in range(0, len(images), BLOCK):
            near = parts[start : start + BLOCK] @ descriptors.T >= MIN_COSINE
            for row, crop in zip(*np.nonzero(near), strict=True):
                whole, pair = start + int(row), (min(start + int(row), int(crop)), max(start + int(row), int(crop)))
                if whole == crop or pair in found:
                    continue
                score = fit_window(images[whole].detail, images[crop].pixels, window)
                if score is not None:
                    found.add(pair)
                    yield DuplicatePair(*pair, CROPPED, score)


def fit_window(detail: np.ndarray, crop: np.ndarray, window: Window) -> float | None:
    """Moves and resizes a window until no step improves how well a crop fits.

    Args:
        detail: (64, 64, 3) uint8 copy of the whole image.
        crop: (32, 32, 3) uint8 small copy of the crop.
        window: first window.

    Returns:
        Correlation of the best window and the crop, in [-1, 1]; None if it is below MIN_CORRELATION, or the first
        window hardly resembles the crop, or the colors differ, or the best window is the whole image.
    """
    best = correlation(window_pixels(detail, window), crop)
    if best < MIN_START:
        return None
    for step in STEPS:
        improved = True
        while improved:
            improved = False
            for changed in _neighbors(window, step):
                score = correlation(window_pixels(detail, changed), crop)
                if score > best:
                    best, window, improved = score, changed, True
    difference = np.abs(window_pixels(detail, window).astype(np.float32) - crop).mean()
    is_part = min(window[2:]) <= MAX_SIZE
    return best if best >= MIN_CORRELATION and difference <= MAX_DIFFERENCE and is_part else None


def _neighbors(window: Window, step: float) -> Iterator[Window]:
    """Yields the windows inside the image with one edge moved by a step, or all of the window moved."""
    for moved, change in product(EDGES, (-step, step)):
        left, top, width, height = window
        edges = np.array([left, top, left + width, top + height]) + change * np.array(moved)
        left, top, right, bottom = (float(edge) for edge in edges)
        inside = min(left, top) >= -1e-9 and max(right, bottom) <= 1 + 1e-9
        if inside and min(right - left, bottom - top) >= MIN_SIZE:
            yield max(left, 0.0), max(top, 0.0), right - left, bottom - top
