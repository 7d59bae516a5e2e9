"""A gallery of enrolled people, for verification (1:1, `verify`) and identification (1:N, `identify`).

A gallery stores embeddings and belongs to the file of the model that computed them. The model compares them: this
module does not import TensorFlow itself.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from siamese_tf.errors import GalleryError, ImageError
from siamese_tf.inference.gallery_file import GalleryFile
from siamese_tf.inference.gallery_model import open_gallery_file
from siamese_tf.inference.gallery_names import normalize_name, parse_name
from siamese_tf.inference.matching import (
    Match,
    as_rows,
    check_settings,
    corrected_threshold,
    gallery_threshold,
    nearest_people,
    rank_people,
)
from siamese_tf.inference.people import People, PeopleCache
from siamese_tf.models.probability import probability

if TYPE_CHECKING:
    from siamese_tf.models.siamese_model import SiameseModel

EXTRA_CANDIDATES = 16  # people scored exactly in addition to the requested ones, since the fast search rounds scores


class Gallery:
    """Enrolled people, each with one or more embeddings; close it, or use it in a `with` block.

    A gallery can be used by several threads at the same time. A process that is forked after TensorFlow was loaded
    hangs: start processes with the method "spawn", or load the model in the child.
    """

    def __init__(self, file: GalleryFile, model: "SiameseModel | None"):
        """Wraps an open file of the model; use `Gallery.open`, which checks that they match."""
        self._file = file
        self._model = model
        self._cache = PeopleCache()

    @classmethod
    def open(cls, path: str | Path, model: "SiameseModel | None" = None, create: bool = False) -> "Gallery":
        """Opens a gallery.

        Args:
            path: path of the gallery.
            model: model loaded from its file; without a model, people can only be listed and removed.
            create: if True, creates a missing gallery for the model.

        Raises:
            GalleryError: if `open_gallery_file` raises it.
        """
        return cls(open_gallery_file(path, model, create), model)

    def close(self) -> None:
        """Closes the gallery for all threads and frees its memory; changes are on disk already."""
        self._file.close()
        self._cache.clear()

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def enroll(self, name: str, embeddings: np.ndarray) -> None:
        """Adds embeddings of a person atomically; they survive a crash once the call has returned.

        Args:
            name: name of a new or an enrolled person, one line of text.
            embeddings: embeddings from the model's `embed`, (r, d) or (d,) float, r >= 1.

        Raises:
            GalleryError: if the name is invalid, or the file cannot be written.
            ImageError: if there are no embeddings, or they have the wrong shape, or are zero or not finite.
        """
        name, rows = parse_name(name), as_rows(embeddings, self._file.embedding_dim)
        if not len(rows):
            raise ImageError(f"embeddings must have at least one row to enroll {name!r}; got none")
        self._file.add([name] * len(rows), rows)

    def remove(self, name: str) -> int:
        """Removes a person with all images and returns their number.

        The file is rewritten so that no trace of them remains, which takes about a second for 100,000 people.

        Raises:
            GalleryError: if no person of that name is enrolled, or the file is damaged or cannot be written.
        """
        removed = self._file.remove(normalize_name(name))
        if not removed:
            raise self._not_enrolled(name)
        return removed

    def names(self) -> dict[str, int]:
        """Returns the number of images of each person, sorted by name.

        Raises:
            GalleryError: if the file is damaged.
        """
        return self._file.counts()

    def check(self) -> dict[str, int]:
        """Checks the whole file, with its index and the digests of all people, and returns the result of `names`.

        Raises:
            GalleryError: if the file is damaged.
        """
        return self._file.check()

    def verify(self, name: str, embedding: np.ndarray, match: str = "mean") -> Match:
        """Decides whether an image shows the claimed person.

        There is no presentation-attack detection: a photo of a face passes for the face.

        Args:
            name: name of an enrolled person.
            embedding: one embedding from the model's `embed`, (d,) or (1, d) float.
            match: "mean" or "best", the combination of the logits of a person's images.

        Returns:
            Decision `same`, score (higher is more similar) and threshold.

        Raises:
            GalleryError: if no person of that name is enrolled, or the file is damaged.
            ImageError: if there is not exactly one embedding, or it is zero or not finite.
            ConfigError: if `match` is unknown.
        """
        check_settings(match)
        model, probe = self._require_model(), as_rows(embedding, self._file.embedding_dim)
        if len(probe) != 1:
            raise ImageError(f"embedding must be a single row; got {len(probe)} embeddings. Verify each separately")
        name = normalize_name(name)
        rows = self._file.of(name)
        if not len(rows):
            raise self._not_enrolled(name)
        threshold = corrected_threshold(model.threshold, {"mean": 1, "best": len(rows)}[match])
        return rank_people(model, probe[0], [(name, rows)], match, threshold)[0]

    def identify(self, embeddings: np.ndarray, top: int = 5, match: str = "mean") -> list[list[Match]]:
        """Ranks the enrolled people by their similarity to each image.

        The search is exact: every image is compared with every embedding. The gallery stays in memory after the first
        call and is read again after a change of the file. There is no presentation-attack detection.

        Args:
            embeddings: embeddings from the model's `embed`, (n, d) or (d,) float.
            top: maximum number of people per image, 1 or more.
            match: "mean" or "best", as in `verify`.

        Returns:
            At most `top` people per image, the most similar first. If the first person is not `same`, or the list is
            empty, the image shows an unknown person. `corrected_threshold` adapts the threshold to the gallery size.

        Raises:
            GalleryError: if the file is damaged.
            ImageError: if embeddings have the wrong shape, or are zero or not finite.
            ConfigError: if `match` is unknown, or `top` is not an integer of 1 or more.
        """
        check_settings(match, top)
        model, probes, people = self._require_model(), as_rows(embeddings, self._file.embedding_dim), self._people()
        if not people.names:
            return [[] for _ in probes]
        threshold = gallery_threshold(model.threshold, people, match)
        return [
            rank_people(model, probe, [(people.names[j], people.of(j)) for j in sorted(near)], match, threshold)[:top]
            for probe, near in nearest_people(model, probes, people, top + EXTRA_CANDIDATES, match)
        ]

    def can_match_anyone(self, match: str = "mean") -> bool:
        """Returns False if no enrolled image, compared with itself, reaches the threshold of `identify`."""
        check_settings(match)
        model, people = self._require_model(), self._people()
        itself = np.arange(len(people.rows))
        scores = probability(model.pair_logits(people.rows, itself, itself).astype(np.float64))
        return bool((scores >= gallery_threshold(model.threshold, people, match)).any())

    def can_know(self, match: str = "mean") -> bool:
        """Returns `can_match_anyone(match)`; the former name, for existing programs."""
        return self.can_match_anyone(match)

    def _people(self) -> People:
        return self._cache.load(self._file, self._require_model())

    def _require_model(self) -> "SiameseModel":
        if self._model is None:
            raise GalleryError("this gallery was opened without a model. Open it with its model")
        return self._model

    def _not_enrolled(self, name: str) -> GalleryError:
        return GalleryError(
            f"{self._file.path}: nobody named {name!r:.100} is enrolled. Check the name (siamese-tf gallery list), or"
            " enroll the person first"
        )
