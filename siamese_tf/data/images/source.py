"""Image inputs: paths, bytes and open files, and how they are opened."""

import errno
import io
import os
import re
from typing import IO, Any, TypeGuard

from PIL import Image

from siamese_tf.errors import ImageError
from siamese_tf.files import open_regular

ImageFile = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
ImageSource = ImageFile | Image.Image

_TYPES = (str, bytes, bytearray, memoryview, Image.Image, os.PathLike)
_URL = re.compile("[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # pathlib makes one slash of two
_FOUND: dict[int | None, str] = {
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG), "there is no such file"),
    errno.EISDIR: "it is a folder, not a file",
}


def is_image_source(value: Any) -> TypeGuard[ImageSource]:
    """Returns whether the type of a value is one of those of `ImageSource`."""
    return isinstance(value, _TYPES) or hasattr(value, "read")


def open_source(source: ImageFile, max_bytes: int) -> IO[bytes]:
    """Opens an image file, at its start.

    Args:
        source: a path; the bytes of the file; or a file open for binary reading, which is read from its start where it
            can be rewound, else from its current position.
        max_bytes: the largest size.

    Raises:
        ImageError: the file cannot be opened, is no regular file, is empty or is larger than `max_bytes`.
    """
    if isinstance(source, str | os.PathLike):
        file = _open_path(source)
        size = os.fstat(file.fileno()).st_size
    else:
        content = _content(source, max_bytes)
        file, size = io.BytesIO(content), len(content)
    if 0 < size <= max_bytes:
        return file
    file.close()
    if size == 0:
        raise refusal(source, "the file is empty", "an image", "save or copy it again")
    raise refusal(source, f"the file has {size:,} bytes", f"at most {max_bytes:,}", "make it smaller")


def refusal(source: ImageSource, found: str, expected: str, hint: str) -> ImageError:
    """Returns the error that names the source."""
    return ImageError(f"{_name(source)}: {found}; expected {expected}; {hint}")


def _open_path(path: str | os.PathLike[str]) -> IO[bytes]:
    try:
        return open_regular(os.fsdecode(path))
    except PermissionError as error:
        raise refusal(path, "it may not be read", "a file that you may read", "check its rights") from error
    except (OSError, ValueError) as error:  # ValueError: a path that the system cannot encode
        if _URL.match(str(path)):
            raise refusal(path, "it is a URL", "a file on this machine", "download it first") from error
        number, reason = getattr(error, "errno", None), getattr(error, "strerror", None) or error
        found = _FOUND.get(number, f"it cannot be opened ({reason})")
        if number in (errno.EINVAL, errno.ENXIO) and os.path.exists(path):  # a FIFO, a device, a socket
            found = "it is not a file"
        raise refusal(path, found, "an image file", "check the path") from error


def _content(source: bytes | bytearray | memoryview | IO[bytes], max_bytes: int) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if source.seekable():
        source.seek(0)
    content = source.read(max_bytes + 1)
    if not isinstance(content, bytes):
        raise refusal(source, "it is open for reading text", "a file open for binary reading", 'use the mode "rb"')
    return content


def _name(source: ImageSource) -> str:
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    if isinstance(source, Image.Image):
        return f"Pillow image of {source.width} x {source.height} pixels"
    if isinstance(source, bytes | bytearray | memoryview):
        return f"{type(source).__name__} of length {len(source)}"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else type(source).__name__
