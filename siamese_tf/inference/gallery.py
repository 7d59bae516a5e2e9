"""Enrolled people, and whether a picture shows one of them: 1:1 (`verify`) and 1:K (`identify`).

A gallery keeps embeddings and is bound to the file of its model, which compares them: it has no TensorFlow of its own.
"""

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from siamese_tf.errors import GalleryError, ImageError
from siamese_tf.inference.gallery_file import GalleryFile
from siamese_tf.inference.gallery_names import normalize_name, parse_name
from siamese_tf.inference.matching import (
    Match,
    People,
    as_rows,
    check_settings,
    corrected_threshold,
    nearest,
    rank_people,
)

if TYPE_CHECKING:
    from siamese_tf.models.siamese_model import SiameseModel

SPARE = 16  # people beyond the best ones whose scores are computed with care, since quick scores are rounded


class Gallery:
    """People by name, with one or more embeddings each; close it, or use it in a `with` block.

    Any thread may use it, at once with others. A process that is forked after TensorFlow has been loaded hangs: start
    processes with the method "spawn", or load the model in the child.
    """

    def __init__(self, file: GalleryFile, model: "SiameseModel | None"):
        """Takes an open file that fits the model; `Gallery.open` makes sure of it."""
        self._file = file
        self._given = model
        self._people: tuple[object, People] | None = None  # with the version of the file they were read at
        self._loading = Lock()

    @classmethod
    def open(cls, path: str | Path, model: "SiameseModel | None" = None, create: bool = False) -> "Gallery":
        """Opens a gallery.

        Args:
            path: the file.
            model: read from its file; without one, people can be listed and removed, no more.
            create: makes the gallery, for the model, where there is none.

        Raises:
            GalleryError: the file is missing, damaged, foreign, or of another model; or the model has no file.
        """
        if model is None:
            return cls(GalleryFile(path), None)
        if model.file_sha256 is None:
            raise GalleryError(
                "a gallery is bound to the file of its model, and this model was not read from one."
                " Save it, and take what siamese_tf.load_model gives"
            )
        file = GalleryFile(path, new=(model.file_sha256, model.embedding_dim) if create else None)
        if (file.model_sha256, file.embedding_dim) != (model.file_sha256, model.embedding_dim):
            file.close()
            raise GalleryError(
                f"{path}: the gallery is of the model file with SHA-256 {file.model_sha256:.16}..., and the one given"
                f" has {model.file_sha256:.16}...: embeddings of two models cannot be compared. Give that model, or"
                " enroll the pictures into a new gallery"
            )
        return cls(file, model)

    def close(self) -> None:
        """Closes the gallery for all threads; nothing is lost without it."""
        self._file.close()
        self._people = None

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def enroll(self, name: str, embeddings: np.ndarray) -> None:
        """Adds pictures of a person, all or none; when the call returns, they outlive a crash.

        Args:
            name: any text on a line; of a person who may be known already.
            embeddings: (r, d) or (d,) float, as the model's `embed` gives them, at least one.

        Raises:
            GalleryError: not a name, or the file cannot be written.
            ImageError: none, or embeddings of another shape, not finite, or of length 0.
        """
        name, rows = parse_name(name), as_rows(embeddings, self._file.embedding_dim)
        if not len(rows):
            raise ImageError(f"there is no embedding to enroll {name!r} with; expected at least one. Give a picture")
        self._file.add([name] * len(rows), rows)

    def remove(self, name: str) -> int:
        """Removes a person with all pictures; how many there were.

        The file is written anew, without a trace of them, which takes a second or so for 100,000 people.

        Raises:
            GalleryError: nobody of that name is there, or the file is damaged or cannot be written.
        """
        removed = self._file.remove(normalize_name(name))
        if not removed:
            raise self._nobody(name)
        return removed

    def names(self) -> dict[str, int]:
        """Returns the number of pictures of each person, in the order of the names.

        Raises:
            GalleryError: the file is damaged.
        """
        return self._file.counts()

    def check(self) -> dict[str, int]:
        """Checks the whole file, with its index and the digests of all people; gives what `names` gives.

        Raises:
            GalleryError: the file is damaged.
        """
        return self._file.check()

    def verify(self, name: str, embedding: np.ndarray, match: str = "mean") -> Match:
        """Whether a picture shows the person that it is said to show.

        There is no presentation-attack detection: a photo of a face passes for the face.

        Args:
            name: of an enrolled person.
            embedding: (d,) or (1, d) float, as the model's `embed` gives it.
            match: a person with several pictures is compared by the "mean" of their logits, or by the "best".

        Returns:
            The decision, `same` or not, with the score and the threshold.

        Raises:
            GalleryError: nobody of that name is there, or the file is damaged.
            ImageError: not one embedding, or one that is not finite or of length 0.
            ConfigError: another match.
        """
        check_settings(match)
        model, probe = self._model(), as_rows(embedding, self._file.embedding_dim)
        if len(probe) != 1:
            raise ImageError(f"verify looks at one picture; got {len(probe)} embeddings. Verify each by itself")
        name = normalize_name(name)
        rows = self._file.of(name)
        if not len(rows):
            raise self._nobody(name)
        threshold = corrected_threshold(model.threshold, {"mean": 1, "best": len(rows)}[match])
        return rank_people(model, probe[0], [(name, rows)], match, threshold)[0]

    def identify(self, embeddings: np.ndarray, top: int = 5, match: str = "mean") -> list[list[Match]]:
        """Whom of all enrolled people pictures show, if any.

        The search is exact: every picture is compared with every embedding of the gallery, which stays in memory from
        the first call on and is read again when another process has changed the file. There is no presentation-attack
        detection: a photo of a face passes for the face.

        Args:
            embeddings: (n, d) or (d,) float, as the model's `embed` gives them.
            top: how many people to name for each, 1 or more.
            match: as for `verify`.

        Returns:
            For each picture at most `top` people, best first. Where the first is not the `same`, or there is none, it
            shows somebody unknown; the threshold is raised for the size of the gallery.

        Raises:
            GalleryError: the file is damaged.
            ImageError: embeddings of another shape, not finite, or of length 0.
            ConfigError: another match, or a top that is no whole number from 1 on.
        """
        check_settings(match, top)
        model, probes, people = self._model(), as_rows(embeddings, self._file.embedding_dim), self._everybody()
        if not people.names:
            return [[] for _ in probes]
        threshold = people.threshold(model.threshold, match)
        return [
            rank_people(model, probe, [(people.names[j], people.of(j)) for j in sorted(near)], match, threshold)[:top]
            for probe, near in nearest(model, probes, people, top + SPARE, match)
        ]

    def can_match_anyone(self, match: str = "mean") -> bool:
        """Whether any enrolled picture, beside itself, reaches the threshold of `identify`: if not, nobody is known."""
        check_settings(match)
        model, people = self._model(), self._everybody()
        itself = np.arange(len(people.rows))
        scores = expit(model.pair_logits(people.rows, itself, itself).astype(np.float64))
        return bool((scores >= people.threshold(model.threshold, match)).any())

    def _everybody(self) -> People:
        model = self._model()
        with self._loading:
            version, loaded = self._file.version(), self._people
            if loaded is None or loaded[0] != version:
                counts, rows = self._file.all()
                ends = np.cumsum(list(counts.values()), dtype=int)
                loaded = self._people = version, People(list(counts), ends, model.all_pairs.prepare(rows))
        return loaded[1]

    def _model(self) -> "SiameseModel":
        if self._given is None:
            raise GalleryError("this gallery was opened without a model, to list and remove. Open it with its model")
        return self._given

    def _nobody(self, name: str) -> GalleryError:
        return GalleryError(
            f"{self._file.path}: there is nobody called {name!r:.100}. Check the name (siamese-tf gallery list), or"
            " enroll the person first"
        )
