"""Conversion of images of any accepted type to the array that a tower takes."""

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from siamese_tf.data.images.decode import load_image
from siamese_tf.data.images.source import ImageSource, is_image_source
from siamese_tf.data.images.threads import map_in_threads
from siamese_tf.errors import ImageError
from siamese_tf.models.pixels import as_pixels
from siamese_tf.printable import short_reason

Images = ImageSource | ArrayLike | Iterable[ImageSource | ArrayLike]

EMBED_BATCH = 512
EMBED_PIXELS = 64 * 112 * 112  # more need more memory and are not faster
FORMS = (
    "an image file (its path, its bytes, or the open file), a Pillow image, an array, or a list or another iterable of"
    " these"
)


def images_at_once(input_size: tuple[int, int, int]) -> int:
    """Returns the number of images to embed per batch; lower for large images, to limit memory."""
    return max(1, min(EMBED_BATCH, EMBED_PIXELS // (input_size[0] * input_size[1])))


def as_images(images: Images, input_size: tuple[int, int, int], *options: Any) -> tuple[np.ndarray, bool]:
    """Checks images and converts them to shape (n, h, w, c).

    Args:
        images: one image or several. One image is

            - an image file or Pillow image that `decode_image` accepts; `load_image` resizes it to the model's size;
            - an array of shape (h, w, c), or (h, w) for a model of gray images: a NumPy array, a tensor, or anything
              that NumPy can convert. Integers from 0 to 255, floats from 0 to 1, see `as_pixels`.

            Several images are a stack of pixels (n, h, w, c) or (n, h, w), or a list, array, pandas column, generator
            or other iterable of single images of these types. An empty list is a stack of length 0.
        input_size: height, width and channels that the model takes.
        options: resize, invert and center for files and Pillow images, see `load_image`; arrays stay as they are.

    Returns:
        The images, (n, h, w, c), uint8 from 0 to 255 or float32 in [0, 1]; and True if a single image was passed.

    Raises:
        ImageError: if the type, shape, dtype or range is invalid, or a file cannot be read.
    """
    if isinstance(images, np.ndarray) and images.dtype.kind not in "OUST":
        return _as_stack(images, input_size)
    if is_image_source(images):
        return load_image(images, *input_size, *options)[np.newaxis], True
    if hasattr(images, "__array__"):
        array = _as_array(images)
        if array.dtype.kind not in "OUST":
            return _as_stack(array, input_size)
        if array.ndim != 1:
            raise _wrong_type(f"an array of {array.dtype} with the shape {array.shape}")
        images = list(array)
    elif isinstance(images, Mapping | set | frozenset) or not isinstance(images, Iterable):
        raise _wrong_type(type(images).__name__)
    items = list(images)
    whole = None if any(map(is_image_source, items)) else _as_one_array(items)
    if whole is not None:
        return _as_stack(whole, input_size)
    as_single = partial(_as_single, input_size=input_size, options=options)
    # Pillow images and open files are not thread-safe, and a list may have one of them twice.
    independent = all(isinstance(item, str | os.PathLike | bytes) for item in items)
    singles = [*(map_in_threads if independent else map)(as_single, [*enumerate(items)])]
    if any(image.dtype != np.uint8 for image in singles):
        singles = [image / np.float32(255) if image.dtype == np.uint8 else image for image in singles]
    return np.stack(singles), False


def as_pair(pair: Sequence[Images], input_size: tuple[int, int, int], *options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Converts a pair of inputs of equal length to two stacks (n, h, w, c) with `as_images`.

    Args:
        pair: two inputs of `as_images` in a tuple or list, or an array or tensor (2, n, h, w, c).
        input_size, options: see `as_images`.

    Raises:
        ImageError: if there are not two inputs, their lengths differ, or `as_images` rejects one of them.
    """
    if getattr(pair, "ndim", None) == 5:
        pair = list(_as_array(pair))
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        found = f"{len(pair)} stacks" if isinstance(pair, tuple | list) else type(pair).__name__
        raise ImageError(f"images must be a pair of stacks, (img1, img2); got {found}. Pass a tuple of two")
    first, second = (as_images(images, input_size, *options)[0] for images in pair)
    check_lengths(len(first), len(second))
    return first, second


def check_pair_batches(data: tf.data.Dataset) -> None:
    """Raises an ImageError if Keras would not pass the batches of a data set to the model as pairs."""
    batch = data.element_spec
    pair = batch[0] if isinstance(batch, tuple) else batch
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ImageError(
            "a data set must yield batches ((img1, img2),), since Keras takes the second element of a tuple for labels;"
            f" got {batch!r:.200}. Zip it once more: tf.data.Dataset.zip((pairs,))"
        )


def check_lengths(first: int, second: int) -> None:
    """Raises an ImageError if two stacks differ in length."""
    if first != second:
        raise ImageError(f"two stacks must have the same length, one pair per row; got {first} and {second} images")


def _as_one_array(items: list[Any]) -> np.ndarray | None:
    """Stacks images of one dtype and shape, or nested lists of numbers; returns None if they differ."""
    if not items:
        return np.zeros(0, np.uint8)
    if all(hasattr(item, "__array__") for item in items):
        arrays = [_as_array(item) for item in items]
        alike = len({(array.dtype, array.shape) for array in arrays}) == 1
        return np.stack(arrays) if alike and arrays[0].dtype.kind not in "OUST" else None
    if not all(isinstance(item, list | tuple) for item in items):
        return None
    try:
        array = np.asarray(items)
    except (TypeError, ValueError):  # the shapes differ
        return None
    return array if array.dtype.kind in "biuf" else None


def _as_single(numbered: tuple[int, Any], input_size: tuple[int, int, int], options: Sequence[Any]) -> np.ndarray:
    """Converts one image of a sequence, with its position, to (h, w, c), uint8 or float32; errors name the position."""
    position, item = numbered
    try:
        if is_image_source(item):
            return load_image(item, *input_size, *options)
        if not hasattr(item, "__array__") and not isinstance(item, list | tuple):
            raise _wrong_type(type(item).__name__)
        array = _as_array(item)
        stack, single = _as_stack(array, input_size)
    except ImageError as error:
        if isinstance(item, str | os.PathLike):
            raise  # the message already names the file
        raise ImageError(f"images[{position}]: {error}") from error
    if not single:
        raise ImageError(f"images[{position}] must be a single image; got a stack, {array.shape}. Concatenate stacks")
    return stack[0]


def _as_array(images: Any) -> np.ndarray:
    try:
        return np.asarray(images)
    except Exception as error:  # symbolic tensors, tensors on another device, ragged lists
        raise _wrong_type(
            f"{type(images).__name__}, which NumPy cannot convert to an array ({short_reason(error, 100)})"
        ) from error


def _as_stack(array: np.ndarray, input_size: tuple[int, int, int]) -> tuple[np.ndarray, bool]:
    height, width, channels = input_size
    gray = channels == 1
    if array.shape == (0,):
        return np.zeros((0, *input_size), np.uint8), False
    if array.shape == (height, width, channels) or (gray and array.shape == (height, width)):
        return as_pixels(array).reshape(1, height, width, channels), True
    if array.shape[1:] == (height, width, channels) or (gray and array.shape[1:] == (height, width)):
        return as_pixels(array).reshape(-1, height, width, channels), False
    if array.ndim == 0:
        raise _wrong_type(f"a single {array.dtype}")
    stacks = f"({height}, {width}, {channels}) or (n, {height}, {width}, {channels})"
    raise ImageError(
        f"images must have shape {stacks}{', the last axis optional' if gray else ''} for this model; got"
        f" {array.shape}. Pass an image file or PIL.Image.fromarray(image), or use siamese_tf.load_image(path, height,"
        " width, channels), to have it resized"
    )


def _wrong_type(found: str) -> ImageError:
    return ImageError(f"images must be {FORMS}; got {found}. Pass one of these")
