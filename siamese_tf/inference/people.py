"""People of a gallery in memory, reloaded when the file of the gallery changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from siamese_tf.inference.gallery_file import GalleryFile

if TYPE_CHECKING:
    from siamese_tf.models.siamese_model import SiameseModel


@dataclass(frozen=True, eq=False)
class People:
    """Enrolled people with their embeddings.

    Attributes:
        names: names of the N people.
        ends: end of the rows of each person, (N,) integers; person j has `rows[ends[j - 1] : ends[j]]`, the first
            person `rows[: ends[0]]`.
        rows: result of `PairScorer.prepare` for all embeddings, (m, d) float32.
    """

    names: Sequence[str]
    ends: np.ndarray
    rows: np.ndarray

    def of(self, person: int) -> np.ndarray:
        """Returns the rows of one person, (r, d)."""
        return self.rows[self.ends[person - 1] if person else 0 : self.ends[person]]


class PeopleCache:
    """Thread-safe cache of the people in a gallery's file; reads the file again only after a change."""

    def __init__(self) -> None:
        self._loaded: tuple[object, People] | None = None  # with the version of the file
        self._lock = Lock()

    def load(self, file: GalleryFile, model: "SiameseModel") -> People:
        """Returns the people of the file, prepared for comparison by the model."""
        with self._lock:
            loaded = self._loaded
            if loaded is None or loaded[0] != file.version():
                # Version and rows are read together: removing and enrolling a person again restores an old version.
                version, counts, rows = file.snapshot()
                ends = np.cumsum(list(counts.values()), dtype=int)
                loaded = self._loaded = version, People(list(counts), ends, model.all_pairs.prepare(rows))
        return loaded[1]

    def clear(self) -> None:
        """Frees the memory of the cached people."""
        self._loaded = None
