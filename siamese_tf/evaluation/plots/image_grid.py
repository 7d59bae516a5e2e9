"""A grid of cells, each with a few images side by side and a caption."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.plots.figure import GRAY, new_figure, write_png

COLUMNS = 5
CELL_WIDTH, MARGIN = 1.6, 0.2  # inches; five cells and six margins are the width of a figure
HEADING_HEIGHT, CAPTION_HEIGHT = 0.6, 0.5  # inches


@dataclass(frozen=True, eq=False)
class Cell:
    """Images side by side, their caption of up to three lines, and the color of the caption.

    Attributes:
        images: one or more images (h, w, c) uint8 of the same shape, c = 1 (gray) or 3 (RGB).
        caption: text above the images.
        color: color of the caption.
    """

    images: Sequence[np.ndarray]
    caption: str
    color: str


def save_image_grid(cells: Sequence[Cell], path: str | Path, heading: str, *, private: bool = False) -> None:
    """Plots cells row by row; without cells the plot says so.

    Args:
        cells: cells with the same number of images of the same shape.
        path: the PNG file.
        heading: title of the figure, two lines.
        private: makes the file readable by its owner only.
    """
    pictures = [_side_by_side(cell.images) for cell in cells]
    picture_height = CELL_WIDTH * pictures[0].shape[0] / pictures[0].shape[1] if pictures else CELL_WIDTH / 2
    lines = max((cell.caption.count("\n") for cell in cells), default=0) + 1
    caption_height = CAPTION_HEIGHT * max(2, lines) / 2
    line_height = caption_height + picture_height
    height = (HEADING_HEIGHT + max(1, math.ceil(len(cells) / COLUMNS)) * line_height) / 0.98  # 2% above the heading
    figure = new_figure(height, heading)
    figure.set_layout_engine("none")
    # One axes for all cells, in inches: an axes for each cell takes twice as long to draw.
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, figure.get_figwidth()), ylim=(height, 0))
    axes.set_axis_off()
    if not cells:
        figure.text(0.5, 0.3, "nothing to show", ha="center", fontsize=12, color=GRAY)
    for number, (cell, picture) in enumerate(zip(cells, pictures, strict=True)):
        line, column = divmod(number, COLUMNS)
        left = MARGIN + column * (CELL_WIDTH + MARGIN)
        top = HEADING_HEIGHT + line * line_height + caption_height
        extent = (left, left + CELL_WIDTH, top + picture_height, top)
        axes.imshow(picture, extent=extent, aspect="auto", interpolation="nearest")
        middle = left + CELL_WIDTH / 2
        axes.text(middle, top - 0.05, cell.caption, ha="center", va="bottom", fontsize=9, color=cell.color)
    write_png(figure, path, private=private)


def check_images(images: np.ndarray) -> None:
    """Raises a SiameseError unless the images are uint8 (n, h, w, c) with c = 1 or 3."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise SiameseError(f"images must be uint8 (n, h, w, 1 or 3); got {images.dtype} {images.shape}")


def _side_by_side(images: Sequence[np.ndarray]) -> np.ndarray:
    """Joins images (h, w, c) into one RGB image with narrow white strips between them."""
    enlarge = math.ceil(60 / images[0].shape[1])  # keeps the strip narrow next to images of 8 pixels
    parts = []
    for image in images:
        large = np.repeat(np.repeat(image, enlarge, axis=0), enlarge, axis=1)
        strip = np.full((large.shape[0], large.shape[1] // 20, 1), 255, np.uint8)
        parts += [large, strip]
    return np.concatenate([np.broadcast_to(part, (*part.shape[:2], 3)) for part in parts[:-1]], axis=1)
