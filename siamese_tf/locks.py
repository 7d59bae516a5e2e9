"""Locks between processes, released by the system when their holder ends."""

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
except ImportError:  # Windows has none: nothing is locked there
    fcntl = None

LOCK = ".lock"
BUSY = (errno.EAGAIN, errno.EACCES)


def lock_descriptor(descriptor: int, *, wait: bool = False) -> bool | None:
    """Takes the exclusive lock of an open file; it is released when its last descriptor is closed.

    Args:
        descriptor: of the file, open for writing.
        wait: for another holder to release it.

    Returns:
        True where the lock was taken, False where another holds it, None where the file system has no locks.
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
    """Locks a folder against other processes that call this function, by a file `.lock` in it.

    Where the file system has no locks, the block runs without.

    Args:
        folder: made where it is missing, and removed again where it is still empty after the block.
        busy: the sentence that says that another process holds the folder; its number is added.
        hint: what to do then; None waits for the other process, and says so on standard error.

    Raises:
        SiameseError: another process, or another thread of this one, holds it, and there is a `hint`.
        OSError: the folder cannot be made or written in.
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
    """Locks the folder of a run against other runs, see `locked_folder`.

    Raises:
        SiameseError: another run writes to it.
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
            if os.fstat(descriptor).st_nlink:  # else its holder has removed it: the name is free, or another file's
                with suppress(OSError):  # a full disk: the lock holds without the number
                    os.ftruncate(descriptor, 0)
                    os.lseek(descriptor, 0, os.SEEK_SET)
                    os.write(descriptor, f"{os.getpid()}\n".encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
