"""Image sources: paths, bytes, open files and Pillow images."""

import errno
import hashlib
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
_URL = re.compile("[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # pathlib collapses "//" into "/"
_RECEIVED: dict[int | None, str] = {
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG), "a path that does not exist"),
    errno.EISDIR: "a folder",
}


class NamedBytes(io.BytesIO):
    """Contents of a file that was read, with its path for messages.

    Attributes:
        name: path of the file.
        sha256: hexadecimal SHA-256 of the contents.
    """

    def __init__(self, path: str | os.PathLike[str], max_bytes: int):
        """Reads the file, see `open_source`."""
        with open_source(path, max_bytes) as file:
            content = file.read()
        super().__init__(content)
        self.name = os.fsdecode(path)
        self.sha256 = hashlib.sha256(content).hexdigest()


def is_image_source(value: Any) -> TypeGuard[ImageSource]:
    """Returns True if the value is an instance of `ImageSource`."""
    return isinstance(value, _TYPES) or hasattr(value, "read")


def open_source(source: ImageFile, max_bytes: int) -> IO[bytes]:
    """Opens an image file, positioned at its start.

    Args:
        source: path, bytes, or file open for binary reading; the file is read from its start if it is seekable, else
            from its current position.
        max_bytes: maximum size in bytes.

    Raises:
        ImageError: if the file cannot be opened, is not a regular file, is empty or is larger than `max_bytes`.
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
        raise refusal(source, "an empty file", "an image", "Save or copy it again")
    raise refusal(source, f"{size:,} bytes", f"a file of at most {max_bytes:,} bytes", "Make it smaller")


def refusal(source: ImageSource, found: str, expected: str, hint: str) -> ImageError:
    """Returns the error `SOURCE: must be EXPECTED; got FOUND. HINT`."""
    return ImageError(f"{_name(source)}: must be {expected}; got {found}. {hint}")


def _open_path(path: str | os.PathLike[str]) -> IO[bytes]:
    try:
        return open_regular(os.fsdecode(path))
    except PermissionError as error:
        raise refusal(path, "a file without read permission", "a readable file", "Check its permissions") from error
    except (OSError, ValueError) as error:  # ValueError: the path cannot be encoded
        if _URL.match(str(path)):
            raise refusal(path, "a URL", "a local file", "Download it first") from error
        number, reason = getattr(error, "errno", None), getattr(error, "strerror", None) or error
        found = _RECEIVED.get(number, f"a path that cannot be opened ({reason})")
        if number in (errno.EINVAL, errno.ENXIO) and os.path.exists(path):
            found = "a FIFO, a device or a socket"
        raise refusal(path, found, "an image file", "Check the path") from error


def _content(source: bytes | bytearray | memoryview | IO[bytes], max_bytes: int) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if source.seekable():
        source.seek(0)
    content = source.read(max_bytes + 1)
    if not isinstance(content, bytes):
        raise refusal(source, "a file open in text mode", "a file open for binary reading", 'Use the mode "rb"')
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
