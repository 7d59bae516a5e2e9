"""The file of a gallery: one SQLite database of names and embeddings. It holds no images and no paths.

What it survives, and why:

- A process killed at any moment, or a power cut: a change is one transaction in SQLite's rollback journal, and is on
  the disk (`synchronous = EXTRA`) before the call returns. Who opens the file next takes back what was half written.
  The write-ahead log would be quicker for writers, but it keeps what was acknowledged in a second file beside the
  first, which is lost when only the gallery is copied, and it does not work on network file systems.
- Several threads and processes at once: who writes takes the lock first (`BEGIN IMMEDIATE`), and others wait for it.
- Files of other makers: the application's number, the schema's version and the very text of the schema must be ours,
  and nothing in a schema is trusted to run.
- Damage: each person's row has a digest, and so has the whole, see `gallery_rows`.

Embeddings of faces are personal data. `remove` writes all tables anew, in one transaction, so that the file holds
nothing of what was removed; the journal is overwritten with zeros. A new gallery can be read and written by its owner
alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from time import time, time_ns

import numpy as np

from siamese_tf.errors import GalleryError
from siamese_tf.inference.gallery_database import regular_file, transaction, wipe_old_journal
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
from siamese_tf.inference.gallery_schema import VERSION, Marks, create_tables, is_empty, read_marks

CHECKED_AT_OPEN = 1 << 24  # bytes of a file whose structure is checked at every opening; 0.03 s for so many
FRESH = 2.0  # seconds after a change in which the clock of a file system may not tell another change from it


class GalleryFile:
    """A gallery on disk, for any number of threads; close it, or use it in a `with` block.

    Attributes:
        path: of the file.
        model_sha256: of the model file that the embeddings are of, in hexadecimal.
        embedding_dim: d, the numbers in an embedding.
    """

    def __init__(self, path: str | Path, new: tuple[str, int] | None = None):
        """Opens a gallery.

        Args:
            path: the file.
            new: the model's SHA-256 and its embedding_dim, to make the gallery where there is none.

        Raises:
            GalleryError: it is missing, damaged, or not a gallery of this version.
        """
        self.path = Path(path)
        self._file = regular_file(self.path, new is not None)
        self._closed = False
        self._counts: tuple[bytes | None, dict[str, int]] = (None, {})  # with the digest of the gallery they are of
        if new is not None and self._file.stat().st_size == 0:
            with transaction(self._file, write=True, shown=self.path) as base:
                if is_empty(base):
                    create_tables(base, empty_gallery(*new))
        with transaction(self._file, shown=self.path) as base:
            marks = read_marks(base)
            self.model_sha256, self.embedding_dim = marks.sha256, marks.embedding_dim
            if self._file.stat().st_size <= CHECKED_AT_OPEN:
                check_structure(base, "quick_check")
        wipe_old_journal(self._file)

    def close(self) -> None:
        """Closes the gallery for all threads; nothing is lost without it."""
        self._closed = True

    def __enter__(self) -> "GalleryFile":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add(self, names: Sequence[str], embeddings: np.ndarray) -> None:
        """Adds pictures, all or none; they are on the disk when the call returns.

        Args:
            names: whom each picture shows, r of them, as `parse_name` gives them.
            embeddings: (r, d) float32.
        """
        pictures: dict[str, list[bytes]] = {}
        for name, row in zip(names, embeddings.astype("<f4"), strict=True):
            pictures.setdefault(name, []).append(row.tobytes())
        with self._transaction(write=True) as (base, marks):
            if marks.version < VERSION:
                rewrite_gallery(base, marks, read_people(base, marks))
                marks = read_marks(base)
            add_people(base, marks, {name: b"".join(rows) for name, rows in pictures.items()})

    def remove(self, name: str) -> int:
        """Removes a person with all pictures, and every trace in the file; how many pictures there were.

        Args:
            name: as `normalize_name` gives it.
        """
        with self._transaction(write=True) as (base, marks):
            people = read_people(base, marks)
            embeddings = people.pop(name, b"")
            if embeddings:
                rewrite_gallery(base, marks, people)
            return self._pictures(embeddings)

    def counts(self) -> dict[str, int]:
        """How many pictures each person has, by name, in the order of the names."""
        with self._transaction() as (base, marks):
            return dict(self._known_counts(base, marks))

    def of(self, name: str) -> np.ndarray:
        """The embeddings (r, d) float32 of a person, in the order they came; r is 0 for one who is not there.

        Args:
            name: as `normalize_name` gives it.
        """
        with self._transaction() as (base, marks):
            if marks.version < VERSION:
                found = self._everybody(base, marks)[0].get(name, b"")
            else:
                found = read_person(base, marks, name)
                if not found and name in self._known_counts(base, marks):
                    raise damaged(f"its index lacks {ascii(name):.100}")
            return rows_of(found, self.embedding_dim)

    def all(self) -> tuple[dict[str, int], np.ndarray]:
        """What `counts` gives, and all embeddings (m, d) float32, person by person in that order."""
        with self._transaction() as (base, marks):
            people, counts = self._everybody(base, marks)
        return counts, rows_of(b"".join(people.values()), self.embedding_dim)

    def version(self) -> object:
        """A value that changes when the people or their pictures have changed."""
        with self._transaction() as (_, marks):
            return self._version(marks)

    def check(self) -> dict[str, int]:
        """Checks the whole file, its index and all digests; gives what `counts` gives.

        Raises:
            GalleryError: it is damaged.
        """
        with self._transaction() as (base, marks):
            check_structure(base, "integrity_check")
            return self._everybody(base, marks)[1]

    def _everybody(self, base: Connection, marks: Marks) -> tuple[dict[str, bytes], dict[str, int]]:
        people = read_people(base, marks)
        counts = {name: self._pictures(embeddings) for name, embeddings in people.items()}
        if marks.version == VERSION:
            self._counts = marks.digest, counts
        return people, dict(counts)

    def _known_counts(self, base: Connection, marks: Marks) -> dict[str, int]:
        """Returns what `counts` gives; the rows themselves are read once while the gallery stays as it is."""
        digest, counts = self._counts
        return counts if digest == marks.digest else self._everybody(base, marks)[1]

    def _version(self, marks: Marks) -> object:
        if marks.version == VERSION:
            return marks.digest
        found = self._file.stat()
        fresh = time_ns() if time() - found.st_mtime < FRESH else 0
        return found.st_ino, found.st_size, found.st_mtime_ns, fresh

    def _pictures(self, embeddings: bytes) -> int:
        return len(embeddings) // (4 * self.embedding_dim)

    @contextmanager
    def _transaction(self, write: bool = False) -> Iterator[tuple[Connection, Marks]]:
        if self._closed:
            raise GalleryError(f"{self.path}: the gallery is closed. Open it again")
        with transaction(self._file, write, self.path) as base:
            marks = read_marks(base)
            if (marks.sha256, marks.embedding_dim) != (self.model_sha256, self.embedding_dim):
                raise GalleryError("another model's gallery has taken its place. Open it again, with that model")
            yield base, marks
