"""What a caller may hand a model as images, brought to the one form a tower takes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from siamese_tf.data.images import load_image
from siamese_tf.errors import ImageError

Images = np.ndarray | str | Path | Sequence[str | Path]

EMBED_BATCH = 512
EMBED_PIXELS = EMBED_BATCH * 112 * 112


def images_at_once(input_size: tuple[int, int, int]) -> int:
    """How many images to embed at a time: fewer of large ones, so that memory holds what a tower makes of them."""
    return max(1, min(EMBED_BATCH, EMBED_PIXELS // (input_size[0] * input_size[1])))


def as_images(images: Images, input_size: tuple[int, int, int], resize: str = "pad") -> tuple[np.ndarray, bool]:
    """Checks images and gives them the shape (n, h, w, c).

    Args:
        images: one image or a stack: (h, w), (h, w, c), (n, h, w) or (n, h, w, c), the channel axis to be left out only
            where the model takes grey images. uint8 from 0 to 255, or float from 0 to 1. Or the path of an image file,
            or a list of paths, which `load_image` brings to the model's size.
        input_size: height, width and channels the model takes.
        resize: how files of another size are brought to it, see `resize_image`.

    Returns:
        The images, (n, h, w, c), uint8 or float32; and whether a single image came.

    Raises:
        ImageError: another shape or dtype, a float outside [0, 1], or a file that cannot be read.
    """
    if isinstance(images, str | Path):
        return load_image(images, *input_size, resize)[np.newaxis], True
    if isinstance(images, list | tuple) and images and all(isinstance(path, str | Path) for path in images):
        return np.stack([load_image(path, *input_size, resize) for path in images]), False
    images = np.asarray(images)
    height, width, channels = input_size
    grey = channels == 1
    if images.shape == (height, width, channels) or (grey and images.shape == (height, width)):
        single, stack = True, images.reshape(1, height, width, channels)
    elif images.shape[1:] == (height, width, channels) or (grey and images.shape[1:] == (height, width)):
        single, stack = False, images.reshape(-1, height, width, channels)
    else:
        stacks = f"({height}, {width}, {channels}) or (n, {height}, {width}, {channels})"
        raise ImageError(
            f"this model takes images of shape {stacks}{', the last axis optional' if grey else ''};"
            f" got {images.shape}. Pass the path of an image file, or use siamese_tf.load_image(path, height, width,"
            " channels), to have it brought to that size"
        )
    return _as_pixels(stack), single


def _as_pixels(stack: np.ndarray) -> np.ndarray:
    if stack.dtype == np.uint8:
        return stack
    if not np.issubdtype(stack.dtype, np.floating):
        raise ImageError(f"images must be uint8 (0 to 255) or float (0 to 1); got {stack.dtype}. Convert them first")
    if stack.size and not (stack.min() >= 0 and stack.max() <= 1):
        raise ImageError(
            f"float images must lie in [0, 1]; got values from {stack.min():g} to {stack.max():g}."
            " Divide by 255, or pass uint8"
        )
    return stack.astype(np.float32)
