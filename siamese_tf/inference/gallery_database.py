"""Transactions on the database of a gallery; each has a connection of its own.

Threads and processes therefore share nothing but the file, whose locks SQLite keeps, and a process that is forked
inherits no connection.

The rollback journal holds the pages as they were before a change. SQLite would delete it, and leave its content on the
disk; here it stays (`journal_mode = PERSIST`) until it is overwritten with zeros, by who made it or by who opens the
gallery next.

Reference: https://www.sqlite.org/atomiccommit.html, https://www.sqlite.org/security.html and
https://www.sqlite.org/pragma.html
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from siamese_tf.errors import GalleryError
from siamese_tf.inference.gallery_schema import HINT
from siamese_tf.printable import short_reason

PATIENCE = 60.0  # seconds to wait for another process or thread
SETTINGS = (
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "secure_delete = ON",
    "temp_store = MEMORY",
    "page_size = 16384",  # of SQLite's usual 4,096 bytes, an embedding of 512 numbers would leave half of each empty
    "locking_mode = EXCLUSIVE",  # so that a journal which the next line finds and undoes is not deleted
    "journal_mode = PERSIST",
    "locking_mode = NORMAL",
    "synchronous = EXTRA",
    "application_id",  # the first access after NORMAL gives the lock back
)
_BLOCK = 1 << 20  # bytes to overwrite at a time
HINTS = {
    sqlite3.SQLITE_BUSY: "Another process or thread holds it: try again when that is done",
    sqlite3.SQLITE_LOCKED: "Another process or thread holds it: try again when that is done",
    sqlite3.SQLITE_FULL: "Free some space on its disk",
    sqlite3.SQLITE_READONLY: "Check its rights and those of its folder",
    sqlite3.SQLITE_PERM: "Check its rights and those of its folder",
    sqlite3.SQLITE_CANTOPEN: "Check that it is still there, its rights and those of its folder",
    sqlite3.SQLITE_IOERR: "Check its disk",
    sqlite3.SQLITE_NOMEM: "Free some memory",
    sqlite3.SQLITE_PROTOCOL: "Another process or thread holds it: try again when that is done",
    sqlite3.SQLITE_INTERRUPT: "Try again",
}


def regular_file(path: Path, make: bool) -> Path:
    """Returns the path of a gallery, absolute and without links; makes an empty file where there is none, if it may.

    Raises:
        GalleryError: it is not a regular file.
    """
    if "\0" in str(path):
        raise GalleryError(f"the path of a gallery must have no null character; got {str(path)!r:.200}. Check the path")
    try:
        if make and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
        if not path.is_file():  # SQLite would wait for the other end of a pipe
            found = "it is not a file" if path.exists() else "there is no such file"
            raise GalleryError(f"{path}: {found}; expected a gallery. Check the path, or enroll somebody to make one")
        return path.resolve()
    except (OSError, RuntimeError) as error:  # the latter for links in a circle
        reason = getattr(error, "strerror", None) or error
        raise GalleryError(f"{path!s:.200}: {reason}; expected a gallery. Check the path and its rights") from error


@contextmanager
def transaction(path: Path, write: bool = False, shown: Path | None = None) -> Iterator[sqlite3.Connection]:
    """Everything in the block happens, or nothing; what is read in it is of one moment.

    A change is on the disk when the block has ended, and its journal is overwritten.

    Args:
        path: of a regular file, absolute and without links.
        write: takes the lock of writers before anything is read.
        shown: the path in messages, as the user gave it; None for `path`.

    Raises:
        GalleryError: SQLite cannot use the file now, or it is damaged; and those of the block, with the path.
    """
    with _typed_errors(shown or path), closing(_connect(path, PATIENCE)) as base:
        base.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        try:
            yield base
            base.execute("COMMIT")
        except BaseException:
            if base.in_transaction:
                base.execute("ROLLBACK")
            if write:
                with suppress(sqlite3.Error, GalleryError):
                    _wipe_journal(base, path)
            raise
        if write:
            with suppress(sqlite3.OperationalError):  # another one writes, and does it in our stead
                _wipe_journal(base, path)


def wipe_old_journal(path: Path) -> None:
    """Overwrites the journal of a process that was killed before it could; waits for nobody."""
    if _journal(path).exists():
        with suppress(sqlite3.Error, GalleryError), closing(_connect(path, 0.0)) as base:
            _wipe_journal(base, path)


def _connect(path: Path, patience: float) -> sqlite3.Connection:
    base = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=patience, isolation_level=None)
    try:
        for setting in SETTINGS:
            base.execute(f"PRAGMA {setting}").fetchall()
    except BaseException:
        base.close()
        raise
    return base


def _wipe_journal(base: sqlite3.Connection, path: Path) -> None:
    """Overwrites a journal that no transaction needs, and deletes it; under the lock, so that none can need it."""
    journal = _journal(path)
    if not journal.exists() or not os.access(path, os.W_OK):  # SQLite takes no lock for who may not write
        return
    base.execute("BEGIN IMMEDIATE")
    try:
        descriptor = os.open(journal, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "r+b") as file:
            size = os.fstat(descriptor).st_size
            for start in range(0, size, _BLOCK):
                file.write(bytes(min(_BLOCK, size - start)))
            file.flush()
            os.fsync(descriptor)
        journal.unlink()
    except FileNotFoundError:
        pass  # no journal is left to overwrite
    except OSError as error:
        raise GalleryError(
            f"the change is made, but the journal with what was there before could not be overwritten"
            f" ({error.strerror or error}). Check the rights of {journal}, and open the gallery again"
        ) from error
    finally:
        base.execute("ROLLBACK")


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")


@contextmanager
def _typed_errors(path: Path) -> Iterator[None]:
    """Names the file that an error is about, and turns those of SQLite and the system into GalleryErrors."""
    try:
        yield
    except GalleryError as error:
        raise GalleryError(f"{path}: {error}") from error
    except OSError as error:
        raise GalleryError(f"{path}: {error.strerror or error}. Check its rights and those of its folder") from error
    except (sqlite3.Error, sqlite3.Warning, UnicodeError, LookupError, OverflowError) as error:
        hint = HINTS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        reason = short_reason(error)  # it may quote the file
        if hint:
            raise GalleryError(f"{path}: the gallery cannot be used now ({reason}). {hint}") from error
        raise GalleryError(f"{path}: it is no gallery, or a damaged one ({reason}). {HINT}") from error
