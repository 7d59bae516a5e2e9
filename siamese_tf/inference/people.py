"""The people of a gallery in memory, reloaded when the gallery's file changes."""

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
        names: the names of the N people.
        ends: (N,) integers; the images of person j are the rows from `ends[j - 1]` (0 for the first) to `ends[j]`.
        rows: (m, d) float32, the result of `PairScorer.prepare` for all embeddings.
    """

    names: Sequence[str]
    ends: np.ndarray
    rows: np.ndarray

    def of(self, person: int) -> np.ndarray:
        """Returns the rows (r, d) of one person."""
        return self.rows[self.ends[person - 1] if person else 0 : self.ends[person]]


class PeopleCache:
    """The people of a gallery's file, for any number of threads; the file is read again only after a change."""

    def __init__(self) -> None:
        self._loaded: tuple[object, People] | None = None  # with the version of the file
        self._lock = Lock()

    def load(self, file: GalleryFile, model: "SiameseModel") -> People:
        """Returns the people of the file, prepared for comparison by the model."""
        with self._lock:
            loaded = self._loaded
            if loaded is None or loaded[0] != file.version():
                # The version comes with the rows: one person removed and enrolled again gives an earlier version.
                version, counts, rows = file.snapshot()
                ends = np.cumsum(list(counts.values()), dtype=int)
                loaded = self._loaded = version, People(list(counts), ends, model.all_pairs.prepare(rows))
        return loaded[1]

    def clear(self) -> None:
        """Frees the memory of the people."""
        self._loaded = None
