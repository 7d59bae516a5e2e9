"""The people in a gallery's database, read with their digests and written with them.

    digest of a person  = H(model's SHA-256, embedding_dim, name, embeddings)
    digest of a gallery = H(model's SHA-256, embedding_dim) XOR the digests of all people

H is SHA-256, cut to 16 bytes.

One bit that changes in a name or an embedding, a row that the index gives for another name, and rows that vanish or
come twice are found before they answer. The digests have no key: they show damage, not forgery.
"""

import sqlite3
from collections.abc import Mapping
from functools import reduce
from hashlib import sha256
from operator import xor

import numpy as np

from siamese_tf.errors import GalleryError
from siamese_tf.inference.gallery_names import normalize_name
from siamese_tf.inference.gallery_schema import DIGEST_BYTES, HINT, VERSION, Marks, create_tables, one
from siamese_tf.models.embeddings import comparable

INSERT = "INSERT INTO people (name, digest, embeddings) VALUES (?, ?, ?)"


def read_people(base: sqlite3.Connection, marks: Marks) -> dict[str, bytes]:
    """Returns the embeddings of everybody, float32 bytes by name, in the order of the names.

    Raises:
        GalleryError: what is read is not what was enrolled.
    """
    if marks.version < VERSION:
        return _read_version_1(base, marks.embedding_dim)
    people: dict[str, bytes] = {}
    total = _number(_digest(marks))
    for name, digest, embeddings in base.execute("SELECT name, digest, embeddings FROM people NOT INDEXED ORDER BY id"):
        _check_row(marks, name, digest, embeddings)
        if name in people or normalize_name(name) != name:
            raise damaged(f"the name {ascii(name):.100} comes twice, or is not in its normal form")
        people[name] = embeddings
        total = xor(total, _number(digest))
    if total != _number(marks.digest):
        raise damaged("people in it are missing, or are not those that were enrolled")
    return dict(sorted(people.items()))


def read_person(base: sqlite3.Connection, marks: Marks, name: str) -> bytes:
    """Returns the embeddings of one person as float32 bytes, empty where the index has nobody of that name.

    In version 2 only: in version 1, names are not in their normal form.
    """
    found = base.execute("SELECT digest, embeddings FROM people WHERE name = ?", (name,)).fetchone()
    if found is None:
        return b""
    _check_row(marks, name, *found)
    return found[1]


def add_people(base: sqlite3.Connection, marks: Marks, people: Mapping[str, bytes]) -> None:
    """Adds embeddings to people who may be in the gallery already."""
    total = _number(marks.digest)
    for name, embeddings in people.items():
        before = read_person(base, marks, name)
        digest = _digest(marks, name, before + embeddings)
        total = xor(total, _number(digest))
        if before:
            total = xor(total, _number(_digest(marks, name, before)))
            change = "UPDATE people SET digest = ?, embeddings = ? WHERE name = ?"
            base.execute(change, (digest, before + embeddings, name))
        else:
            base.execute(INSERT, (name, digest, embeddings))
    _set_total(base, total)


def rewrite_gallery(base: sqlite3.Connection, marks: Marks, people: Mapping[str, bytes]) -> None:
    """Replaces all tables by new ones with these people, in version 2.

    Every page that held a name or an embedding is overwritten: SQLite's `secure_delete` clears the pages of a table
    that is dropped, but when it moves rows between the pages of a table in use, it leaves copies of them behind.
    """
    tables = base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in tables:  # those of read_marks, and what ANALYZE left, which may hold names
        base.execute(f'DROP TABLE "{name}"')
    create_tables(base, marks._replace(digest=b""))
    rows = [(name, _digest(marks, name, people[name]), people[name]) for name in sorted(people)]
    base.executemany(INSERT, rows)
    _set_total(base, reduce(xor, (_number(digest) for _, digest, _ in rows), _number(_digest(marks))))


def empty_gallery(sha256: str, embedding_dim: int) -> Marks:
    """Returns the marks of a new gallery without people."""
    marks = Marks(VERSION, sha256, embedding_dim, b"")
    return marks._replace(digest=_digest(marks))


def rows_of(people: bytes, embedding_dim: int) -> np.ndarray:
    """Returns the bytes of embeddings as (m, d) float32.

    Raises:
        GalleryError: an embedding has length 0 or is not finite.
    """
    rows = np.frombuffer(people, "<f4").astype(np.float32, copy=False).reshape(-1, embedding_dim)
    if not comparable(rows).all():
        raise damaged("an embedding in it is 0 or not finite")
    return rows


def check_structure(base: sqlite3.Connection, pragma: str) -> None:
    """Raises a GalleryError unless SQLite's "integrity_check" or "quick_check", which leaves out the index, passes."""
    if (found := one(base, f"PRAGMA {pragma}(1)")) != "ok":
        raise damaged(f"{found:.200}")


def damaged(reason: str) -> GalleryError:
    """Returns the error for a gallery that is damaged."""
    return GalleryError(f"the gallery is damaged: {reason}. {HINT}")


def _read_version_1(base: sqlite3.Connection, dim: int) -> dict[str, bytes]:
    """Reads version 1 like `read_people`: not through the index, and two spellings of a name are one person."""
    check_structure(base, "integrity_check")
    people: dict[str, list[bytes]] = {}
    for name, embedding in base.execute("SELECT name, embedding FROM pictures NOT INDEXED ORDER BY id"):
        if not isinstance(embedding, bytes) or len(embedding) != 4 * dim:
            raise damaged(f"an embedding in it has not {dim} numbers")
        people.setdefault(normalize_name(name), []).append(embedding)
    return {name: b"".join(people[name]) for name in sorted(people)}


def _check_row(marks: Marks, name: object, digest: object, embeddings: object) -> None:
    if not (
        isinstance(name, str)
        and isinstance(embeddings, bytes)
        and len(embeddings) > 0
        and len(embeddings) % (4 * marks.embedding_dim) == 0
        and digest == _digest(marks, name, embeddings)
    ):
        raise damaged(f"the name or the embeddings of {ascii(name):.100} do not match their digest")


def _digest(marks: Marks, name: str = "", embeddings: bytes = b"") -> bytes:
    text = name.encode("utf-8", "surrogatepass")
    head = f"{marks.sha256} {marks.embedding_dim} {len(text)} ".encode("utf-8", "surrogatepass")
    return sha256(head + text + embeddings).digest()[:DIGEST_BYTES]


def _set_total(base: sqlite3.Connection, total: int) -> None:
    base.execute("UPDATE model SET digest = ?", (total.to_bytes(DIGEST_BYTES, "big"),))


def _number(digest: bytes) -> int:
    return int.from_bytes(digest, "big")
