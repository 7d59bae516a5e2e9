"""Image resizing by padding, cropping or stretching, and centering of strokes."""

from PIL import Image, ImageOps

from siamese_tf.data.images.format import RESIZES
from siamese_tf.errors import ImageError

STROKES_SHARE = 0.8  # of the shorter side of the canvas


def resize_image(image: Image.Image, height: int, width: int, how: str = "pad") -> Image.Image:
    """Resizes an image with bilinear interpolation, antialiased when shrinking; returns it unchanged if the size fits.

    Args:
        image: Pillow image of mode `"L"` or `"RGB"`.
        height: height in pixels, 1 or more.
        width: width in pixels, 1 or more.
        how: `"pad"` preserves the aspect ratio and centers the largest image that fits on a black canvas (an odd margin
            has its extra pixel on the right or at the bottom); `"crop"` preserves the aspect ratio, scales the image
            to cover the canvas and crops the excess equally on both sides; `"stretch"` ignores the aspect ratio.

    Raises:
        ImageError: if `how` is not in `RESIZES`, or `height` or `width` is less than 1.
    """
    if how not in RESIZES:
        raise ImageError(f"resize must be one of {', '.join(RESIZES)}; got {how!r}")
    if height < 1 or width < 1:
        raise ImageError(f"height and width must be 1 or more; got {height} x {width} pixels")
    size = width, height
    if image.size == size:
        return image
    if how == "crop":
        return ImageOps.fit(image, size, Image.Resampling.BILINEAR)
    if how == "stretch":
        return image.resize(size, Image.Resampling.BILINEAR)
    scale = min(width / image.width, height / image.height)
    fitting = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    resized = image.resize(fitting, Image.Resampling.BILINEAR)
    if fitting == size:
        return resized
    corner = (width - fitting[0]) // 2, (height - fitting[1]) // 2
    canvas = Image.new(image.mode, size)
    canvas.paste(resized, corner)
    return canvas


def center_strokes(image: Image.Image, height: int, width: int) -> Image.Image:
    """Crops an image to its strokes, scales their longer side to 80% of the canvas and centers them on black.

    Strokes are the pixels that are lighter than half of white in any channel. An image without any is returned
    unchanged.

    Args:
        image: Pillow image of mode `"L"` or `"RGB"`, light on dark.
        height: height of the canvas in pixels, 1 or more.
        width: width of the canvas in pixels, 1 or more.

    Returns:
        An image of the size of the canvas.
    """
    box = image.point(lambda value: 255 * (value >= 128)).getbbox()
    if box is None:
        return image
    strokes = image.crop(box)
    scale = STROKES_SHARE * min(width, height) / max(strokes.size)
    fitting = max(1, round(strokes.width * scale)), max(1, round(strokes.height * scale))
    canvas = Image.new(image.mode, (width, height))
    corner = (width - fitting[0]) // 2, (height - fitting[1]) // 2
    canvas.paste(strokes.resize(fitting, Image.Resampling.BILINEAR), corner)
    return canvas
