"""Image format of a data set: size, color, resize mode, inversion and centering."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from siamese_tf.errors import ConfigError

COLORS = {"grey": 1, "rgb": 3}
RESIZES = ("pad", "crop", "stretch")
CENTERS = ("strokes",)
USUAL_SIZE = (112, 112)
MAX_SHARED_SIDE = 512  # photos from one camera share a size that is too large for a network
MAX_SIDE = 2048  # same limit as in model files


@dataclass(frozen=True)
class ImageFormat:
    """Format that all images of a data set are converted to.

    Attributes:
        size: (height, width) in pixels, each 1 to `MAX_SIDE`; None for the common size of all images if they have one
            and no side exceeds `MAX_SHARED_SIDE`, else `USUAL_SIZE`.
        color: `"grey"` or `"rgb"`; None for `"grey"` if all images are stored in gray, else `"rgb"`.
        resize: `"pad"`, `"crop"` or `"stretch"`, see `resize_image`.
        invert: black becomes white and white black, as for strokes of ink on paper.
        center: `"strokes"` crops to the strokes and centers them, see `center_strokes`; None keeps the whole image.
    """

    size: tuple[int, int] | None = None
    color: str | None = None
    resize: str = "pad"
    invert: bool = False
    center: str | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not all(1 <= side <= MAX_SIDE for side in self.size):
            raise ConfigError(f"image size must be a height and a width from 1 to {MAX_SIDE}; got {self.size}")
        if self.color not in (*COLORS, None):
            raise ConfigError(f"color must be {' or '.join(COLORS)}; got {self.color!r}")
        if self.resize not in RESIZES:
            raise ConfigError(f"resize must be {', '.join(RESIZES[:-1])} or {RESIZES[-1]}; got {self.resize!r}")
        if self.center not in (*CENTERS, None):
            raise ConfigError(f"center must be {' or '.join(CENTERS)}; got {self.center!r}")

    @classmethod
    def parse(
        cls, image_size: str | None, color: str | None, resize: str, invert: bool = False, center: str | None = None
    ) -> "ImageFormat":
        """Parses command-line values; `image_size` is HEIGHTxWIDTH, such as `112x92`, or `112` for a square.

        Raises:
            ConfigError: if a value is invalid.
        """
        if image_size is None:
            return cls(None, color, resize, invert, center)
        sides = image_size.lower().split("x")
        if len(sides) > 2 or not all(re.fullmatch("[0-9]{1,5}", side) for side in sides):
            raise ConfigError(
                f"image size must be HEIGHTxWIDTH, as in 112x92, or one number for a square; got {image_size!r}"
            )
        return cls((int(sides[0]), int(sides[-1])), color, resize, invert, center)

    def resolved(self, shapes: Collection[tuple[int, int, int]]) -> "ImageFormat":
        """Returns a copy in which no value is None; `shapes` holds the (height, width, channels) of all images."""
        sizes = {shape[:2] for shape in shapes}
        shared = len(sizes) == 1 and max(max(sizes)) <= MAX_SHARED_SIDE
        colors = {shape[2] for shape in shapes}
        return replace(
            self,
            size=self.size or (sizes.pop() if shared else USUAL_SIZE),
            color=self.color or ("grey" if colors <= {COLORS["grey"]} else "rgb"),
        )

    def as_dict(self) -> dict[str, Any]:
        """Returns the values as JSON types, for a manifest; `invert` and `center` only if they change the images."""
        changes = {"invert": self.invert, "center": self.center}
        return {
            "size": self.size and [*self.size],
            "color": self.color,
            "resize": self.resize,
            **{name: value for name, value in changes.items() if value},
        }

    @property
    def options(self) -> tuple[str, bool, str | None]:
        """Arguments of `load_image` after the shape: resize, invert and center."""
        return self.resize, self.invert, self.center

    @property
    def flags(self) -> str:
        """Command-line flags of a resolved image format."""
        height, width, _ = self.shape
        center = f" --center {self.center}" if self.center else ""
        invert = " --invert" if self.invert else ""
        return f"--image-size {height}x{width} --color {self.color} --resize {self.resize}{invert}{center}"

    def __str__(self) -> str:
        height, width, _ = self.shape
        more = [*(["inverted"] if self.invert else []), *([f"centered {self.center}"] if self.center else [])]
        return ", ".join([f"{height}x{width} {self.color}", self.resize, *more])

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels); requires a resolved image format."""
        assert self.size is not None
        assert self.color is not None
        return *self.size, COLORS[self.color]


NATIVE_FORMAT = ImageFormat()


def options_of(form: Any) -> tuple[str, bool, str | None]:
    """Returns `ImageFormat.options` of the `as_dict` in an untrusted manifest; the default for a wrong value."""
    form = form if isinstance(form, dict) else {}
    resize, center = form.get("resize"), form.get("center")
    return resize if resize in RESIZES else "pad", form.get("invert") is True, center if center in CENTERS else None


def format_of_images(
    shape: tuple[int, int, int], resize: str = "pad", invert: bool = False, center: str | None = None
) -> ImageFormat:
    """Returns the image format of images of shape (height, width, channels).

    Raises:
        ConfigError: if `channels` is neither 1 (gray) nor 3 (color), or another value is invalid.
    """
    height, width, channels = shape
    colors = {count: color for color, count in COLORS.items()}
    if channels not in colors:
        raise ConfigError(f"channels must be 1 (gray) or 3 (color); got {channels}")
    return ImageFormat((height, width), colors[channels], resize, invert, center)


def reject_image_options(image_format: ImageFormat, what: str) -> None:
    """Rejects image options for a data set without image files.

    Args:
        image_format: image format from the user.
        what: name of the data set, for the message.

    Raises:
        ConfigError: if `image_format` is not `NATIVE_FORMAT`.
    """
    if image_format != NATIVE_FORMAT:
        raise ConfigError(
            "the data must be a folder or a list of image files if the size, color, resizing, inversion or centering"
            f" of images is set; got {what}. Omit these settings"
        )
