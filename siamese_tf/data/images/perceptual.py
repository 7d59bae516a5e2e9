"""Perceptual description of an image, which hardly changes when it is resized or encoded again.

The low frequencies of the image describe it; turning or mirroring the image transposes them or changes their signs.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.fft import dctn

from siamese_tf.data.images.decode import decode_image

SIDE = 32  # pixels of the small copy
DETAIL = 64  # pixels of the copy that windows are cut from
FREQUENCIES = 8  # per axis
MIN_CONTRAST = 2.0  # standard deviation of the gray levels; flatter images have no describable content
ORIENTATIONS = tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4))


@dataclass(frozen=True, eq=False)
class Perceptual:
    """Small copy of an image and its low frequencies.

    Attributes:
        pixels: (32, 32, 3) uint8 RGB, the whole image without regard to its proportions.
        detail: the same in more detail, (64, 64, 3).
        descriptor: (63,) float32 of length 1; 0 for an image without contrast.
        size: width and height of the original, upright.
    """

    pixels: np.ndarray
    detail: np.ndarray
    descriptor: np.ndarray
    size: tuple[int, int]


def describe_image(path: str | Path) -> Perceptual:
    """Decodes and describes an image file.

    Raises:
        ImageError: as `decode_image`.
    """
    image = decode_image(path).convert("RGB")
    return describe_pixels(np.asarray(image.resize((DETAIL, DETAIL), Image.Resampling.BOX)), image.size)


def describe_pixels(detail: np.ndarray, size: tuple[int, int]) -> Perceptual:
    """Describes an image of a size by its (64, 64, 3) uint8 copy."""
    pixels = window_pixels(detail, (0.0, 0.0, 1.0, 1.0))
    return Perceptual(pixels, detail, descriptor_of(pixels), size)


def window_pixels(detail: np.ndarray, window: tuple[float, float, float, float]) -> np.ndarray:
    """Returns the small copy of a part of an image, (32, 32, 3) uint8.

    Args:
        detail: (64, 64, 3) uint8 copy of the image.
        window: left, top, width and height, as fractions of the image.
    """
    left, top, width, height = (DETAIL * length for length in window)
    box = (left, top, min(left + width, DETAIL), min(top + height, DETAIL))
    return np.asarray(Image.fromarray(detail).resize((SIDE, SIDE), Image.Resampling.BOX, box))


def descriptor_of(pixels: np.ndarray) -> np.ndarray:
    """Returns the low frequencies of a small copy without the mean, (63,) float32 of length 1 or 0.

    Args:
        pixels: (32, 32, 3) uint8.

    Reference:
        The discrete cosine transform of the gray levels, as in Zauner 2010, "Implementation and benchmarking of
        perceptual image hash functions", but not reduced to bits.
    """
    gray = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    if gray.std() < MIN_CONTRAST:
        return np.zeros(FREQUENCIES**2 - 1, np.float32)
    low = dctn(gray, norm="ortho")[:FREQUENCIES, :FREQUENCIES].ravel()[1:]
    length = np.linalg.norm(low)
    return (low / length if length > 0 else low).astype(np.float32)


def orient_descriptors(descriptors: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    """Returns the descriptors of turned images, see `orient_pixels`.

    Args:
        descriptors: (n, 63).
        turns: number of quarter turns, counterclockwise.
        mirrored: mirrors the image from left to right before it is turned.
    """
    count = len(descriptors)
    low = np.concatenate([np.zeros((count, 1), descriptors.dtype), descriptors], axis=1)
    low = low.reshape(count, FREQUENCIES, FREQUENCIES)
    signs = (1.0 - 2.0 * (np.arange(FREQUENCIES) % 2)).astype(descriptors.dtype)  # of a reversed axis
    if mirrored:
        low = low * signs
    for _ in range(turns):  # a turn transposes, and then reverses the rows
        low = low.transpose(0, 2, 1) * signs[:, np.newaxis]
    return np.ascontiguousarray(low.reshape(count, -1)[:, 1:])


def orient_pixels(pixels: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    """Returns (h, w, c) pixels, mirrored from left to right if so, and then turned counterclockwise."""
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, turns)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the correlation of two small copies over all pixels and colors, in [-1, 1], higher is more similar.

    It is 0 if one has no contrast.
    """
    a, b = (pixels.astype(np.float64).ravel() - pixels.mean() for pixels in (first, second))
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / lengths) if lengths > 0 else 0.0
