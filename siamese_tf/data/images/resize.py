"""Resizing: pad, crop or stretch."""

from PIL import Image, ImageOps

from siamese_tf.data.images.format import RESIZES
from siamese_tf.errors import ImageError


def resize_image(image: Image.Image, height: int, width: int, how: str = "pad") -> Image.Image:
    """Brings a picture to a size, bilinearly, with antialiasing when it shrinks; one of that size stays as it is.

    Args:
        image: Pillow image of mode `"L"` or `"RGB"`.
        height: pixels, 1 or more.
        width: pixels, 1 or more.
        how: `"pad"` keeps the aspect ratio, scales until the picture just fits and puts it in the center of a black
            canvas (where the margin is odd, the extra pixel is at the right or below); `"crop"` keeps the aspect
            ratio, scales until the canvas is full and cuts off what is too much on both sides alike; `"stretch"`
            scales both sides on their own.

    Raises:
        ImageError: `how` is none of `RESIZES`, or a side is less than 1.
    """
    if how not in RESIZES:
        raise ImageError(f"resize is {how!r}; expected one of {', '.join(RESIZES)}")
    if height < 1 or width < 1:
        raise ImageError(f"an image cannot be brought to {height} x {width} pixels; expected 1 or more of each")
    size = width, height
    if image.size == size:
        return image
    if how == "crop":
        return ImageOps.fit(image, size, Image.Resampling.BILINEAR)
    if how == "stretch":
        return image.resize(size, Image.Resampling.BILINEAR)
    scale = min(width / image.width, height / image.height)
    fitting = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    corner = (width - fitting[0]) // 2, (height - fitting[1]) // 2
    canvas = Image.new(image.mode, size)
    canvas.paste(image.resize(fitting, Image.Resampling.BILINEAR), corner)
    return canvas
