"""Discovery of image files in a folder; the parent folders of a file determine its class, group and split.

The subfolders are the classes, unless they are train and at least one of validation and test; then the subfolders of
those are the classes. In place of each class, there may be a group of classes: a folder of class folders.
"""

import os
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from siamese_tf.data.images.decode import SUFFIXES
from siamese_tf.data.sources.file_names import natural_order, shown_name
from siamese_tf.data.sources.folder_layout import (
    NOT_READ,
    are_groups,
    is_folder,
    looks_like_image,
    parts_of,
    visible,
)
from siamese_tf.data.sources.refusals import format_reason, open_error, refusal_reason

PARTS = ("train", "validation", "test")
MAX_FOLDERS = 20_000
MAX_NAMED = 3  # files or folders listed in a message


@dataclass(eq=False)
class FoundImages:
    """Image files of a folder, not decoded.

    Attributes:
        files: relative path with `/` -> path; sorted by class and name in natural order.
        refused: relative path of a file or folder that cannot be used -> reason.
        unused: relative paths of image files (by suffix) that are not directly in a class folder.
        has_parts: True if the files are in train/CLASS, and validation/CLASS or test/CLASS.
        has_groups: True if the files are in GROUP/CLASS instead of CLASS.
        folders_left: number of folders that may still be searched for unused files; bounds the search of a deep folder
            tree.
    """

    files: dict[str, Path] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    has_parts: bool = False
    has_groups: bool = False
    folders_left: int = MAX_FOLDERS

    def unused_line(self) -> str:
        """Returns a warning with the number of unused image files and the first of their names."""
        count = f"{len(self.unused):,}{'' if self.folders_left > 0 else ' or more'}"
        first = ", ".join(map(shown_name, self.unused[:MAX_NAMED])) + (", ..." if len(self.unused) > MAX_NAMED else "")
        return f"image files that are not directly in a class folder are ignored: {count} ({first})"


def find_images(folder: str | Path) -> FoundImages:
    """Finds the image files in the class folders of a folder.

    Subfolders named train, validation (also val or valid) and test form a split if train and at least one other exist
    and no subfolder has image files directly in it; `parts_of` decides. Otherwise, all subfolders are classes, or
    groups of classes if `are_groups` says so. Case is ignored. Hidden files and folders are skipped.
    """
    root = os.path.realpath(folder)
    found = FoundImages()
    subs = visible(folder)
    parts = parts_of(subs)
    found.has_parts = bool(parts)
    sides = {"": subs}
    if parts:
        for entry in subs:
            if entry.name not in parts:
                _add_class(found, entry, entry.name, root)
        entry_of = {entry.name: entry for entry in subs}
        names = sorted(parts, key=lambda name: parts[name])
        sides = {f"{name}/": _open_folder(found, entry_of[name], name, root) for name in names}
    found.has_groups = are_groups(sides.values())
    add = _add_group if found.has_groups else _add_class
    for prefix, entries in sides.items():
        for entry in entries:
            add(found, entry, f"{prefix}{entry.name}", root)
    return found


def add_unused(found: FoundImages, folder: str | Path, name: str = "") -> None:
    """Adds the image files (by suffix) below a folder to `found.unused`, without hidden entries and linked folders.

    Folders that cannot be opened are added to `found.refused`. At most `found.folders_left` folders are searched.

    Args:
        found: result that is extended.
        folder: folder to search recursively.
        name: prefix of the relative paths.
    """

    def relative(path: str) -> str:
        return "/".join(filter(None, [name, *Path(os.path.relpath(path, folder)).parts]))

    def refuse(error: OSError) -> None:
        found.refused[shown_name(relative(error.filename))] = open_error(error)

    for above, folders, files in islice(os.walk(folder, onerror=refuse), found.folders_left):
        found.folders_left -= 1
        folders[:] = sorted((below for below in folders if below[0] != "."), key=natural_order)
        images = [file for file in files if file[0] != "." and Path(file).suffix.lower() in SUFFIXES + NOT_READ]
        found.unused += [relative(os.path.join(above, file)) for file in sorted(images, key=natural_order)]


def _add_group(found: FoundImages, entry: os.DirEntry[str], name: str, root: str) -> None:
    """Adds the class folders of a group; adds `entry` itself as unused if it is an image."""
    if not is_folder(entry):
        _add_class(found, entry, name, root)
    for inside in _open_folder(found, entry, name, root):
        _add_class(found, inside, f"{name}/{inside.name}", root)


def _add_class(found: FoundImages, entry: os.DirEntry[str], name: str, root: str) -> None:
    """Adds the image files of a class folder; adds files below it, or `entry` itself if it is an image, as unused."""
    if not is_folder(entry) and Path(entry.name).suffix.lower() in SUFFIXES + NOT_READ:
        found.unused.append(name)
    for file in _open_folder(found, entry, name, root):
        path = shown_name(f"{name}/{file.name}")
        try:
            if file.is_dir():
                if not (entry.is_symlink() or file.is_symlink()):
                    add_unused(found, file.path, path)
                continue
            if not looks_like_image(file):
                continue
            reason = refusal_reason(file, root) or format_reason(file)
        except OSError as error:
            reason = open_error(error)
        if reason:
            found.refused[path] = reason
        else:
            found.files[path] = Path(file.path)


def _open_folder(found: FoundImages, entry: os.DirEntry[str], name: str, root: str) -> list[os.DirEntry[str]]:
    """Returns the entries of a folder; an empty list if it is not a folder or is refused."""
    try:
        if not entry.is_dir():
            return []
        reason = refusal_reason(entry, root)
        inside = [] if reason else visible(entry.path)
    except OSError as error:
        reason, inside = open_error(error), []
    if reason:
        found.refused[shown_name(name)] = reason
    return inside
