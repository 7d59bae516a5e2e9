"""Plots of pairs of images, each with its score and decision: a random sample, and the worst mistakes."""

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.plots.figure import BLUE, GRAY, ORANGE, new_figure, write_png
from siamese_tf.evaluation.scored_pairs import check_scored_pairs

COLUMNS = 5
PAIR_WIDTH, MARGIN = 1.6, 0.2  # inches; five pairs and six margins are the width of a figure
HEADING_HEIGHT, CAPTION_HEIGHT = 0.6, 0.5  # inches


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
    grid = _Grid(len(rows), images.shape[1] / images.shape[2])
    figure = new_figure(grid.height, heading)
    figure.set_layout_engine("none")
    # One axes for all pairs, in inches: an axes for each pair takes twice as long to draw.
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, figure.get_figwidth()), ylim=(grid.height, 0))
    axes.set_axis_off()
    if not len(rows):
        figure.text(0.5, 0.3, "nothing to show", ha="center", fontsize=12, color=GRAY)
    for number, row in enumerate(rows):
        left, top = grid.corner(number)
        extent = (left, left + PAIR_WIDTH, top + grid.pair_height, top)
        axes.imshow(
            _side_by_side(images[first[row]], images[second[row]]),
            extent=extent,
            aspect="auto",
            interpolation="nearest",
        )
        _caption(axes, left, top, bool(same[row]), bool(scores[row] >= threshold), float(scores[row]))
    write_png(figure, path, private=private)


class _Grid:
    """Positions of pairs in rows of `COLUMNS`, in inches from the upper left corner of the figure.

    Attributes:
        pair_height: height of two images side by side.
        height: height of the figure.
    """

    def __init__(self, pairs: int, height_to_width: float) -> None:
        self.pair_height = PAIR_WIDTH / 2 * height_to_width
        lines = max(1, math.ceil(pairs / COLUMNS))
        self.height = (HEADING_HEIGHT + lines * (CAPTION_HEIGHT + self.pair_height)) / 0.98  # 2% above the heading

    def corner(self, number: int) -> tuple[float, float]:
        """Returns left and top of a pair, below its caption."""
        line, column = divmod(number, COLUMNS)
        top = HEADING_HEIGHT + line * (CAPTION_HEIGHT + self.pair_height) + CAPTION_HEIGHT
        return MARGIN + column * (PAIR_WIDTH + MARGIN), top


def _caption(axes: Axes, left: float, top: float, same: bool, called_same: bool, score: float) -> None:
    words = {True: "same", False: "different"}
    text = f"score {score:.3f}: {words[called_same]}\ntruth: {words[same]}"
    color = BLUE if called_same == same else ORANGE
    axes.text(left + PAIR_WIDTH / 2, top - 0.05, text, ha="center", va="bottom", fontsize=9, color=color)


def _side_by_side(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Joins two images (h, w, c) into one RGB image with a narrow white strip between them."""
    enlarge = math.ceil(60 / first.shape[1])  # keeps the strip narrow next to images of 8 pixels
    left, right = (np.repeat(np.repeat(image, enlarge, axis=0), enlarge, axis=1) for image in (first, second))
    strip = np.full((left.shape[0], left.shape[1] // 20, 1), 255, np.uint8)
    return np.concatenate([np.broadcast_to(part, (*part.shape[:2], 3)) for part in (left, strip, right)], axis=1)


def _checked_images(
    images: np.ndarray, img1: ArrayLike, img2: ArrayLike, pairs: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise SiameseError(f"images must be uint8 (n, h, w, 1 or 3); got {images.dtype} {images.shape}")
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
