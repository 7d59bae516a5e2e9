"""Folders with one subfolder of images per class, or with such folders in train, validation and test."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siamese_tf.data.images.cache import CachedImages, cached_images
from siamese_tf.data.images.decode import SUFFIXES
from siamese_tf.data.images.format import NATIVE_FORMAT, ImageFormat
from siamese_tf.data.sources.file_names import natural_order, shown_name
from siamese_tf.data.sources.find_images import (
    MAX_NAMED,
    PART_OF,
    FoundImages,
    find_images,
)
from siamese_tf.data.sources.idx_folder import PARTS
from siamese_tf.errors import DatasetError


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """Images of a folder.

    Attributes:
        images: (n, h, w, c) uint8, memory-mapped, read-only.
        labels: (n,) int64, from 0.
        class_names: the sub-folders with an image that can be read, in natural order (s2 before s10).
        paths: of each image, relative to the folder, with `/`.
        image_format: image format they were converted to; resolved.
        resized: how many of them had another size.
        unreadable: one line for each file that is left out: its path relative to the folder, and why.
        warnings: one line if there are image files that are not directly in the folder of a class.
        part: (n,) int64, 0 for train, 1 for validation, 2 for test; None where the folder has no such sub-folders.
        sha256: of the paths and bytes of all files that were read, hexadecimal.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    paths: tuple[str, ...]
    image_format: ImageFormat
    resized: int
    unreadable: tuple[str, ...]
    warnings: tuple[str, ...]
    part: np.ndarray | None
    sha256: str


def read_image_folder(folder: str | Path, image_format: ImageFormat = NATIVE_FORMAT) -> ImageFolder:
    """Reads the images of a folder with one sub-folder for each class; what was decoded before comes from a cache.

    In a sub-folder, a file counts by its suffix or its content; hidden files and what is no image are passed over.
    Files that cannot be read (as HEIC), whose names are not UTF-8 or have control characters, or that are links to
    outside of the folder are left out, and listed in `unreadable`; image files deeper down, or beside the sub-folders,
    are counted in `warnings`. Where the sub-folders are train, and validation, test or both, theirs are the classes,
    and a class is the same in each of them by its name, see `find_images`.

    Args:
        folder: what holds the sub-folders.
        image_format: image format to convert the images to; what it leaves open, they decide.

    Raises:
        DatasetError: there are no image files in sub-folders (the message says that IDX files were looked for, too),
            none can be read, or those that can are of one class.
    """
    there = find_images(folder)
    if not there.files and not there.refused:
        raise DatasetError(_none_found(folder, there))
    found = cached_images(folder, there.files, image_format)
    unreadable = tuple(f"{name}: {why}" for name, why in {**there.refused, **found.unreadable}.items())
    paths = tuple(found.sha256)
    classes = [path.split("/")[-2] for path in paths]
    number = {name: label for label, name in enumerate(sorted(set(classes), key=natural_order))}
    if len(number) < 2:
        raise DatasetError(_too_few(folder, len(paths), [*number], unreadable, there))
    parts = [PART_OF[path.split("/")[0].lower()] for path in paths] if there.has_parts else None
    return ImageFolder(
        images=found.images,
        labels=np.array([number[name] for name in classes], np.int64),
        class_names=tuple(number),
        paths=paths,
        image_format=found.image_format,
        resized=found.resized,
        unreadable=unreadable,
        warnings=(there.unused_line(),) if there.unused else (),
        part=None if parts is None else np.array(parts, np.int64),
        sha256=_digest(found),
    )


def _none_found(folder: str | Path, there: FoundImages) -> str:
    if not there.unused:
        return (
            f"{folder}: there is no {PARTS[0]} nor another IDX file, and no image file in a sub-folder; expected the"
            f" four IDX files {', '.join(PARTS)}, each plain or .gz, or one sub-folder for each class, with image files"
            f" ({' '.join(SUFFIXES)}); put them there, or name another folder"
        )
    return (
        f"{folder}: there is no image file in a sub-folder, and no {PARTS[0]}; expected one sub-folder for each class,"
        f" with the image files directly in it; {there.unused_line()}; {_where_instead(folder, there)}"
    )


def _where_instead(folder: str | Path, there: FoundImages) -> str:
    where = [shown_name(f"{Path(folder, name)}") for name in _where_classes_are(there.unused)[:MAX_NAMED]]
    if not where:
        return "move the images of each class into its own subfolder, or name another folder"
    return f"name the folder that holds the folders of the classes: {' or '.join(where)}"


def _where_classes_are(unused: Sequence[str]) -> list[str]:
    """Returns relative paths of folders that hold classes, those with the most files first.

    They hold folders with image files, or they hold train and another part in which such folders are.
    """
    above = Counter(os.path.dirname(os.path.dirname(path)) for path in unused if path.count("/") > 1)
    parts: dict[str, set[int]] = {}
    for name in above:
        holder, part = os.path.split(name)
        parts.setdefault(holder, set()).add(PART_OF.get(part.lower(), -1))
    with_parts = {holder for holder, inside in parts.items() if holder and 0 in inside and inside & {1, 2}}
    names = [os.path.dirname(name) if os.path.dirname(name) in with_parts else name for name, _ in above.most_common()]
    return [*dict.fromkeys(names)]


def _too_few(
    folder: str | Path, readable: int, classes: list[str], unreadable: Sequence[str], there: FoundImages
) -> str:
    found = f"{readable:,} of {readable + len(unreadable):,} image files can be read"
    found += f", all of the class {classes[0]}" if classes else ""
    first = f" (the first that cannot: {unreadable[0]})" if unreadable else ""
    deeper = f"; {there.unused_line()}; {_where_instead(folder, there)}" if there.unused else ""
    return (
        f"{folder}: {found}{first}; expected images of two classes or more, one sub-folder for each{deeper}; add"
        " another, or repair the files"
    )


def _digest(found: CachedImages) -> str:
    digest = hashlib.sha256()
    for path, sha256 in found.sha256.items():
        digest.update(f"{path}\0{sha256}\n".encode())
    return digest.hexdigest()
