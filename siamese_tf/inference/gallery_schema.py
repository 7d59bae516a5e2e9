"""The tables of a gallery's database, and the marks by which it is known.

Version 2 has one row for each person, with all embeddings and a digest of the row; the digest in the table `model` is
that of the whole gallery. Version 1, of earlier releases, has one row for each picture and no digests: it is read, and
becomes version 2 in the transaction of the first change.
"""

import re
import sqlite3
from typing import Any, NamedTuple

from siamese_tf.errors import GalleryError

APPLICATION = 0x53494D47  # "SIMG"
VERSION = 2
TABLES = {
    1: (
        "CREATE TABLE model (sha256 TEXT NOT NULL, embedding_dim INTEGER NOT NULL)",
        "CREATE TABLE pictures (id INTEGER PRIMARY KEY, name TEXT NOT NULL, embedding BLOB NOT NULL)",
        "CREATE INDEX pictures_by_name ON pictures (name)",
    ),
    2: (
        "CREATE TABLE model (sha256 TEXT NOT NULL, embedding_dim INTEGER NOT NULL, digest BLOB NOT NULL)",
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, digest BLOB NOT NULL,"
        " embeddings BLOB NOT NULL)",
        "CREATE UNIQUE INDEX people_by_name ON people (name)",
    ),
}
DIGEST_BYTES = 16
HINT = "Restore a copy of the file, or enroll the pictures again into a new gallery"  # for a damaged gallery only


class Marks(NamedTuple):
    """The statements of a gallery about itself.

    Attributes:
        version: of its tables.
        sha256: of the model file that the embeddings are of, in hexadecimal.
        embedding_dim: d, the numbers in an embedding.
        digest: of the whole gallery, see `gallery_rows`; empty in version 1.
    """

    version: int
    sha256: str
    embedding_dim: int
    digest: bytes


def is_empty(base: sqlite3.Connection) -> bool:
    """Whether a database has no tables and no marks, as that of a file of 0 bytes."""
    return not (one(base, "SELECT count(*) FROM sqlite_master") or one(base, "PRAGMA application_id"))


def create_tables(base: sqlite3.Connection, marks: Marks) -> None:
    """Makes an empty database a gallery without people. Inside a transaction, so whole or not at all."""
    for statement in (
        *TABLES[VERSION],
        f"PRAGMA application_id = {APPLICATION}",
        f"PRAGMA user_version = {VERSION}",
    ):
        base.execute(statement)
    base.execute("INSERT INTO model VALUES (?, ?, ?)", marks[1:])


def read_marks(base: sqlite3.Connection) -> Marks:
    """Returns the marks of a gallery.

    Raises:
        GalleryError: the database is not a gallery, of a later version, or has other tables than it was given.
    """
    version = one(base, "PRAGMA user_version")
    if one(base, "PRAGMA application_id") != APPLICATION:
        raise GalleryError("it is not a gallery that siamese_tf made. Check the path")
    if version not in TABLES:
        raise GalleryError(
            f"it is a gallery of version {version}, and this siamese_tf reads versions up to {VERSION}. Update it"
        )
    ours = "SELECT sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_stat*' ORDER BY rowid"  # those are of ANALYZE
    tables = tuple(sql for (sql,) in base.execute(ours))
    models = base.execute("SELECT * FROM model").fetchall() if tables == TABLES[version] else []
    kinds: list[type] = [str, int, bytes]
    if len(models) != 1 or [type(value) for value in models[0]] != kinds[: len(models[0])] or models[0][1] < 1:
        raise GalleryError(f"it has other tables than siamese_tf gives a gallery. {HINT}")
    sha256, embedding_dim, *digest = models[0]
    if not re.fullmatch("[0-9a-f]+", sha256):  # error messages show it
        raise GalleryError(f"the SHA-256 of its model is not in hexadecimal. {HINT}")
    return Marks(version, sha256, embedding_dim, digest[0] if digest else b"")


def one(base: sqlite3.Connection, query: str) -> Any:
    """Returns the one value that a query answers with."""
    return base.execute(query).fetchone()[0]
