"""What a gallery's data base looks like: its tables, its marks, and the names that may stand in it."""

import sqlite3
import unicodedata
from typing import Any

from siamese_tf.errors import GalleryError

APPLICATION = 0x53494D47  # "SIMG"
VERSION = 1
TABLES = (
    "CREATE TABLE model (sha256 TEXT NOT NULL, embedding_dim INTEGER NOT NULL)",
    "CREATE TABLE pictures (id INTEGER PRIMARY KEY, name TEXT NOT NULL, embedding BLOB NOT NULL)",
    "CREATE INDEX pictures_by_name ON pictures (name)",
)
LONGEST_NAME = 200
UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control characters, invisible ones, halves of others, ends of lines
JOINERS = "\u200c\u200d"  # of those, what some scripts and emoji are spelt with
CURE = "Enroll the pictures again into a new gallery, or take a copy that is whole"


def lay_out(base: sqlite3.Connection, model_sha256: str, embedding_dim: int) -> None:
    """Makes an empty data base a gallery; leaves any other as it is. Inside a transaction, so whole or not at all."""
    if one(base, "SELECT count(*) FROM sqlite_master") or one(base, "PRAGMA application_id"):
        return
    for statement in (*TABLES, f"PRAGMA application_id = {APPLICATION}", f"PRAGMA user_version = {VERSION}"):
        base.execute(statement)
    base.execute("INSERT INTO model VALUES (?, ?)", (model_sha256, embedding_dim))


def read_model(base: sqlite3.Connection) -> tuple[str, int]:
    """The SHA-256 and the embedding_dim of the model that a gallery is of.

    Raises:
        GalleryError: the data base is not a gallery, not of this version, or has other tables than it was given.
    """
    version = one(base, "PRAGMA user_version")
    if one(base, "PRAGMA application_id") != APPLICATION:
        raise GalleryError("it is not a gallery that siamese_tf made. Check the path")
    if version != VERSION:
        raise GalleryError(f"it is a gallery of version {version}, and this siamese_tf reads version {VERSION}. {CURE}")
    ours = "SELECT sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_stat*' ORDER BY rowid"  # those are of ANALYZE
    tables = [sql for (sql,) in base.execute(ours)]
    models = base.execute("SELECT sha256, embedding_dim FROM model").fetchall() if tables == list(TABLES) else []
    if len(models) != 1 or [type(value) for value in models[0]] != [str, int]:
        raise GalleryError(f"it has other tables than siamese_tf gives a gallery. {CURE}")
    return models[0]


def as_name(name: str) -> str:
    """A name as a gallery keeps it: letters with marks in one form, however a keyboard or a file system spells them.

    Blanks at its ends are left out.

    Raises:
        GalleryError: no text, nothing but blanks, too long, or with characters that no terminal should be sent.
    """
    kept = unicodedata.normalize("NFC", name).strip(" ") if isinstance(name, str) else ""
    odd = any(unicodedata.category(letter) in UNPRINTABLE and letter not in JOINERS for letter in kept)
    if not kept.strip() or len(kept) > LONGEST_NAME or odd:
        raise GalleryError(
            f"a name must be text of 1 to {LONGEST_NAME} characters on one line, without control characters;"
            f" got {name!r:.100}. Choose another"
        )
    return kept


def one(base: sqlite3.Connection, query: str) -> Any:
    """The one number that a query answers with."""
    return base.execute(query).fetchone()[0]
