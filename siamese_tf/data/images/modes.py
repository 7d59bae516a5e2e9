"""Conversion of Pillow images of any mode to upright 8-bit gray or RGB."""

import numpy as np
from PIL import Image

GRAY_MODES = ("1", "L", "LA", "La")  # 16-bit gray has modes that start with I

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {  # EXIF orientation -> operation that reverses it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def channels_of(image: Image.Image) -> int:
    """Returns 1 if the image is stored in gray, else 3."""
    return 1 if image.mode in GRAY_MODES or image.mode.startswith("I") else 3


def has_32_bits(image: Image.Image) -> bool:
    """Returns True if the pixels are 32-bit numbers, whose range is unknown.

    Pillow also uses mode "I" for the 16-bit gray of PGM files and, in older releases, of PNG files.
    """
    return image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM"))


def orientation_of(image: Image.Image) -> int:
    """Returns the EXIF orientation, 1 (upright) to 8; 1 for TIFF files, since Pillow rotates them itself."""
    orientation = 1 if image.format == "TIFF" else image.getexif().get(_ORIENTATION_TAG)
    return orientation if orientation in _UPRIGHT else 1


def upright_eight_bits(image: Image.Image) -> Image.Image:
    """Reverses the EXIF orientation and converts to 8 bits.

    Args:
        image: image without 32-bit pixels, see `has_32_bits`; mode "I" is 16-bit gray.

    Returns:
        Image of mode "L" or "RGB", 0 (black) to 255; transparent pixels are black. The image itself if it is like this.
    """
    orientation = orientation_of(image)
    return _eight_bits(image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image)


def _eight_bits(image: Image.Image) -> Image.Image:
    transparent = image.info.get("transparency")
    if image.mode.startswith("I"):
        levels = np.asarray(image, np.uint32)
        visible = levels if transparent is None else np.where(levels == transparent, 0, levels)
        return Image.fromarray(((visible + 128) // 257).astype(np.uint8))
    if image.mode == "La":  # premultiplied alpha; Pillow converts this mode only to LA
        image = image.convert("LA")
    mode = "L" if image.mode in GRAY_MODES else "RGB"
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or transparent is not None:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return in_mode(image, mode)


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Converts an image to a mode; returns the image itself, not a copy, if it has the mode."""
    return image if image.mode == mode else image.convert(mode)
