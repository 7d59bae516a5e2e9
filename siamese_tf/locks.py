"""Locks between processes; the system releases a lock when its process ends."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType

from siamese_tf.errors import SiameseError

fcntl: ModuleType | None
try:
    fcntl = import_module("fcntl")
except ImportError:  # missing on Windows, where nothing is locked
    fcntl = None

LOCK = ".lock"
BUSY = (errno.EAGAIN, errno.EACCES)


def lock_descriptor(descriptor: int, *, wait: bool = False) -> bool | None:
    """Acquires the exclusive lock of an open file; it is released when the last descriptor of the file is closed.

    Args:
        descriptor: descriptor of the file, open for writing.
        wait: if True, waits until the lock is released.

    Returns:
        True if the lock was acquired, False if another process holds it, None if the file system has no locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        return False if error.errno in BUSY else None
    return True


@contextmanager
def locked_folder(folder: str | Path, busy: str, hint: str | None = None) -> Iterator[None]:
    """Locks a folder with a file `.lock` in it; other callers of this function are excluded.

    The block runs without a lock if the file system has no locks.

    Args:
        folder: folder to lock; created if missing, and then removed after the block if it is empty.
        busy: message if the folder is locked; the process ID is appended.
        hint: hint of the error message; if None, waits for the other process with a message on standard error.

    Raises:
        SiameseError: if another process or thread holds the lock and `hint` is not None.
        OSError: if the folder cannot be created or written.
    """
    folder = Path(folder)
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        descriptor = _open_locked(folder, busy, hint)
        try:
            yield
        finally:
            with suppress(OSError):
                (folder / LOCK).unlink()
            os.close(descriptor)
    finally:
        for path in missing:
            with suppress(OSError):
                path.rmdir()


def locked_workdir(workdir: str | Path) -> AbstractContextManager[None]:
    """Locks the folder of a run, see `locked_folder`.

    Raises:
        SiameseError: if another run uses the folder.
    """
    return locked_folder(workdir, f"workdir {workdir} is in use by another run", "Wait, or name another --workdir")


def _open_locked(folder: Path, busy: str, hint: str | None) -> int:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if lock_descriptor(descriptor) is False:
                holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
                message = f"{busy} (process {holder if holder.isdigit() else 'unknown'})"
                if hint is not None:
                    raise SiameseError(f"{message}. {hint}")
                print(f"{message}; waiting for it to end", file=sys.stderr, flush=True)
                lock_descriptor(descriptor, wait=True)
            if os.fstat(descriptor).st_nlink:  # else its holder has removed the file, and the lock is void
                with suppress(OSError):  # on a full disk, the lock works without the process ID
                    os.ftruncate(descriptor, 0)
                    os.lseek(descriptor, 0, os.SEEK_SET)
                    os.write(descriptor, f"{os.getpid()}\n".encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
