"""Files that are whole or not there: every write of the project goes through `atomic_write`.

Files of a user's are opened for reading by `open_regular`.
"""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO, Any


@contextmanager
def atomic_write(path: str | Path, mode: str = "wb") -> Iterator[IO]:
    """Opens a temporary file beside `path` that takes its name only when the block ends well.

    The bytes are flushed to the disk before the rename, so a reader, or a restart after a kill, finds the old file or
    the new one, never a part. When the block raises, the old file stays and the temporary one is removed.

    Args:
        path: where the file shall stand; missing parent folders are made.
        mode: `"wb"` or `"w"` (UTF-8, newlines as written).

    Yields:
        The open temporary file, seekable and readable.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with open(handle, mode + "+", **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and (error.filename is None or str(error.filename).endswith(".tmp")):
            error.filename = str(path)  # the reader of the message knows this file, not the temporary one
        raise


def open_regular(path: str | Path) -> BufferedReader:
    """Opens a regular file for reading in binary mode; never waits for a FIFO or a device.

    Args:
        path: the file; links are followed.

    Returns:
        The open file, at its start.

    Raises:
        OSError: the file is missing, is not a regular file (errno EINVAL, EISDIR for a folder), or its path cannot be
            one (it contains a null character).
    """
    if "\0" in os.fspath(path):
        raise OSError(errno.EINVAL, "The path contains a null character", os.fspath(path).replace("\0", "\\0"))
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "Not a regular file", os.fspath(path))
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
