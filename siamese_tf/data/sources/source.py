"""Labeled images and their origin."""

from dataclasses import dataclass

import numpy as np

from siamese_tf.data.images.format import ImageFormat


@dataclass(frozen=True)
class SourceIdentity:
    """Properties by which the pair files of a source are found; see `Source` for the attributes."""

    name: str
    files: dict[str, str]
    image_format: ImageFormat | None = None
    folder: None = None  # only named data sets are known without their images


@dataclass(frozen=True, eq=False)
class Source:
    """Labeled images and their origin.

    Attributes:
        name: `"mnist"`, `"fashion-mnist"`, `"digits"`, `"omniglot"`, or the name of the folder.
        images: (n, h, w, c) uint8, 0 to 255, c is 1 (gray) or 3 (RGB).
        labels: (n,) int64, from 0.
        is_test: (n,) bool, True for the official test images; all False without an official test split.
        class_names: name of label k at position k.
        origin: folder, file or package where the data was found; depends on the machine.
        files: file name -> SHA-256 (hexadecimal) of its uncompressed bytes; independent of the machine.
        note: one line for the user: the data set, and for `"auto"` why it was chosen.
        paths: path of each image relative to the folder `origin`, with `/`; None without image files.
        image_format: resolved image format; None without image files.
        unreadable: one line per skipped image file: its relative path, and the reason.
        is_validation: (n,) bool, True for images in the folder validation; None if the folders define no split.
        warnings: one line per possible mistake of the user, without the prefix "warning:".
        folder: real path of the user's folder; None for a named data set.
        groups: (n,) int64, the group of each image's class, such as the alphabet of a character; every class is in one
            group. None without groups.
        group_names: name of group k at position k; empty without groups.
        authors: (n,) int64, who made each image, such as the drawer of a character; None if unknown.
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
    groups: np.ndarray | None = None
    group_names: tuple[str, ...] = ()
    authors: np.ndarray | None = None

    @property
    def has_split(self) -> bool:
        """True if the folders train, validation and test define the split."""
        return self.is_validation is not None

    def lines(self) -> list[str]:
        """Returns the note, and one line per skipped image file."""
        return [self.note, *(f"could not be read: {line}" for line in self.unreadable)]
