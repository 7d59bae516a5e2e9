"""File of a gallery: one SQLite database of names and embeddings, without images and paths.

It is safe against:

- Killed processes and power failures: a change is one transaction in SQLite's rollback journal and is on disk
  (`synchronous = EXTRA`) before the call returns. A partial change is rolled back when the file is opened again. A
  write-ahead log would be faster for writers, but stores acknowledged changes in a second file, which is lost if only
  the gallery is copied, and does not work on network file systems.
- Concurrent threads and processes: a writer acquires the lock first (`BEGIN IMMEDIATE`), and others wait.
- Foreign files: the application id, the schema version and the text of the schema must match, and SQL in a schema is
  never trusted.
- Damage: every row and the whole gallery have digests (`gallery_rows`).

Embeddings of faces are personal data. `remove` rewrites all tables in one transaction, so that no trace of the person
remains in the file, and the journal is overwritten with zeros. Only its owner can read and write a new gallery.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from time import time, time_ns

import numpy as np

from siamese_tf.errors import GalleryError
from siamese_tf.inference.gallery_database import resolve_file, transaction, wipe_old_journal
from siamese_tf.inference.gallery_rows import (
    add_people,
    check_structure,
    damaged,
    empty_gallery,
    read_people,
    read_person,
    rewrite_gallery,
    rows_of,
)
from siamese_tf.inference.gallery_schema import VERSION, Header, create_tables, is_empty, read_header

MAX_CHECK_AT_OPEN = 1 << 24  # bytes; the structure of files up to this size is checked when opened, in 0.03 s or less
MTIME_RESOLUTION = 2.0  # seconds within which file systems may give two changes the same time


class GalleryFile:
    """A gallery on disk, for any number of threads; close it, or use it in a `with` block.

    Attributes:
        path: path of the gallery.
        model_sha256: SHA-256 of the model file that computed the embeddings, in hexadecimal.
        embedding_dim: number d of values in an embedding.
    """

    def __init__(self, path: str | Path, new: tuple[str, int] | None = None):
        """Opens a gallery.

        Args:
            path: path of the gallery.
            new: SHA-256 and embedding_dim of a model, to create a missing gallery; None requires an existing one.

        Raises:
            GalleryError: if the file is missing, damaged, or not a gallery of a supported version.
        """
        self.path = Path(path)
        self._file = resolve_file(self.path, new is not None)
        self._closed = False
        self._counts: tuple[bytes | None, dict[str, int]] = (None, {})  # with the digest of their gallery
        if new is not None and self._file.stat().st_size == 0:
            with transaction(self._file, write=True, shown=self.path) as base:
                if is_empty(base):
                    create_tables(base, empty_gallery(*new))
        with transaction(self._file, shown=self.path) as base:
            header = read_header(base)
            self.model_sha256, self.embedding_dim = header.sha256, header.embedding_dim
            if self._file.stat().st_size <= MAX_CHECK_AT_OPEN:
                check_structure(base, "quick_check")
        wipe_old_journal(self._file)

    def close(self) -> None:
        """Closes the gallery for all threads; changes are on disk already."""
        self._closed = True

    def __enter__(self) -> "GalleryFile":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add(self, names: Sequence[str], embeddings: np.ndarray) -> None:
        """Adds embeddings atomically; they are on disk when the call returns.

        Args:
            names: name of the person for each of the r embeddings, from `parse_name`.
            embeddings: embeddings, (r, d) float32.
        """
        rows_of_name: dict[str, list[bytes]] = {}
        for name, row in zip(names, embeddings.astype("<f4"), strict=True):
            rows_of_name.setdefault(name, []).append(row.tobytes())
        with self._transaction(write=True) as (base, header):
            if header.version < VERSION:
                rewrite_gallery(base, header, read_people(base, header))
                header = read_header(base)
            add_people(base, header, {name: b"".join(rows) for name, rows in rows_of_name.items()})

    def remove(self, name: str) -> int:
        """Removes a person with all embeddings and every trace in the file; returns the number of embeddings.

        Args:
            name: the person, as returned by `normalize_name`.
        """
        with self._transaction(write=True) as (base, header):
            people = read_people(base, header)
            embeddings = people.pop(name, b"")
            if embeddings:
                rewrite_gallery(base, header, people)
            return self._count(embeddings)

    def counts(self) -> dict[str, int]:
        """Returns the number of embeddings of each person, sorted by name."""
        with self._transaction() as (base, header):
            return dict(self._known_counts(base, header))

    def of(self, name: str) -> np.ndarray:
        """Returns the embeddings of a person, (r, d) float32, in the order of enrollment; r = 0 for unknown names.

        Args:
            name: the person, as returned by `normalize_name`.
        """
        with self._transaction() as (base, header):
            if header.version < VERSION:
                found = self._read_all(base, header)[0].get(name, b"")
            else:
                found = read_person(base, header, name)
                if not found and name in self._known_counts(base, header):
                    raise damaged(f"the index lacks {ascii(name):.100}")
            return rows_of(found, self.embedding_dim)

    def snapshot(self) -> tuple[object, dict[str, int], np.ndarray]:
        """Returns the results of `version` and `counts` and all embeddings, read in one transaction.

        The embeddings, (m, d) float32, are grouped by person in the order of the counts.
        """
        with self._transaction() as (base, header):
            version = self._version(header)
            people, counts = self._read_all(base, header)
        return version, counts, rows_of(b"".join(people.values()), self.embedding_dim)

    def version(self) -> object:
        """Returns a value that changes whenever the people or their embeddings change."""
        with self._transaction() as (_, header):
            return self._version(header)

    def check(self) -> dict[str, int]:
        """Checks the whole file, its index and all digests, and returns the result of `counts`.

        Raises:
            GalleryError: if the file is damaged.
        """
        with self._transaction() as (base, header):
            check_structure(base, "integrity_check")
            return self._read_all(base, header)[1]

    def _read_all(self, base: Connection, header: Header) -> tuple[dict[str, bytes], dict[str, int]]:
        people = read_people(base, header)
        counts = {name: self._count(embeddings) for name, embeddings in people.items()}
        if header.version == VERSION:
            self._counts = header.digest, counts
        return people, dict(counts)

    def _known_counts(self, base: Connection, header: Header) -> dict[str, int]:
        """Returns the result of `counts`; reads the rows again only if the gallery has changed."""
        digest, counts = self._counts
        return counts if digest == header.digest else self._read_all(base, header)[1]

    def _version(self, header: Header) -> object:
        if header.version == VERSION:
            return header.digest
        stat = self._file.stat()
        recent = time_ns() if time() - stat.st_mtime < MTIME_RESOLUTION else 0
        return stat.st_ino, stat.st_size, stat.st_mtime_ns, recent

    def _count(self, embeddings: bytes) -> int:
        return len(embeddings) // (4 * self.embedding_dim)

    @contextmanager
    def _transaction(self, write: bool = False) -> Iterator[tuple[Connection, Header]]:
        if self._closed:
            raise GalleryError(f"{self.path}: the gallery is closed. Open it again")
        with transaction(self._file, write, self.path) as base:
            header = read_header(base)
            if (header.sha256, header.embedding_dim) != (self.model_sha256, self.embedding_dim):
                raise GalleryError("the file was replaced with another model's gallery. Open it again, with that model")
            yield base, header
