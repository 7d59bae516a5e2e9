"""Layout of a folder of images: its subfolders are classes, groups of classes, or train, validation and test."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from siamese_tf.data.images.decode import SUFFIXES, is_image
from siamese_tf.data.sources.file_names import natural_order, shown_name

PART_OF = {"train": 0, "validation": 1, "valid": 1, "val": 1, "test": 2}  # folder name in lower case -> split
NOT_READ = (".heic", ".heif", ".avif", ".jp2")
MIN_GROUPS = 2  # a single folder with class folders is rather the folder that the user meant to name


def parts_of(entries: Sequence[os.DirEntry[str]]) -> dict[str, int]:
    """Maps the names of the folders to splits; empty if the folders are classes or groups.

    Folders are splits if one is for training, another for validation or test, and no folder has image files directly in
    it.
    """
    folders = [entry for entry in entries if is_folder(entry)]
    parts = {entry.name: PART_OF[entry.name.lower()] for entry in folders if entry.name.lower() in PART_OF}
    if 0 not in parts.values() or len(set(parts.values())) < 2 or any(map(_has_images, folders)):
        return {}
    return parts


def are_groups(sides: Iterable[Sequence[os.DirEntry[str]]]) -> bool:
    """Returns True if the folders are groups: their subfolders are the classes.

    At least two folders of different names must have a subfolder with image files directly in it, and no folder may
    have image files directly in it. Names of splits are not names of groups.

    Args:
        sides: entries of the folder, or of each of its splits.
    """
    folders = [entry for side in sides for entry in side if is_folder(entry)]
    if any(map(_has_images, folders)):
        return False
    names = {entry.name for entry in folders if _has_classes(entry)}
    return len(names) >= MIN_GROUPS and not any(name.lower() in PART_OF for name in names)


def visible(folder: str | Path) -> list[os.DirEntry[str]]:
    """Returns the entries of a folder that are not hidden, in natural order."""
    with os.scandir(folder) as entries:
        return sorted(
            (entry for entry in entries if entry.name[0] != "."),
            key=lambda entry: natural_order(shown_name(entry.name)),
        )


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Returns True for a folder or a link to one, False if that cannot be determined."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def looks_like_image(file: os.DirEntry[str]) -> bool:
    """Returns True if the suffix or the content of a file is that of an image."""
    return Path(file.name).suffix.lower() in SUFFIXES + NOT_READ or is_image(file.path)


def _has_images(entry: os.DirEntry[str]) -> bool:
    try:
        return any(not is_folder(file) and looks_like_image(file) for file in visible(entry.path))
    except OSError:
        return False


def _has_classes(entry: os.DirEntry[str]) -> bool:
    try:
        return any(is_folder(inside) and _has_images(inside) for inside in visible(entry.path))
    except OSError:
        return False
