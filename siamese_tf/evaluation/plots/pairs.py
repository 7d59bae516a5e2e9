"""Plots of pairs of images, each with its score and decision: a random sample, and the worst mistakes."""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.plots.figure import BLUE, ORANGE
from siamese_tf.evaluation.plots.image_grid import Cell, check_images, save_image_grid
from siamese_tf.evaluation.scored_pairs import check_scored_pairs

WORDS = {True: "same", False: "different"}


def save_sample_plot(
    images: np.ndarray,
    img1: ArrayLike,
    img2: ArrayLike,
    similarity: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    path: str | Path,
    *,
    title: str,
    count: int = 20,
    seed: int = 0,
    private: bool = False,
) -> None:
    """Plots pairs drawn at random, half of them same and half different if there are enough.

    Args:
        images: uint8 (n, h, w, c), c = 1 (gray) or 3 (RGB).
        img1: integers (m,), the first image of each pair, a position in `images`.
        img2: integers (m,), the second image of each pair.
        similarity: (m,), 1 = same, 0 = different.
        scores: (m,), finite, higher = more similar.
        threshold: a pair with score >= threshold is called same.
        path: the PNG file.
        title: the title of the figure.
        count: maximum number of pairs.
        seed: seed of the draw.
        private: makes the file readable by its owner only.

    Raises:
        SiameseError: input that is not m scored pairs of such images.
    """
    same, values = check_scored_pairs(similarity, scores, both_classes=False)
    order = np.random.default_rng(seed).permutation(same.size)
    chosen = [order[same[order] == kind][: count // 2] for kind in (True, False)]
    heading = f"{title}\npairs drawn at random (threshold {threshold:.3f})"
    _save_grid(images, img1, img2, same, values, threshold, np.concatenate(chosen), path, heading, private)


def save_mistakes_plot(
    images: np.ndarray,
    img1: ArrayLike,
    img2: ArrayLike,
    similarity: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    path: str | Path,
    *,
    title: str,
    count: int = 20,
    private: bool = False,
) -> None:
    """Plots the pairs on the wrong side of the threshold, those whose score is farthest from the label first.

    Without mistakes the plot says so. Arguments and errors are those of `save_sample_plot`.
    """
    same, values = check_scored_pairs(similarity, scores, both_classes=False)
    wrong = np.flatnonzero((values >= threshold) != same)
    worst = wrong[np.argsort(-np.abs(values - same)[wrong], kind="stable")][:count]
    shown = f"{worst.size} of {wrong.size:,} mistakes, worst first," if wrong.size else "no mistake"
    heading = f"{title}\n{shown} among {same.size:,} pairs (threshold {threshold:.3f})"
    _save_grid(images, img1, img2, same, values, threshold, worst, path, heading, private)


def _save_grid(
    images: np.ndarray,
    img1: ArrayLike,
    img2: ArrayLike,
    same: np.ndarray,
    scores: np.ndarray,
    threshold: float,
    rows: np.ndarray,
    path: str | Path,
    heading: str,
    private: bool,
) -> None:
    first, second = _checked_images(images, img1, img2, same.shape)
    called = scores >= threshold
    cells = [
        Cell(
            (images[first[row]], images[second[row]]),
            f"score {scores[row]:.3f}: {WORDS[bool(called[row])]}\ntruth: {WORDS[bool(same[row])]}",
            BLUE if called[row] == same[row] else ORANGE,
        )
        for row in rows
    ]
    save_image_grid(cells, path, heading, private=private)


def _checked_images(
    images: np.ndarray, img1: ArrayLike, img2: ArrayLike, pairs: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    check_images(images)
    first, second = np.asarray(img1), np.asarray(img2)
    if not first.shape == second.shape == pairs:
        raise SiameseError(
            f"img1, img2 and similarity must have the same shape (m,); got {first.shape}, {second.shape} and {pairs}"
        )
    if min(first.min(), second.min()) < 0 or max(first.max(), second.max()) >= len(images):
        lowest, highest = min(first.min(), second.min()), max(first.max(), second.max())
        raise SiameseError(
            f"img1 and img2 must be positions of the images, from 0 to {len(images) - 1}; got {lowest} to {highest}"
        )
    return first, second
