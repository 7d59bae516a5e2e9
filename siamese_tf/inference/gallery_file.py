"""The file of a gallery: one SQLite data base of names and embeddings. It holds no images and no paths.

What it survives, and why:

- A process killed at any moment, or a power cut: a change is one transaction in SQLite's rollback journal, and is on
  the disk (`synchronous = EXTRA`) before the call returns. Who opens the file next takes back what was half written.
  The write-ahead log would be quicker for writers, but it keeps what was acknowledged in a second file beside the
  first, which is lost when only the gallery is copied, and it does not work on network file systems.
- Several processes at once: who writes takes the lock first (`BEGIN IMMEDIATE`), and others wait for it.
- Files of other makers: the application's number, the schema's version and the very text of the schema must be ours,
  and nothing in a schema is trusted to run.

What is removed is overwritten with zeros (`secure_delete`), since embeddings of faces are personal data; for the same
reason a new gallery can be read and written by its owner alone.

Reference: https://www.sqlite.org/atomiccommit.html and https://www.sqlite.org/security.html
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from siamese_tf.errors import GalleryError
from siamese_tf.inference.gallery_schema import CURE, as_name, lay_out, one, read_model

PATIENCE = 60.0  # seconds to wait for another process
SETTINGS = (
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "secure_delete = ON",
    "synchronous = EXTRA",
    "page_size = 16384",  # of SQLite's usual 4,096 bytes, an embedding of 512 numbers would leave half of each empty
)


class GalleryFile:
    """A gallery on disk, open; close it, or use it in a `with` block.

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
        if new is not None and not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
        if not self.path.is_file():
            found = "it is not a file" if self.path.exists() else "there is no such file"
            raise GalleryError(f"{path}: {found}; expected a gallery. Check the path, or enroll somebody to make one")
        address = f"{self.path.resolve().as_uri()}?mode=rw"  # SQLite makes no file of its own accord
        with self._telling():
            self._base = sqlite3.connect(address, uri=True, timeout=PATIENCE, isolation_level=None)
        try:
            with self._telling():
                for setting in SETTINGS:
                    self._base.execute(f"PRAGMA {setting}")
            if new is not None:
                with self._transaction("IMMEDIATE"):
                    lay_out(self._base, *new)
            with self._transaction():
                self.model_sha256, self.embedding_dim = read_model(self._base)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes the file; nothing is lost without it."""
        self._base.close()

    def __enter__(self) -> "GalleryFile":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add(self, names: Sequence[str], embeddings: np.ndarray) -> None:
        """Adds pictures, all or none; they are on the disk when the call returns.

        Args:
            names: whom each picture shows, r of them, as `as_name` gives them.
            embeddings: (r, d) float32.
        """
        rows = zip(names, (row.tobytes() for row in embeddings.astype("<f4")), strict=True)
        with self._transaction("IMMEDIATE"):
            self._base.executemany("INSERT INTO pictures (name, embedding) VALUES (?, ?)", rows)

    def remove(self, name: str) -> int:
        """Removes a person with all pictures; how many there were."""
        with self._transaction("IMMEDIATE"):
            return self._base.execute("DELETE FROM pictures WHERE name = ?", (name,)).rowcount

    def counts(self) -> dict[str, int]:
        """How many pictures each person has, by name, in the order of the names."""
        with self._transaction():
            return self._counts()

    def of(self, name: str) -> np.ndarray:
        """The embeddings (r, d) float32 of a person, in the order they came; r is 0 for one who is not there."""
        with self._transaction():
            found = self._base.execute("SELECT embedding FROM pictures WHERE name = ? ORDER BY id", (name,)).fetchall()
            return self._as_rows(found, len(found))

    def all(self) -> tuple[dict[str, int], np.ndarray]:
        """What `counts` gives, and all embeddings (m, d) float32, person by person in that order."""
        with self._transaction():
            counts = self._counts()
            found = self._base.execute("SELECT embedding FROM pictures ORDER BY name, id")
            return counts, self._as_rows(found, sum(counts.values()))

    def version(self) -> int:
        """A number that changes when another process has changed the file."""
        with self._telling():
            return one(self._base, "PRAGMA data_version")

    def _counts(self) -> dict[str, int]:
        counts = dict(self._base.execute("SELECT name, count(*) FROM pictures GROUP BY name ORDER BY name"))
        for name in counts:
            as_name(name)
        return counts

    def _as_rows(self, found: Iterable, count: int) -> np.ndarray:
        rows = np.empty((count, self.embedding_dim), np.float32)
        for position, (blob,) in enumerate(found):
            if not isinstance(blob, bytes) or len(blob) != 4 * self.embedding_dim:
                raise GalleryError(f"an embedding in it has not {self.embedding_dim} numbers. {CURE}")
            rows[position] = np.frombuffer(blob, "<f4")
        squares = np.einsum("ij,ij->i", rows, rows)  # of the lengths; a number that is not finite makes it so
        if not (np.isfinite(squares) & (squares > 0)).all():
            raise GalleryError(f"an embedding in it is 0 or not finite. {CURE}")
        return rows

    @contextmanager
    def _transaction(self, kind: str = "DEFERRED") -> Iterator[None]:
        """Everything in the block happens, or nothing; what is read in it is of one moment."""
        with self._telling():
            self._base.execute(f"BEGIN {kind}")
            try:
                yield
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Says which file an error is about, and turns what SQLite says into words that say what to do."""
        try:
            yield
        except GalleryError as error:
            raise GalleryError(f"{self.path}: {error}") from error
        except sqlite3.OperationalError as error:
            raise GalleryError(
                f"{self.path}: it cannot be used now ({error}). Check its rights and those of its folder, the space on"
                " the disk, and whether another process holds it"
            ) from error
        except sqlite3.Error as error:
            raise GalleryError(f"{self.path}: it is no gallery, or a damaged one ({error}). {CURE}") from error
