"""Safe decoding of untrusted image files, and their conversion to a model's input shape."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from siamese_tf.data.images.format import CENTERS
from siamese_tf.data.images.modes import channels_of, has_32_bits, in_mode, orientation_of, upright_eight_bits
from siamese_tf.data.images.resize import center_strokes, resize_image
from siamese_tf.data.images.source import ImageSource, is_image_source, open_source, refusal
from siamese_tf.errors import ImageError
from siamese_tf.printable import short_reason

SUFFIXES = tuple(".png .apng .jpg .jpeg .jpe .jfif .bmp .dib .pgm .ppm .pbm .pnm .webp .tif .tiff .gif".split())
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "TIFF", "GIF")
MAX_FILE_BYTES = 100 * 2**20
MAX_PIXELS = 50_000_000

_WARNINGS = threading.Lock()  # catch_warnings is not thread-safe


def load_image(
    path: ImageSource,
    height: int,
    width: int,
    channels: int,
    resize: str = "pad",
    invert: bool = False,
    center: str | None = None,
) -> np.ndarray:
    """Decodes an image and converts it to a shape; every image file that the package reads is converted this way.

    The image is decoded to 8 bits (see `decode_image`), converted to gray by ITU-R 601 luma,
    (299 R + 587 G + 114 B) / 1000, or to RGB, inverted and centered if asked for, and then resized
    (see `resize_image`).

    Args:
        path: image file or Pillow image, see `decode_image`.
        height: height in pixels, 1 or more.
        width: width in pixels, 1 or more.
        channels: 1 (gray) or 3 (RGB).
        resize: `"pad"`, `"crop"` or `"stretch"`, see `resize_image`.
        invert: replaces each value v with 255 - v.
        center: `"strokes"` crops to the strokes and centers them, see `center_strokes`; None keeps the whole image.

    Returns:
        (height, width, channels) uint8, 0 (black) to 255.

    Raises:
        ImageError: if `decode_image` raises it, or if `height`, `width`, `channels`, `resize` or `center` is invalid.
    """
    return pixels_of(decode_image(path), (height, width, channels), resize, invert, center)


def pixels_of(
    image: Image.Image, shape: tuple[int, int, int], resize: str, invert: bool, center: str | None
) -> np.ndarray:
    """Converts a result of `decode_image` to a shape (height, width, channels); see `load_image` for the options."""
    height, width, channels = shape
    modes = {1: "L", 3: "RGB"}
    if channels not in modes:
        raise ImageError(f"channels must be 1 (gray) or 3 (color); got {channels}")
    if center not in (*CENTERS, None):
        raise ImageError(f"center must be {' or '.join(CENTERS)}; got {center!r}")
    image = in_mode(image, modes[channels])
    image = ImageOps.invert(image) if invert else image
    image = center_strokes(image, height, width) if center else image
    image = resize_image(image, height, width, resize)
    return np.array(image, np.uint8).reshape(height, width, channels)


def decode_image(path: ImageSource) -> Image.Image:
    """Decodes an image file from an untrusted source: PNG, JPEG, BMP, PPM or PGM, WebP, TIFF or GIF (first frame only).

    The file size and the image size are checked before pixels are decoded. The image is rotated according to its EXIF
    orientation. 16-bit gray is divided by 257 and rounded; 16-bit color is reduced to its upper 8 bits. Transparent
    pixels become black. Other color modes, such as palettes and CMYK, are converted to RGB.

    Args:
        path: path, bytes, or file open for binary reading (read from its start if it is seekable), of at most
            `MAX_FILE_BYTES` bytes and `MAX_PIXELS` pixels; or a Pillow image, which is converted in the same way.

    Returns:
        Pillow image of mode `"L"` or `"RGB"`, 0 (black) to 255.

    Raises:
        ImageError: if the file is missing, not a regular file, not an image, in an unsupported format, damaged or too
            large, or if its pixels have 32 bits.
    """
    with open_image(path) as image:
        return decoded(image, path)


def decoded(image: Image.Image, path: ImageSource) -> Image.Image:
    """Returns the result of `decode_image` for an image of `open_image`, with its source for messages."""
    image.load()
    if has_32_bits(image):
        raise refusal(path, f"32-bit pixels (mode {image.mode})", "an image with 8 or 16 bits", "Convert it")
    return upright_eight_bits(image)


def shape_of(image: Image.Image) -> tuple[int, int, int]:
    """Returns the (height, width, channels) of an image of `open_image`, after its EXIF orientation is applied."""
    width, height = image.size if orientation_of(image) < 5 else image.size[::-1]
    return height, width, channels_of(image)


def is_image(path: ImageSource) -> bool:
    """Returns True if the file header, regardless of the file name, is that of a supported image."""
    try:
        with open_image(path):
            return True
    except ImageError:
        return False


@contextmanager
def open_image(source: ImageSource) -> Iterator[Image.Image]:
    """Yields an image after checking its sizes, without decoding its pixels; raises every failure as `ImageError`."""
    if not is_image_source(source):
        raise ImageError(
            "an image must be a path, the bytes of a file, a file open for binary reading or a Pillow image; got"
            f" {type(source).__name__}. Convert an array with PIL.Image.fromarray(array)"
        )
    try:
        if isinstance(source, Image.Image):
            _check_pixels(source, source)
            yield source
            return
        # An open file, since Pillow maps some TIFF files into memory if given a path, and garbles rotated ones.
        with open_source(source, MAX_FILE_BYTES) as file, _without_warning(file) as image:
            _check_pixels(image, source)
            yield image
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise refusal(source, "an unknown format", f"one of {', '.join(FORMATS)}", "Convert it to PNG") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(source, f"a larger one ({str(error).rstrip('.')})") from error
    except Exception as error:  # Pillow's decoders raise many types of errors on damaged files
        found = f"a file that cannot be decoded ({type(error).__name__}: {short_reason(error)})"
        raise refusal(source, found, "a complete image", "Save or copy it again") from error


def _without_warning(file: IO[bytes]) -> Image.Image:
    """Opens an image without Pillow's warning about large images, since `_check_pixels` rejects them."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(file, formats=FORMATS)


def _check_pixels(image: Image.Image, source: ImageSource) -> None:
    if image.width * image.height == 0:
        raise refusal(source, f"{image.width} x {image.height} pixels", "an image with pixels", "Create it again")
    if image.width * image.height > MAX_PIXELS:
        raise _too_many_pixels(source, f"{image.width} x {image.height} pixels")


def _too_many_pixels(source: ImageSource, found: str) -> ImageError:
    return refusal(source, found, f"an image of at most {MAX_PIXELS:,} pixels", "Make it smaller")
