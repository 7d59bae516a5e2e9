"""Tables and header of a gallery's database.

Version 2 has one row per person, with all embeddings and a digest of the row; the digest in the table `model` covers
the whole gallery. Version 1, of earlier releases, has one row per image and no digests: it can be read, and is
converted to version 2 in the transaction of the first change.
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
HINT = "Restore a copy of the file, or enroll the images again in a new gallery"  # for damaged galleries only


class Header(NamedTuple):
    """Header of a gallery.

    Attributes:
        version: version of the tables.
        sha256: SHA-256 of the model file that computed the embeddings, in hexadecimal.
        embedding_dim: number d of values in an embedding.
        digest: digest of the gallery, defined in `gallery_rows`; empty in version 1.
    """

    version: int
    sha256: str
    embedding_dim: int
    digest: bytes


def is_empty(base: sqlite3.Connection) -> bool:
    """Returns True for a database without tables and application id, such as a file of 0 bytes."""
    return not (query_value(base, "SELECT count(*) FROM sqlite_master") or query_value(base, "PRAGMA application_id"))


def create_tables(base: sqlite3.Connection, header: Header) -> None:
    """Turns an empty database into a gallery without people; call it inside a transaction."""
    for statement in (
        *TABLES[VERSION],
        f"PRAGMA application_id = {APPLICATION}",
        f"PRAGMA user_version = {VERSION}",
    ):
        base.execute(statement)
    base.execute("INSERT INTO model VALUES (?, ?, ?)", header[1:])


def read_header(base: sqlite3.Connection) -> Header:
    """Returns the header of a gallery.

    Raises:
        GalleryError: if the database is not a gallery, has a later version, or has unexpected tables.
    """
    version = query_value(base, "PRAGMA user_version")
    if query_value(base, "PRAGMA application_id") != APPLICATION:
        raise GalleryError("the file is not a gallery of siamese_tf. Check the path")
    if version not in TABLES:
        raise GalleryError(
            f"the version of a gallery must be at most {VERSION} for this siamese_tf; got {version}. Update siamese_tf"
        )
    ours = "SELECT sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_stat*' ORDER BY rowid"  # created by ANALYZE
    tables = tuple(sql for (sql,) in base.execute(ours))
    models = base.execute("SELECT * FROM model").fetchall() if tables == TABLES[version] else []
    kinds: list[type] = [str, int, bytes]
    if len(models) != 1 or [type(value) for value in models[0]] != kinds[: len(models[0])] or models[0][1] < 1:
        raise GalleryError(f"the gallery has unexpected tables or model entries. {HINT}")
    sha256, embedding_dim, *digest = models[0]
    if not re.fullmatch("[0-9a-f]+", sha256):  # error messages print it
        raise GalleryError(f"the SHA-256 of the gallery's model is not hexadecimal. {HINT}")
    return Header(version, sha256, embedding_dim, digest[0] if digest else b"")


def query_value(base: sqlite3.Connection, query: str) -> Any:
    """Returns the single value of a query."""
    return base.execute(query).fetchone()[0]
