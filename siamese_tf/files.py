"""Atomic writes and safe reads of files.

All files are written with `atomic_write`; files from the user are opened with `open_regular`.
"""

import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

from siamese_tf.locks import lock_descriptor

TEMPORARY = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}\.tmp", re.DOTALL)


@contextmanager
def atomic_write(path: str | Path, mode: str = "wb", *, private: bool = False) -> Iterator[IO]:
    """Opens a temporary file beside `path` that replaces `path` only if the block succeeds.

    The data is flushed to disk before the rename, so a reader, or a restart after a kill, finds either the old or the
    new file, never a partial one. If the block raises, the old file is unchanged and the temporary file is removed.
    Temporary files that killed processes left for `path` are removed before the next write.

    Args:
        path: destination; missing parent folders are created. The permissions of a replaced file are preserved.
        mode: `"wb"` or `"w"` (UTF-8, newlines as written).
        private: if True, only the owner can read the file.

    Yields:
        The open temporary file, seekable and readable.
    """
    path = Path(path)
    temporary = lock = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_stale_temporaries(path.parent, path.name)
        text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
        handle, lock, temporary = _locked_temporary(path)
        with open(handle, mode + "+", **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _permissions(path, private))
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and (error.filename is None or str(error.filename).endswith(".tmp")):
            error.filename = str(path)  # the user knows this path, not the temporary one
        raise
    finally:
        if lock is not None:
            os.close(lock)


def _locked_temporary(path: Path) -> tuple[int, int | None, str]:
    """Creates a file beside `path`; returns its descriptor, a second descriptor that holds its lock, and its name."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        lock = os.dup(handle) if lock_descriptor(handle, wait=True) else None
        if lock is None or os.fstat(lock).st_nlink:
            return handle, lock, name
        for descriptor in (handle, lock):  # another process removed it as stale before it was locked
            os.close(descriptor)


def remove_stale_temporaries(folder: str | Path, name: str | None = None) -> None:
    """Removes temporary files of killed processes from a folder; those of running processes are locked and remain.

    Args:
        folder: folder to search.
        name: name of the destination file; None for any.
    """
    with suppress(OSError):
        with os.scandir(folder) as entries:
            found = {entry.path: TEMPORARY.fullmatch(entry.name) for entry in entries}
        for path, temporary in found.items():
            if temporary is not None and name in (None, temporary["name"]):
                with suppress(OSError):
                    _remove_unless_locked(path)


def _remove_unless_locked(path: str) -> None:
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and lock_descriptor(descriptor):
            os.unlink(path)
    finally:
        os.close(descriptor)


def is_private(path: str | Path) -> bool:
    """Returns True if the file or folder exists and neither its group nor others can read or search it."""
    try:
        return not stat.S_IMODE(os.stat(path).st_mode) & 0o055
    except (OSError, ValueError):
        return False


def _permissions(path: Path, private: bool) -> int:
    """Returns the permissions of the existing file, or the default permissions if there is none."""
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode) & 0o777
    except OSError:
        mode = 0o666 & ~_umask()
    return mode & 0o700 if private else mode


def open_regular(path: str | Path) -> BufferedReader:
    """Opens a regular file for reading in binary mode; never blocks on a FIFO or a device.

    Args:
        path: path of the file; links are followed.

    Returns:
        The open file, positioned at its start.

    Raises:
        OSError: if the file cannot be opened or is not a regular file (errno EINVAL; EISDIR for a folder), or the path
            is invalid (EINVAL: it contains a null character or cannot be encoded).
    """
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise OSError(errno.EINVAL, "The path contains a character that cannot be encoded", repr(path)) from error
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
