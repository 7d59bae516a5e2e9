"""Transactions: the journal is overwritten even after a kill, and every error of SQLite has a message."""

import os
import shutil
import sqlite3

import pytest

from siamese_tf.errors import GalleryError
from siamese_tf.inference import gallery_database
from siamese_tf.inference.gallery_database import transaction, wipe_old_journal

SECRET = b"secret content of a row"


@pytest.fixture
def path(tmp_path):
    """A database of a few pages with one table."""
    path = tmp_path / "base"
    path.touch()
    with transaction(path, write=True) as base:
        base.execute("CREATE TABLE rows (content)")
        base.executemany("INSERT INTO rows VALUES (?)", [(SECRET * 100,)] * 40)
    return path


def contents(path):
    with transaction(path) as base:
        return base.execute("SELECT count(*), count(DISTINCT content) FROM rows").fetchone()


def change_and_fail(path, meanwhile):
    """Changes all rows, more than the memory that it has holds, and fails."""
    with transaction(path, write=True) as base:
        base.execute("PRAGMA cache_size = 1")
        base.execute("UPDATE rows SET content = zeroblob(2300)")
        meanwhile()
        raise ZeroDivisionError


def test_a_block_that_fails_changes_nothing_and_leaves_no_journal(path):
    with pytest.raises(ZeroDivisionError):
        change_and_fail(path, lambda: None)
    assert contents(path) == (40, 1)
    assert SECRET in path.read_bytes()
    assert os.listdir(path.parent) == [path.name]


def test_the_journal_is_overwritten_and_then_deleted(path, monkeypatch):
    held = []

    def link_first(base, wiped):
        os.link(f"{path}-journal", path.parent / "link")
        held.append((path.parent / "link").read_bytes())
        wipe(base, wiped)

    wipe = gallery_database._wipe_journal
    monkeypatch.setattr(gallery_database, "_wipe_journal", link_first)
    with transaction(path, write=True) as base:
        base.execute("DELETE FROM rows")
    assert SECRET in held[0]
    left = (path.parent / "link").read_bytes()
    assert len(left) == len(held[0])
    assert not any(left)
    assert sorted(os.listdir(path.parent)) == ["base", "link"]
    assert SECRET not in path.read_bytes()


@pytest.fixture
def killed(path, tmp_path):
    """A copy of the database in the middle of a change, with its journal, as a kill leaves it."""
    copy = tmp_path / "killed" / "base"
    copy.parent.mkdir()

    def leave() -> None:
        shutil.copy(path, copy)
        shutil.copy(f"{path}-journal", f"{copy}-journal")

    with pytest.raises(ZeroDivisionError):
        change_and_fail(path, leave)
    os.link(f"{copy}-journal", tmp_path / "link")
    assert SECRET in (tmp_path / "link").read_bytes()
    return copy


def test_a_change_cut_off_is_undone_and_its_journal_overwritten(killed, tmp_path):
    assert killed.read_bytes().count(SECRET) < 4000
    assert contents(killed) == (40, 1)
    assert killed.read_bytes().count(SECRET) == 4000
    assert os.path.exists(f"{killed}-journal")  # SQLite alone would have deleted it as it is
    wipe_old_journal(killed)
    assert os.listdir(killed.parent) == ["base"]
    assert not any((tmp_path / "link").read_bytes())
    assert contents(killed) == (40, 1)
    wipe_old_journal(killed)


def test_a_journal_in_use_is_left_alone(path):
    def look() -> None:
        journal = path.with_name("base-journal")
        before = journal.read_bytes()
        wipe_old_journal(path)
        assert journal.read_bytes() == before

    with pytest.raises(ZeroDivisionError):
        change_and_fail(path, look)
    assert contents(path) == (40, 1)


def test_a_journal_that_cannot_be_overwritten_is_an_error(path, monkeypatch):
    def fail(descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    words = (
        "the change was saved, but the journal .* could not be overwritten .Input/output error.*open the gallery again"
    )
    with pytest.raises(GalleryError, match=words), transaction(path, write=True) as base:
        base.execute("DELETE FROM rows")
    assert contents(path) == (0, 0)
    wipe_old_journal(path)
    monkeypatch.undo()
    wipe_old_journal(path)
    assert os.listdir(path.parent) == [path.name]


def test_who_may_not_write_wipes_no_journal(killed, monkeypatch):
    """SQLite takes no lock for such a user."""
    contents(killed)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    wipe_old_journal(killed)
    assert os.path.exists(f"{killed}-journal")


def test_a_change_that_fails_is_not_called_made(path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(ZeroDivisionError):
        change_and_fail(path, lambda: None)


def test_a_database_in_another_journal_mode_is_brought_back(path):
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("PRAGMA journal_mode = WAL")
    base.close()
    assert contents(path) == (40, 1)
    assert path.read_bytes()[18:20] == b"\1\1"
    wipe_old_journal(path)
    assert os.listdir(path.parent) == [path.name]


def error(kind, code, words="as SQLite words it"):
    made = kind(words)
    if code is not None:
        made.sqlite_errorcode = code
    return made


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (error(sqlite3.OperationalError, sqlite3.SQLITE_BUSY), "cannot be used now .*Another process or thread"),
        (error(sqlite3.OperationalError, sqlite3.SQLITE_BUSY_SNAPSHOT), "cannot be used now .*Another process"),
        (error(sqlite3.OperationalError, sqlite3.SQLITE_FULL), "cannot be used now .*Free some space"),
        (error(sqlite3.OperationalError, sqlite3.SQLITE_READONLY), "cannot be used now .*Check its permissions"),
        (error(sqlite3.OperationalError, sqlite3.SQLITE_CANTOPEN), "cannot be used now .*Check that it exists"),
        (error(sqlite3.OperationalError, sqlite3.SQLITE_IOERR_FSYNC), "cannot be used now .*Check its disk"),
        (error(sqlite3.OperationalError, sqlite3.SQLITE_ERROR), "not a gallery, or is damaged .*Restore"),
        (error(sqlite3.DatabaseError, sqlite3.SQLITE_CORRUPT), "not a gallery, or is damaged .*Restore"),
        (error(sqlite3.DatabaseError, sqlite3.SQLITE_NOTADB), "not a gallery, or is damaged"),
        (error(sqlite3.InterfaceError, None), "not a gallery, or is damaged"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "not a gallery, or is damaged"),
        (IndexError("of a module"), "not a gallery, or is damaged"),
        (error(sqlite3.OperationalError, sqlite3.SQLITE_ERROR, "\x1b[31m"), r"is damaged \(\\x1b\[31m\)"),
        (PermissionError(13, "Permission denied"), "Permission denied. Check its permissions"),
        (GalleryError("the gallery is odd"), "the gallery is odd"),
    ],
)
def test_every_refusal_has_words_and_the_path(path, raised, words):
    with pytest.raises(GalleryError, match=words) as refused, transaction(path):
        raise raised
    assert str(refused.value).startswith(f"{path}: ")
    assert ("Restore" in str(refused.value)) == ("damaged" in str(refused.value))
