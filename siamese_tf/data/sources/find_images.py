"""Image files of a folder, with the class and split of each from the folders it is in.

Either the sub-folders of the folder are the classes, or it has sub-folders train, and validation, test or both, whose
sub-folders are.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from siamese_tf.data.images.decode import SUFFIXES, is_image
from siamese_tf.data.sources.file_names import ODD_NAME, is_unusual_name, natural_order, shown_name

PARTS = ("train", "validation", "test")
PART_OF = {"train": 0, "validation": 1, "valid": 1, "val": 1, "test": 2}  # name of a folder, lower case -> part
NOT_READ = (".heic", ".heif", ".avif", ".jp2")
MAX_FOLDERS = 20_000
MAX_NAMED = 3  # files or folders in a message


@dataclass(eq=False)
class FoundImages:
    """Image files of a folder; none of them is decoded.

    Attributes:
        files: path relative to the folder, with `/` -> path; class by class, in natural order.
        refused: relative path of a file or folder that cannot be used -> why.
        unused: relative paths of image files (by suffix) that are not directly in the folder of a class.
        has_parts: whether the files are in train/CLASS, and validation/CLASS or test/CLASS.
        folders_left: how many more folders to open in search of unused files, so that a folder with a whole disk below
            it does not take minutes.
    """

    files: dict[str, Path] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    has_parts: bool = False
    folders_left: int = MAX_FOLDERS

    def unused_line(self) -> str:
        """Returns the number of image files that are not used, and the names of the first."""
        count = f"{len(self.unused):,}{'' if self.folders_left > 0 else ' or more'}"
        first = ", ".join(map(shown_name, self.unused[:MAX_NAMED])) + (", ..." if len(self.unused) > MAX_NAMED else "")
        return f"image files that are not directly in the folder of a class are not used: {count} ({first})"


def find_images(folder: str | Path) -> FoundImages:
    """Finds the image files in the sub-folders of a folder, or in those of its folders train, validation and test.

    The latter are parts of a split if there is train and another one, validation also as val or valid, and no
    sub-folder of the folder has image files directly in it: else all sub-folders are classes, whatever their names.
    Hidden files and folders are passed over.
    """
    root = os.path.realpath(folder)
    found = FoundImages()
    subs = _visible(folder)
    parts = _parts(subs)
    found.has_parts = bool(parts)
    for entry in subs:
        if entry.name not in parts:
            _add_class(found, entry, entry.name, root)
    for part in sorted(parts, key=lambda name: parts[name]):
        entry = next(entry for entry in subs if entry.name == part)
        for inside in _open_folder(found, entry, part, root):
            _add_class(found, inside, f"{part}/{inside.name}", root)
    return found


def add_unused(found: FoundImages, folder: str | Path, name: str = "") -> None:
    """Adds the image files (by suffix) in a folder and all folders in it, but hidden ones and links, to the unused.

    Folders that cannot be opened are refused. No more are opened than `found.folders_left` says.

    Args:
        found: what it is added to.
        folder: where to look.
        name: what the relative paths begin with.
    """

    def relative(path: str) -> str:
        return "/".join(filter(None, [name, *Path(os.path.relpath(path, folder)).parts]))

    def refuse(error: OSError) -> None:
        found.refused[shown_name(relative(error.filename))] = _cannot_be_opened(error)

    for above, folders, files in islice(os.walk(folder, onerror=refuse), found.folders_left):
        found.folders_left -= 1
        folders[:] = sorted((below for below in folders if below[0] != "."), key=natural_order)
        images = [file for file in files if file[0] != "." and Path(file).suffix.lower() in SUFFIXES + NOT_READ]
        found.unused += [relative(os.path.join(above, file)) for file in sorted(images, key=natural_order)]


def _parts(subs: Sequence[os.DirEntry[str]]) -> dict[str, int]:
    """Maps folder names to splits; empty if the folders are classes."""
    folders = [entry for entry in subs if _is_folder(entry)]
    parts = {entry.name: PART_OF[entry.name.lower()] for entry in folders if entry.name.lower() in PART_OF}
    if 0 not in parts.values() or len(set(parts.values())) < 2 or any(map(_is_class, folders)):
        return {}
    return parts


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_class(entry: os.DirEntry[str]) -> bool:
    try:
        return any(not _is_folder(file) and _looks_like_image(file) for file in _visible(entry.path))
    except OSError:
        return False


def _add_class(found: FoundImages, entry: os.DirEntry[str], name: str, root: str) -> None:
    """Adds the image files in the folder of a class; those deeper in it, and one beside it, are unused."""
    if not _is_folder(entry) and Path(entry.name).suffix.lower() in SUFFIXES + NOT_READ:
        found.unused.append(name)
    for file in _open_folder(found, entry, name, root):
        path = shown_name(f"{name}/{file.name}")
        try:
            if file.is_dir():
                if not (entry.is_symlink() or file.is_symlink()):
                    add_unused(found, file.path, path)
                continue
            if not _looks_like_image(file):
                continue
            why = _why_refused(file, root) or _why_not_read(file)
        except OSError as error:
            why = _cannot_be_opened(error)
        if why:
            found.refused[path] = why
        else:
            found.files[path] = Path(file.path)


def _open_folder(found: FoundImages, entry: os.DirEntry[str], name: str, root: str) -> list[os.DirEntry[str]]:
    """Returns the entries of a folder; none where it is no folder, or is refused."""
    try:
        if not entry.is_dir():
            return []
        why = _why_refused(entry, root)
        inside = [] if why else _visible(entry.path)
    except OSError as error:
        why, inside = _cannot_be_opened(error), []
    if why:
        found.refused[shown_name(name)] = why
    return inside


def _visible(folder: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(
            (entry for entry in entries if entry.name[0] != "."),
            key=lambda entry: natural_order(shown_name(entry.name)),
        )


def _why_refused(entry: os.DirEntry[str], root: str) -> str:
    if is_unusual_name(entry.name):
        return f"its name {ODD_NAME}; rename it"
    if entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(root):
        return "it is a link that leaves the folder; copy what it points to into the folder"
    return ""


def _cannot_be_opened(error: OSError) -> str:
    return f"it cannot be opened ({error.strerror}); check its rights, and where it leads if it is a link"


def _looks_like_image(file: os.DirEntry[str]) -> bool:
    return Path(file.name).suffix.lower() in SUFFIXES + NOT_READ or is_image(file.path)


def _why_not_read(file: os.DirEntry[str]) -> str:
    suffix = Path(file.name).suffix.lower()
    return f"{suffix} is not read; convert it to PNG or JPEG" if suffix in NOT_READ and not is_image(file.path) else ""
