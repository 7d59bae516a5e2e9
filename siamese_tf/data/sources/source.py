"""Labeled images and where they came from."""

from dataclasses import dataclass

import numpy as np

from siamese_tf.data.images.format import ImageFormat


@dataclass(frozen=True, eq=False)
class Source:
    """Labeled images and their origin.

    Attributes:
        name: `"mnist"`, `"fashion-mnist"`, `"digits"`, or the name of the folder.
        images: (n, h, w, c) uint8, 0 to 255, c is 1 (grey) or 3 (red, green, blue).
        labels: (n,) int64, from 0.
        is_test: (n,) bool, True for the official test images; all False where there is no official test part.
        class_names: what label k is called, at position k.
        origin: where it was found, in words; differs from machine to machine.
        files: file name -> SHA-256 (hexadecimal) of its uncompressed bytes; the same wherever it was found.
        note: one line for people: which data set is used, and why when there was a choice.
        paths: of each image, relative to the folder `origin`, with `/`; None where images are no files of their own.
        image_format: image format of image files; resolved; None where images are no files of their own.
        unreadable: one line for each image file that is left out: its relative path, and why.
        is_validation: (n,) bool, True for the images of the folder validation, for a source with its own split;
            None for all others.
        warnings: one line for each thing that the user may not have meant, without "warning:".
        folder: the real path of a user's folder; None for a published data set.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    is_test: np.ndarray
    class_names: tuple[str, ...]
    origin: str
    files: dict[str, str]
    note: str
    paths: tuple[str, ...] | None = None
    image_format: ImageFormat | None = None
    unreadable: tuple[str, ...] = ()
    is_validation: np.ndarray | None = None
    warnings: tuple[str, ...] = ()
    folder: str | None = None

    @property
    def has_split(self) -> bool:
        """True if the folders train, validation and test assign each image to a split."""
        return self.is_validation is not None

    def lines(self) -> list[str]:
        """Returns the note, and a line for each image file that is left out."""
        return [self.note, *(f"could not be read: {line}" for line in self.unreadable)]
