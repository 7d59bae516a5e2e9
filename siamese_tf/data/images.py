"""Image files of anyone's making, decoded safely and brought to the size of a model by one rule."""

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError

from siamese_tf.data.resize import resize_image
from siamese_tf.errors import ImageError

SUFFIXES = tuple(".png .apng .jpg .jpeg .jpe .jfif .bmp .dib .pgm .ppm .pbm .pnm .webp .tif .tiff .gif".split())
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "TIFF", "GIF")
GREY_MODES = ("1", "L", "LA")  # and 16-bit grey, whose names begin with I
MAX_FILE_BYTES = 100 * 2**20
MAX_PIXELS = 50_000_000

_ORIENTATION_TAG = 0x0112
_WARNINGS = threading.Lock()  # catch_warnings is for one thread at a time
_UPRIGHT = {  # EXIF orientation -> what undoes it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load_image(path: str | Path, height: int, width: int, channels: int, resize: str = "pad") -> np.ndarray:
    """Decodes an image file and brings it to a size, by the one rule that serves wherever image files are read.

    The rule: decode to 8 bits as `decode_image` does; make it grey by ITU-R 601 luma, (299 R + 587 G + 114 B) / 1000,
    or red-green-blue; bring it to the size as `resize_image` does.

    Args:
        path: the file.
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
        raise ImageError(f"an image cannot be brought to {channels} channels; expected 1 (grey) or 3 (colour)")
    image = resize_image(decode_image(path).convert(modes[channels]), height, width, resize)
    return np.array(image, np.uint8).reshape(height, width, channels)


def decode_image(path: str | Path) -> Image.Image:
    """Decodes an image file of unknown making: PNG, JPEG, BMP, PPM or PGM, WebP, TIFF or GIF (first picture only).

    The sizes of the file and of the picture are checked before its pixels are decoded. The picture is turned upright
    by its EXIF orientation. 16-bit grey is divided by 257, so that its levels are kept, and 16-bit colour keeps its
    upper eight bits; what is transparent becomes black; palettes, CMYK and the like become red-green-blue.

    Args:
        path: the file; at most `MAX_FILE_BYTES` bytes and `MAX_PIXELS` pixels.

    Returns:
        Pillow image of mode `"L"` or `"RGB"`, 0 (black) to 255.

    Raises:
        ImageError: it is missing, no image, of another format, damaged, or too large.
    """
    with _opened(path) as image:
        image.load()
        if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
            raise _refusal(path, f"its pixels are 32-bit numbers (mode {image.mode})", "8 or 16 bits", "convert it")
        return _to_eight_bits(_upright(image))


def image_shape(path: str | Path) -> tuple[int, int, int]:
    """What the header of an image file says it has: height and width when upright, and channels, 1 (grey) or 3.

    Raises:
        ImageError: as `decode_image`, but for damage beyond the header.
    """
    with _opened(path) as image:
        width, height = image.size if _orientation(image) < 5 else image.size[::-1]
        return height, width, 1 if image.mode in GREY_MODES or image.mode.startswith("I") else 3


def is_image(path: str | Path) -> bool:
    """Whether a file is an image of a format that is read, by its first bytes; its name does not count."""
    try:
        with _opened(path):
            return True
    except ImageError:
        return False


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """An image file with its sizes checked and its pixels not yet decoded; what fails in the block is an ImageError."""
    _check_file(path)
    try:
        # Given a path, not an open file, Pillow maps some TIFF into memory and garbles those that lie on their side.
        with open(path, "rb") as file, _without_warning(file) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_many_pixels(path, f"it has {image.width} x {image.height} pixels")
            yield image
    except ImageError:
        raise
    except PermissionError as error:
        raise _refusal(path, "it may not be read", "a file that you may read", "check its rights") from error
    except UnidentifiedImageError as error:
        raise _refusal(path, "it is no image of a known format", ", ".join(FORMATS), "convert it to PNG") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(path, str(error)) from error
    except Exception as error:  # damaged files bring Pillow's decoders to raise almost anything
        reason = f"it cannot be decoded ({type(error).__name__}: {error})"
        raise _refusal(path, reason, "a whole, readable image", "save or copy it again") from error


def _without_warning(file: IO[bytes]) -> Image.Image:
    """Pillow warns of pictures that are refused here anyway."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(file, formats=FORMATS)


def _check_file(path: str | Path) -> None:
    if not os.path.isfile(path):
        found = "it is not a file" if os.path.exists(path) else "there is no such file"
        raise _refusal(path, found, "an image file", "check the path")
    size = os.path.getsize(path)
    if size == 0:
        raise _refusal(path, "the file is empty", "an image", "save or copy it again")
    if size > MAX_FILE_BYTES:
        raise _refusal(path, f"the file has {size:,} bytes", f"at most {MAX_FILE_BYTES:,}", "make it smaller")


def _upright(image: Image.Image) -> Image.Image:
    orientation = _orientation(image)
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _orientation(image: Image.Image) -> int:
    """1 to 8, 1 is upright, and so is a TIFF: Pillow turns it itself."""
    orientation = 1 if image.format == "TIFF" else image.getexif().get(_ORIENTATION_TAG)
    return orientation if orientation in _UPRIGHT else 1


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Any mode to `"L"` or `"RGB"`; mode `"I"` here is 16-bit grey, as Pillow reads it from PGM and, once, from PNG."""
    transparent = image.info.get("transparency")
    if image.mode.startswith("I"):
        levels = np.asarray(image, np.uint32)
        visible = levels if transparent is None else np.where(levels == transparent, 0, levels)
        return Image.fromarray(((visible + 128) // 257).astype(np.uint8))
    mode = "L" if image.mode in GREY_MODES else "RGB"
    if image.mode in ("LA", "PA", "RGBA") or transparent is not None:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return image.convert(mode)


def _too_many_pixels(path: str | Path, found: str) -> ImageError:
    return _refusal(path, found, f"at most {MAX_PIXELS:,} pixels", "make it smaller")


def _refusal(path: str | Path, found: str, expected: str, cure: str) -> ImageError:
    return ImageError(f"{path}: {found}; expected {expected}; {cure}")
