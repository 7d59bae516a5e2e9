"""Image format of a data set: size, color, and how images are resized."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from siamese_tf.errors import ConfigError

COLORS = {"grey": 1, "rgb": 3}
RESIZES = ("pad", "crop", "stretch")
USUAL_SIZE = (112, 112)
MAX_SHARED_SIDE = 512  # pictures from a camera share a size that no network is for
MAX_SIDE = 2048  # as `model_file` allows


@dataclass(frozen=True)
class ImageFormat:
    """Size, color and resizing that all images of a data set are converted to.

    Attributes:
        size: height and width in pixels; None is the size that all images share if no side exceeds
            `MAX_SHARED_SIDE`, else `USUAL_SIZE`.
        color: `"grey"` or `"rgb"`; None is grey where all images are stored as grey ones, else rgb.
        resize: `"pad"`, `"crop"` or `"stretch"`, see `resize_image`.
    """

    size: tuple[int, int] | None = None
    color: str | None = None
    resize: str = "pad"

    def __post_init__(self) -> None:
        if self.size is not None and not all(1 <= side <= MAX_SIDE for side in self.size):
            raise ConfigError(f"image size {self.size}; expected a height and a width from 1 to {MAX_SIDE}")
        if self.color not in (*COLORS, None):
            raise ConfigError(f"color is {self.color!r}; expected {' or '.join(COLORS)}")
        if self.resize not in RESIZES:
            raise ConfigError(f"resize is {self.resize!r}; expected {', '.join(RESIZES[:-1])} or {RESIZES[-1]}")

    @classmethod
    def parse(cls, image_size: str | None, color: str | None, resize: str) -> "ImageFormat":
        """Parses an image format as typed; `image_size` is `112x92`, or `112` for a square.

        Raises:
            ConfigError: one of them is none.
        """
        if image_size is None:
            return cls(None, color, resize)
        sides = image_size.lower().split("x")
        if len(sides) > 2 or not all(re.fullmatch("[0-9]{1,5}", side) for side in sides):
            raise ConfigError(
                f"image size {image_size!r}; expected HEIGHTxWIDTH, as in 112x92, or one number for a square"
            )
        return cls((int(sides[0]), int(sides[-1])), color, resize)

    def resolved(self, shapes: Collection[tuple[int, int, int]]) -> "ImageFormat":
        """Returns the image format with no open values; `shapes` are the heights, widths and channels of all images."""
        sizes = {shape[:2] for shape in shapes}
        shared = len(sizes) == 1 and max(max(sizes)) <= MAX_SHARED_SIDE
        colors = {shape[2] for shape in shapes}
        return replace(
            self,
            size=self.size or (sizes.pop() if shared else USUAL_SIZE),
            color=self.color or ("grey" if colors <= {COLORS["grey"]} else "rgb"),
        )

    def as_dict(self) -> dict[str, Any]:
        """Returns plain JSON values, for a manifest."""
        return {"size": self.size and [*self.size], "color": self.color, "resize": self.resize}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a resolved image format."""
        assert self.size is not None  # `resolved` has set both
        assert self.color is not None
        return *self.size, COLORS[self.color]


NATIVE_FORMAT = ImageFormat()


def format_of_images(shape: tuple[int, int, int], resize: str = "pad") -> ImageFormat:
    """Returns the image format that matches images of a given height, width and channels.

    Raises:
        ConfigError: neither 1 channel (grey) nor 3 (colour), which image files cannot be brought to.
    """
    height, width, channels = shape
    colors = {count: color for color, count in COLORS.items()}
    if channels not in colors:
        raise ConfigError(f"images cannot be brought to {channels} channels; expected 1 (gray) or 3 (color)")
    return ImageFormat((height, width), colors[channels], resize)


def reject_image_options(image_format: ImageFormat, what: str) -> None:
    """Rejects an image format where there are no image files.

    Raises:
        ConfigError: any value is set; `what` names what there is instead.
    """
    if image_format != NATIVE_FORMAT:
        raise ConfigError(
            f"image size, color and resize are for folders and lists of image files, and {what} is neither."
            " Leave them out"
        )
