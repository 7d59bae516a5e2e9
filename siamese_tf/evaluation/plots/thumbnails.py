"""Thumbnails drawn at their positions on a scatter plot, as one background image."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

LAYER, THUMBNAIL, FRAME = 1600, 48, 4  # pixels: the longer side of the image, the side of a thumbnail, its frame
MAX_OVERLAP = 0.35  # the maximum overlap of two thumbnails, as a fraction of their side


def thumbnail_layer(
    places: np.ndarray, images: np.ndarray, colors: Sequence[str]
) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """Draws images at their positions: gray ones as ink of a color on white, color images in a frame of that color.

    Of images that would overlap, the first is drawn.

    Args:
        places: (n, 2) finite, the center of each image, x to the right and y upwards.
        images: uint8 (n, h, w, c), c = 1 (gray) or 3 (RGB).
        colors: n Pillow colors, such as "#0072B2".

    Returns:
        An RGB image on white, and its extent in the coordinates of `places`: left, right, bottom, top.
    """
    low, high = places.min(axis=0), places.max(axis=0)
    unit = ((high - low).max() or 1.0) / (LAYER - THUMBNAIL)  # coordinates per pixel
    corners = np.rint((places - low) / unit).astype(int)
    width, height = (int(side) for side in corners.max(axis=0) + THUMBNAIL)
    layer = Image.new("RGB", (width, height), "white")
    stamps = _ink(images) if images.shape[3] == 1 else images
    for position in _select_spaced(corners):
        x, y = (int(corner) for corner in corners[position])
        _stamp(layer, (x, height - THUMBNAIL - y), stamps[position], colors[position])  # Pillow's y axis points down
    left, bottom = low - unit * THUMBNAIL / 2
    return layer, (float(left), float(left + unit * width), float(bottom), float(bottom + unit * height))


def _stamp(layer: Image.Image, corner: tuple[int, int], stamp: np.ndarray, color: str) -> None:
    if stamp.ndim == 2:
        layer.paste(color, corner, ImageOps.pad(Image.fromarray(stamp), (THUMBNAIL, THUMBNAIL)))
        return
    inside = (THUMBNAIL - 2 * FRAME, THUMBNAIL - 2 * FRAME)
    layer.paste(ImageOps.expand(ImageOps.pad(Image.fromarray(stamp), inside, color="white"), FRAME, color), corner)


def _ink(images: np.ndarray) -> np.ndarray:
    """Converts gray images to uint8 (n, h, w): the difference from the background, the median of the borders."""
    pixels = images[..., 0].astype(np.int32)
    border = np.concatenate([pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], axis=1)
    background = int(np.median(border))
    return (np.abs(pixels - background) * 255 // max(background, 255 - background)).astype(np.uint8)


def _select_spaced(corners: np.ndarray) -> list[int]:
    """Returns the positions of thumbnails that overlap no earlier selected one by more than MAX_OVERLAP."""
    selected: list[int] = []
    for position, corner in enumerate(corners):
        if not selected or np.abs(corners[selected] - corner).max(axis=1).min() >= (1 - MAX_OVERLAP) * THUMBNAIL:
            selected.append(position)
    return selected
