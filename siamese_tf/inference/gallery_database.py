"""Transactions on the database of a gallery; each uses a separate connection.

Threads and processes therefore share only the file, which SQLite locks, and a forked process inherits no connection.

The rollback journal holds the original pages during a change. SQLite would delete it and leave its content on disk;
instead it persists (`journal_mode = PERSIST`) until it is overwritten with zeros, by the same transaction or, after a
crash, the next time the gallery is opened.

References: https://www.sqlite.org/atomiccommit.html, https://www.sqlite.org/security.html and
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

LOCK_TIMEOUT = 60.0  # seconds to wait for another process or thread
SETTINGS = (
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "secure_delete = ON",
    "temp_store = MEMORY",
    "page_size = 16384",  # an embedding of 512 values would leave half of each default page of 4,096 bytes empty
    "locking_mode = EXCLUSIVE",  # keeps a journal that the next line rolls back from being deleted
    "journal_mode = PERSIST",
    "locking_mode = NORMAL",
    "synchronous = EXTRA",
    "application_id",  # the first access after NORMAL releases the lock
)
_BLOCK = 1 << 20  # bytes overwritten at once
HINTS = {
    sqlite3.SQLITE_BUSY: "Another process or thread is using it: try again later",
    sqlite3.SQLITE_LOCKED: "Another process or thread is using it: try again later",
    sqlite3.SQLITE_FULL: "Free some space on its disk",
    sqlite3.SQLITE_READONLY: "Check its permissions and those of its folder",
    sqlite3.SQLITE_PERM: "Check its permissions and those of its folder",
    sqlite3.SQLITE_CANTOPEN: "Check that it exists, its permissions and those of its folder",
    sqlite3.SQLITE_IOERR: "Check its disk",
    sqlite3.SQLITE_NOMEM: "Free some memory",
    sqlite3.SQLITE_PROTOCOL: "Another process or thread is using it: try again later",
    sqlite3.SQLITE_INTERRUPT: "Try again",
}


def resolve_file(path: Path, create: bool) -> Path:
    """Returns the absolute path of a gallery, with links resolved; `create` creates an empty file if there is none.

    Raises:
        GalleryError: if the path is not a regular file.
    """
    if "\0" in str(path):
        raise GalleryError(
            f"the path of a gallery must not have null characters; got {str(path)!r:.200}. Check the path"
        )
    try:
        if create and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
        if not path.is_file():  # SQLite would block on a pipe
            found = "a path that is not a file" if path.exists() else "a path that does not exist"
            raise GalleryError(f"{path}: must be a gallery; got {found}. Check it, or enroll a person to create one")
        return path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: circular links
        reason = getattr(error, "strerror", None) or error
        raise GalleryError(
            f"{path!s:.200}: the gallery cannot be read: {reason}. Check the path and its permissions"
        ) from error


@contextmanager
def transaction(path: Path, write: bool = False, shown: Path | None = None) -> Iterator[sqlite3.Connection]:
    """Runs the block as one transaction, with atomic changes and consistent reads.

    When the block has ended, changes are on disk and the journal is overwritten.

    Args:
        path: absolute path of a regular file, with links resolved.
        write: if True, acquires the write lock before anything is read.
        shown: path in messages, as given by the user; the default is `path`.

    Raises:
        GalleryError: if SQLite cannot use the file, or it is damaged; or if the block raises it, with the path added.
    """
    with _typed_errors(shown or path), closing(_connect(path, LOCK_TIMEOUT)) as base:
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
            with suppress(sqlite3.OperationalError):  # another writer holds the lock and will overwrite it
                _wipe_journal(base, path)


def wipe_old_journal(path: Path) -> None:
    """Overwrites the journal of a killed process, unless the gallery is locked."""
    if _journal(path).exists():
        with suppress(sqlite3.Error, GalleryError), closing(_connect(path, 0.0)) as base:
            _wipe_journal(base, path)


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    base = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=timeout, isolation_level=None)
    try:
        for setting in SETTINGS:
            base.execute(f"PRAGMA {setting}").fetchall()
    except BaseException:
        base.close()
        raise
    return base


def _wipe_journal(base: sqlite3.Connection, path: Path) -> None:
    """Overwrites and deletes the journal, under the write lock, so that no transaction needs it."""
    journal = _journal(path)
    if not journal.exists() or not os.access(path, os.W_OK):  # without write permission, SQLite takes no lock
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
        pass  # another process has deleted it
    except OSError as error:
        raise GalleryError(
            f"the change was saved, but the journal with the previous content could not be overwritten"
            f" ({error.strerror or error}). Check the permissions of {journal}, and open the gallery again"
        ) from error
    finally:
        base.execute("ROLLBACK")


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")


@contextmanager
def _typed_errors(path: Path) -> Iterator[None]:
    """Adds the path to errors, and converts errors of SQLite and the system to `GalleryError`."""
    try:
        yield
    except GalleryError as error:
        raise GalleryError(f"{path}: {error}") from error
    except OSError as error:
        raise GalleryError(
            f"{path}: {error.strerror or error}. Check its permissions and those of its folder"
        ) from error
    except (sqlite3.Error, sqlite3.Warning, UnicodeError, LookupError, OverflowError) as error:
        hint = HINTS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        reason = short_reason(error)  # may quote the content of the file
        if hint:
            raise GalleryError(f"{path}: the gallery cannot be used now ({reason}). {hint}") from error
        raise GalleryError(f"{path}: the file is not a gallery, or is damaged ({reason}). {HINT}") from error
