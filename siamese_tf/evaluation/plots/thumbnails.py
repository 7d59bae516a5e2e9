"""Small images at their places on a map, as one picture to lay under it."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

LAYER, THUMBNAIL, FRAME = 1600, 48, 4  # pixels: the layer's longer side, a thumbnail's side, the frame in it
COVERED = 0.35  # this part of a thumbnail, at most, lies under the next in either direction


def thumbnail_layer(
    places: np.ndarray, images: np.ndarray, colours: Sequence[str]
) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """Images drawn at their places: grey ones as ink of a colour on white, colour images in a frame of it.

    Where images would cover each other, those that come first are drawn.

    Args:
        places: (n, 2) finite, the middle of each image, x to the right and y upwards.
        images: uint8 (n, h, w, c), c = 1 (grey) or 3 (RGB).
        colours: n colours as Pillow knows them, such as "#0072B2".

    Returns:
        An RGB image on white, and what it covers of the map: left, right, bottom, top.
    """
    low, high = places.min(axis=0), places.max(axis=0)
    unit = ((high - low).max() or 1.0) / (LAYER - THUMBNAIL)  # of the map, for a pixel of the layer
    corners = np.rint((places - low) / unit).astype(int)
    width, height = (int(side) for side in corners.max(axis=0) + THUMBNAIL)
    layer = Image.new("RGB", (width, height), "white")
    stamps = _ink(images) if images.shape[3] == 1 else images
    for position in _apart(corners):
        x, y = (int(corner) for corner in corners[position])
        _stamp(layer, (x, height - THUMBNAIL - y), stamps[position], colours[position])  # Pillow counts from the top
    left, bottom = low - unit * THUMBNAIL / 2
    return layer, (float(left), float(left + unit * width), float(bottom), float(bottom + unit * height))


def _stamp(layer: Image.Image, corner: tuple[int, int], stamp: np.ndarray, color: str) -> None:
    if stamp.ndim == 2:
        layer.paste(color, corner, ImageOps.pad(Image.fromarray(stamp), (THUMBNAIL, THUMBNAIL)))
        return
    inside = (THUMBNAIL - 2 * FRAME, THUMBNAIL - 2 * FRAME)
    layer.paste(ImageOps.expand(ImageOps.pad(Image.fromarray(stamp), inside, color="white"), FRAME, color), corner)


def _ink(images: np.ndarray) -> np.ndarray:
    """Grey images as uint8 (n, h, w): how far a pixel is from the background, which is what most of the rims show."""
    pixels = images[..., 0].astype(np.int32)
    rim = np.concatenate([pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], axis=1)
    background = int(np.median(rim))
    return (np.abs(pixels - background) * 255 // max(background, 255 - background)).astype(np.uint8)


def _apart(corners: np.ndarray) -> list[int]:
    """The positions of the thumbnails that no earlier one covers by much."""
    kept: list[int] = []
    for position, corner in enumerate(corners):
        if not kept or np.abs(corners[kept] - corner).max(axis=1).min() >= (1 - COVERED) * THUMBNAIL:
            kept.append(position)
    return kept
