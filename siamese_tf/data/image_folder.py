"""A folder with one sub-folder of image files for each class."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siamese_tf.data.idx_folder import PARTS
from siamese_tf.data.image_cache import CachedImages, cached_images
from siamese_tf.data.image_form import AS_THEY_ARE, ImageForm
from siamese_tf.data.images import SUFFIXES, is_image
from siamese_tf.errors import DatasetError

NOT_READ = (".heic", ".heif", ".avif", ".jp2")
ODD_NAME = "is not UTF-8, or has control characters"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # would break the lines of lists and messages


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """The images of a folder.

    Attributes:
        images: (n, h, w, c) uint8, memory-mapped, read-only.
        labels: (n,) int64, from 0.
        class_names: the sub-folders with an image that can be read, in natural order (s2 before s10).
        paths: of each image, relative to the folder, with `/`.
        form: what the images were brought to, settled.
        resized: how many of them had another size.
        unreadable: one line for each file that is left out: its path relative to the folder, and why.
        sha256: of the paths and bytes of all files that were read, hexadecimal.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    paths: tuple[str, ...]
    form: ImageForm
    resized: int
    unreadable: tuple[str, ...]
    sha256: str


def read_image_folder(folder: str | Path, form: ImageForm = AS_THEY_ARE) -> ImageFolder:
    """Reads the images of a folder with one sub-folder for each class; what was decoded before comes from a cache.

    In a sub-folder, a file counts by its suffix or its content; hidden files and what is no image are passed over, and
    so are folders in it. Files that cannot be read (as HEIC), whose names are not UTF-8 or have control characters, or
    that are links to outside of the folder are left out, and listed in `unreadable`.

    Args:
        folder: what holds the sub-folders.
        form: what to bring the images to; what it leaves open, they decide.

    Raises:
        DatasetError: there are no image files in sub-folders (the message says that IDX files were looked for, too),
            none can be read, or those that can are of one class.
    """
    files, refused = find_images(folder)
    if not files and not refused:
        raise DatasetError(
            f"{folder}: there is no {PARTS[0]} nor another IDX file, and no image file in a sub-folder; expected the"
            f" four IDX files {', '.join(PARTS)}, each plain or .gz, or one sub-folder for each class, with image files"
            f" ({' '.join(SUFFIXES)}); put them there, or name another folder"
        )
    found = cached_images(folder, files, form)
    unreadable = tuple(f"{name}: {why}" for name, why in {**refused, **found.unreadable}.items())
    paths = tuple(found.sha256)
    classes = [path.split("/")[0] for path in paths]
    number = {name: label for label, name in enumerate(dict.fromkeys(classes))}
    if len(number) < 2:
        raise DatasetError(_too_few(folder, len(paths), [*number], unreadable))
    return ImageFolder(
        images=found.images,
        labels=np.array([number[name] for name in classes], np.int64),
        class_names=tuple(number),
        paths=paths,
        form=found.form,
        resized=found.resized,
        unreadable=unreadable,
        sha256=_digest(found),
    )


def find_images(folder: str | Path) -> tuple[dict[str, Path], dict[str, str]]:
    """Finds the image files in the sub-folders of a folder; none of them is decoded.

    Returns:
        path relative to the folder, with `/` -> path, class by class, in natural order; and, of files and sub-folders
        that are refused, the relative path -> why.
    """
    root = os.path.realpath(folder)
    files: dict[str, Path] = {}
    refused: dict[str, str] = {}
    for sub in _visible(folder):
        try:
            if not sub.is_dir():
                continue
            why, inside = _why_refused(sub, root), _visible(sub.path)
        except OSError as error:
            why, inside = _cannot_be_opened(error), []
        if why:
            refused[shown_name(sub.name)] = why
            continue
        for file in inside:
            name = shown_name(f"{sub.name}/{file.name}")
            try:
                if file.is_dir() or not _looks_like_image(file):
                    continue
                why = _why_refused(file, root) or _why_not_read(file)
            except OSError as error:
                why = _cannot_be_opened(error)
            if why:
                refused[name] = why
            else:
                files[name] = Path(file.path)
    return files, refused


def _visible(folder: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(
            (entry for entry in entries if entry.name[0] != "."), key=lambda entry: _natural(shown_name(entry.name))
        )


def _natural(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Orders s2 before s10, A beside a, and numbers before words."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return [(not digits, int(digits or 0), text.casefold()) for digits, text in parts], name


def _why_refused(entry: os.DirEntry[str], root: str) -> str:
    if is_odd(entry.name):
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


def is_odd(name: str) -> bool:
    """Whether the bytes of a name are not UTF-8, or it has control characters."""
    try:
        return bool(CONTROL.search(os.fsencode(name).decode("utf-8")))
    except UnicodeError:
        return True


def shown_name(name: str) -> str:
    """The name, which is UTF-8 whatever the locale, with escapes for what is not, and for control characters."""
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], os.fsencode(name).decode("utf-8", "backslashreplace"))


def _too_few(folder: str | Path, readable: int, classes: list[str], unreadable: Sequence[str]) -> str:
    found = f"{readable:,} of {readable + len(unreadable):,} image files can be read"
    found += f", all of the class {classes[0]}" if classes else ""
    first = f" (the first that cannot: {unreadable[0]})" if unreadable else ""
    return (
        f"{folder}: {found}{first}; expected images of two classes or more, one sub-folder for each; add another, or"
        " mend the files"
    )


def _digest(found: CachedImages) -> str:
    digest = hashlib.sha256()
    for path, sha256 in found.sha256.items():
        digest.update(f"{path}\0{sha256}\n".encode())
    return digest.hexdigest()
