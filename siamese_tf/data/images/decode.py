"""Safe decoding of untrusted image files, and one rule that brings them to a model's input size."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError

from siamese_tf.data.images.modes import channels_of, has_32_bits, orientation_of, upright_eight_bits
from siamese_tf.data.images.resize import resize_image
from siamese_tf.data.images.source import ImageSource, is_image_source, open_source, refusal
from siamese_tf.errors import ImageError
from siamese_tf.printable import short_reason

SUFFIXES = tuple(".png .apng .jpg .jpeg .jpe .jfif .bmp .dib .pgm .ppm .pbm .pnm .webp .tif .tiff .gif".split())
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "TIFF", "GIF")
MAX_FILE_BYTES = 100 * 2**20
MAX_PIXELS = 50_000_000

_WARNINGS = threading.Lock()  # catch_warnings is for one thread at a time


def load_image(path: ImageSource, height: int, width: int, channels: int, resize: str = "pad") -> np.ndarray:
    """Decodes an image and brings it to a size, by the one rule that serves wherever images are read.

    The rule: decode to 8 bits as `decode_image` does; make it grey by ITU-R 601 luma, (299 R + 587 G + 114 B) / 1000,
    or red-green-blue; bring it to the size as `resize_image` does.

    Args:
        path: an image file or a Pillow image, see `decode_image`.
        height: pixels, 1 or more.
        width: pixels, 1 or more.
        channels: 1 (grey) or 3 (red, green, blue).
        resize: `"pad"`, `"crop"` or `"stretch"`, see `resize_image`.

    Returns:
        (height, width, channels) uint8, 0 (black) to 255.

    Raises:
        ImageError: as `decode_image`, another number of channels, or another way to resize.
    """
    modes = {1: "L", 3: "RGB"}
    if channels not in modes:
        raise ImageError(f"an image cannot be brought to {channels} channels; expected 1 (gray) or 3 (color)")
    image = resize_image(decode_image(path).convert(modes[channels]), height, width, resize)
    return np.array(image, np.uint8).reshape(height, width, channels)


def decode_image(path: ImageSource) -> Image.Image:
    """Decodes an image file of unknown making: PNG, JPEG, BMP, PPM or PGM, WebP, TIFF or GIF (first picture only).

    The sizes of the file and of the picture are checked before its pixels are decoded. The picture is turned upright
    by its EXIF orientation. 16-bit gray is divided by 257, so that its levels are kept, and 16-bit color keeps its
    upper eight bits; what is transparent becomes black; palettes, CMYK and the like become red-green-blue.

    Args:
        path: the path of the file; or its bytes; or a file open for binary reading, which is read from its start where
            it can be rewound; at most `MAX_FILE_BYTES` bytes and `MAX_PIXELS` pixels. Or a Pillow image, which is
            converted as its file would be.

    Returns:
        Pillow image of mode `"L"` or `"RGB"`, 0 (black) to 255.

    Raises:
        ImageError: it is missing, no regular file, no image, of another format, damaged, too large, or its pixels
            have 32 bits.
    """
    with _open(path) as image:
        image.load()
        if has_32_bits(image):
            raise refusal(path, f"its pixels are 32-bit numbers (mode {image.mode})", "8 or 16 bits", "convert it")
        return upright_eight_bits(image)


def image_shape(path: ImageSource) -> tuple[int, int, int]:
    """Reads (height, width, channels) from the header; height and width are those of the upright image.

    Raises:
        ImageError: as `decode_image`, but for damage beyond the header.
    """
    with _open(path) as image:
        width, height = image.size if orientation_of(image) < 5 else image.size[::-1]
        return height, width, channels_of(image)


def is_image(path: ImageSource) -> bool:
    """Checks by its first bytes, not its name, that a file is an image of a supported format."""
    try:
        with _open(path):
            return True
    except ImageError:
        return False


@contextmanager
def _open(source: ImageSource) -> Iterator[Image.Image]:
    """Yields an image whose sizes are checked but whose pixels are not decoded; raises any failure as ImageError."""
    if not is_image_source(source):
        raise ImageError(
            "an image must be the path of a file, its bytes, a file open for binary reading or a Pillow image; got"
            f" {type(source).__name__}. Of an array, take PIL.Image.fromarray(array)"
        )
    try:
        if isinstance(source, Image.Image):
            _check_pixels(source, source)
            yield source
            return
        # Given a path, not an open file, Pillow maps some TIFF into memory and garbles those that lie on their side.
        with open_source(source, MAX_FILE_BYTES) as file, _without_warning(file) as image:
            _check_pixels(image, source)
            yield image
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise refusal(source, "it is no image of a known format", ", ".join(FORMATS), "convert it to PNG") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(source, str(error)) from error
    except Exception as error:  # damaged files bring Pillow's decoders to raise almost anything
        reason = f"it cannot be decoded ({type(error).__name__}: {short_reason(error)})"
        raise refusal(source, reason, "a whole, readable image", "save or copy it again") from error


def _without_warning(file: IO[bytes]) -> Image.Image:
    """Opens an image without Pillow's warnings about sizes that are refused here anyway."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(file, formats=FORMATS)


def _check_pixels(image: Image.Image, source: ImageSource) -> None:
    if image.width * image.height == 0:
        raise refusal(source, f"it has {image.width} x {image.height} pixels", "at least one", "check how it was made")
    if image.width * image.height > MAX_PIXELS:
        raise _too_many_pixels(source, f"it has {image.width} x {image.height} pixels")


def _too_many_pixels(source: ImageSource, found: str) -> ImageError:
    return refusal(source, found, f"at most {MAX_PIXELS:,} pixels", "make it smaller")
