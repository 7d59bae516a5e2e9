"""Reading and writing of the people in a gallery's database, with digests that detect damage.

    digest of a person  = H(model's SHA-256, embedding_dim, name, embeddings)
    digest of a gallery = H(model's SHA-256, embedding_dim) XOR the digests of all people

H is SHA-256, truncated to 16 bytes.

The digests detect a flipped bit in a name or an embedding, a row that the index returns for another name, and missing
or duplicate rows before they are used. They have no key: they detect damage, not forgery.
"""

import sqlite3
from collections.abc import Mapping
from functools import reduce
from hashlib import sha256
from operator import xor

import numpy as np

from siamese_tf.errors import GalleryError
from siamese_tf.inference.gallery_names import normalize_name
from siamese_tf.inference.gallery_schema import DIGEST_BYTES, HINT, VERSION, Header, create_tables, query_value
from siamese_tf.models.embeddings import comparable

INSERT = "INSERT INTO people (name, digest, embeddings) VALUES (?, ?, ?)"


def read_people(base: sqlite3.Connection, header: Header) -> dict[str, bytes]:
    """Returns the embeddings of all people as float32 bytes by name, sorted by name.

    Raises:
        GalleryError: if the people are not those that were enrolled.
    """
    if header.version < VERSION:
        return _read_version_1(base, header.embedding_dim)
    people: dict[str, bytes] = {}
    total = _number(_digest(header))
    for name, digest, embeddings in base.execute("SELECT name, digest, embeddings FROM people NOT INDEXED ORDER BY id"):
        _check_row(header, name, digest, embeddings)
        if name in people or normalize_name(name) != name:
            raise damaged(f"the name {ascii(name):.100} is duplicated or not normalized")
        people[name] = embeddings
        total = xor(total, _number(digest))
    if total != _number(header.digest):
        raise damaged("people are missing or not those that were enrolled")
    return dict(sorted(people.items()))


def read_person(base: sqlite3.Connection, header: Header, name: str) -> bytes:
    """Returns the embeddings of one person as float32 bytes, empty if the index has no such name.

    For version 2 only: in version 1, names are not normalized.
    """
    found = base.execute("SELECT digest, embeddings FROM people WHERE name = ?", (name,)).fetchone()
    if found is None:
        return b""
    _check_row(header, name, *found)
    return found[1]


def add_people(base: sqlite3.Connection, header: Header, people: Mapping[str, bytes]) -> None:
    """Adds embeddings of new or enrolled people."""
    total = _number(header.digest)
    for name, embeddings in people.items():
        before = read_person(base, header, name)
        digest = _digest(header, name, before + embeddings)
        total = xor(total, _number(digest))
        if before:
            total = xor(total, _number(_digest(header, name, before)))
            change = "UPDATE people SET digest = ?, embeddings = ? WHERE name = ?"
            base.execute(change, (digest, before + embeddings, name))
        else:
            base.execute(INSERT, (name, digest, embeddings))
    _set_total(base, total)


def rewrite_gallery(base: sqlite3.Connection, header: Header, people: Mapping[str, bytes]) -> None:
    """Replaces all tables with new tables of version 2 that contain these people.

    This overwrites every page that contained a name or an embedding: SQLite's `secure_delete` clears the pages of a
    dropped table, but leaves copies of rows behind when it moves them between the pages of a table in use.
    """
    tables = base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in tables:  # includes the tables of ANALYZE, which may contain names
        base.execute(f'DROP TABLE "{name}"')
    create_tables(base, header._replace(digest=b""))
    rows = [(name, _digest(header, name, people[name]), people[name]) for name in sorted(people)]
    base.executemany(INSERT, rows)
    _set_total(base, reduce(xor, (_number(digest) for _, digest, _ in rows), _number(_digest(header))))


def empty_gallery(sha256: str, embedding_dim: int) -> Header:
    """Returns the header of a new gallery without people."""
    header = Header(VERSION, sha256, embedding_dim, b"")
    return header._replace(digest=_digest(header))


def rows_of(people: bytes, embedding_dim: int) -> np.ndarray:
    """Returns the bytes of embeddings as an array, (m, d) float32.

    Raises:
        GalleryError: if an embedding is zero or not finite.
    """
    rows = np.frombuffer(people, "<f4").astype(np.float32, copy=False).reshape(-1, embedding_dim)
    if not comparable(rows).all():
        raise damaged("a stored embedding is 0 or not finite")
    return rows


def check_structure(base: sqlite3.Connection, pragma: str) -> None:
    """Raises a `GalleryError` unless SQLite's "integrity_check" or "quick_check" (without the index) passes."""
    if (found := query_value(base, f"PRAGMA {pragma}(1)")) != "ok":
        raise damaged(f"{found:.200}")


def damaged(reason: str) -> GalleryError:
    """Returns the error of a damaged gallery."""
    return GalleryError(f"the gallery is damaged: {reason}. {HINT}")


def _read_version_1(base: sqlite3.Connection, dim: int) -> dict[str, bytes]:
    """Reads version 1 like `read_people`, without the index; spellings with one normalized name are one person."""
    check_structure(base, "integrity_check")
    people: dict[str, list[bytes]] = {}
    for name, embedding in base.execute("SELECT name, embedding FROM pictures NOT INDEXED ORDER BY id"):
        if not isinstance(embedding, bytes) or len(embedding) != 4 * dim:
            raise damaged(f"a stored embedding does not have {dim} values")
        people.setdefault(normalize_name(name), []).append(embedding)
    return {name: b"".join(people[name]) for name in sorted(people)}


def _check_row(header: Header, name: object, digest: object, embeddings: object) -> None:
    if not (
        isinstance(name, str)
        and isinstance(embeddings, bytes)
        and len(embeddings) > 0
        and len(embeddings) % (4 * header.embedding_dim) == 0
        and digest == _digest(header, name, embeddings)
    ):
        raise damaged(f"the name or the embeddings of {ascii(name):.100} do not match their digest")


def _digest(header: Header, name: str = "", embeddings: bytes = b"") -> bytes:
    text = name.encode("utf-8", "surrogatepass")
    head = f"{header.sha256} {header.embedding_dim} {len(text)} ".encode("utf-8", "surrogatepass")
    return sha256(head + text + embeddings).digest()[:DIGEST_BYTES]


def _set_total(base: sqlite3.Connection, total: int) -> None:
    base.execute("UPDATE model SET digest = ?", (total.to_bytes(DIGEST_BYTES, "big"),))


def _number(digest: bytes) -> int:
    return int.from_bytes(digest, "big")
