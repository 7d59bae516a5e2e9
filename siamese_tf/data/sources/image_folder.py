"""Image folders: one subfolder of images per class, optionally within groups, and within train, validation and test."""

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
from siamese_tf.data.sources.find_images import MAX_NAMED, FoundImages, find_images
from siamese_tf.data.sources.folder_layout import MIN_GROUPS, PART_OF
from siamese_tf.data.sources.idx_folder import PARTS
from siamese_tf.errors import DatasetError


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """Images of a folder.

    Attributes:
        images: (n, h, w, c) uint8, memory-mapped, read-only.
        labels: (n,) int64, from 0.
        class_names: names of the subfolders with a readable image, in natural order (s2 before s10), like `group/class`
            if the folder has groups.
        paths: path of each image relative to the folder, with `/`.
        image_format: resolved image format of `images`.
        resized: number of images that were resized.
        unreadable: one line per skipped file or folder: its path relative to the folder, and the reason.
        warnings: one line if image files are not directly in a class folder.
        part: (n,) int64, 0 for train, 1 for validation, 2 for test; None if the folder has no split.
        sha256: SHA-256 (hexadecimal) of the relative paths and the bytes of all readable files.
        groups: (n,) int64, the group of each image, from 0; None if the folder has no groups.
        group_names: names of the groups with a readable image, in natural order.
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
    groups: np.ndarray | None = None
    group_names: tuple[str, ...] = ()


def read_image_folder(folder: str | Path, image_format: ImageFormat = NATIVE_FORMAT) -> ImageFolder:
    """Reads the images of a folder with one subfolder per class; images that are already decoded come from the cache.

    A file in a class folder is an image by its suffix or its content; hidden files and other files are skipped.
    Unreadable files (such as HEIC), names that are not UTF-8 or have control characters, and links to outside the
    folder are skipped and listed in `unreadable`. Image files below or beside the class folders are counted in
    `warnings`. The class folders may be in train and at least one of validation and test; folders with the same name
    are then the same class, see `find_images`. If two or more subfolders hold class folders instead of images, they
    are groups of classes; classes of the same name in two groups are two classes.

    Args:
        folder: folder that contains the subfolders.
        image_format: target image format; values that are None are resolved from the readable images.

    Raises:
        DatasetError: if no subfolder has image files (the message also mentions IDX files), no image is readable, or
            all readable images are of one class.
    """
    listed = find_images(folder)
    if not listed.files and not listed.refused:
        raise DatasetError(_none_found(folder, listed))
    found = cached_images(folder, listed.files, image_format)
    unreadable = tuple(f"{name}: {reason}" for name, reason in {**listed.refused, **found.unreadable}.items())
    paths = tuple(found.sha256)
    groups = [path.split("/")[-3] for path in paths] if listed.has_groups else []
    classes = ["/".join(path.split("/")[-3 if groups else -2 : -1]) for path in paths]
    number, group_number = _numbers(classes), _numbers(groups)
    if len(number) < 2:
        raise DatasetError(_too_few_classes(folder, len(paths), [*number], unreadable, listed))
    parts = [PART_OF[path.split("/")[0].lower()] for path in paths] if listed.has_parts else None
    return ImageFolder(
        images=found.images,
        labels=np.array([number[name] for name in classes], np.int64),
        class_names=tuple(number),
        paths=paths,
        image_format=found.image_format,
        resized=found.resized,
        unreadable=unreadable,
        warnings=(listed.unused_line(),) if listed.unused else (),
        part=None if parts is None else np.array(parts, np.int64),
        sha256=_digest(found),
        groups=np.array([group_number[name] for name in groups], np.int64) if groups else None,
        group_names=tuple(group_number),
    )


def _numbers(names: Sequence[str]) -> dict[str, int]:
    """Numbers the distinct names of classes or groups in natural order; the groups come first in the order."""
    ordered = sorted(set(names), key=lambda name: [*map(natural_order, name.split("/"))])
    return {name: number for number, name in enumerate(ordered)}


def _none_found(folder: str | Path, listed: FoundImages) -> str:
    if not listed.unused:
        return (
            f"{folder}: must have the four IDX files {', '.join(PARTS)}, each plain or .gz, or one subfolder of image"
            f" files ({' '.join(SUFFIXES)}) per class; got neither. Add these files, or name another folder"
        )
    return (
        f"{folder}: must have one subfolder per class, with the image files directly in it; got no image file in a"
        f" subfolder, and no IDX file; {listed.unused_line()}. {_suggestion(folder, listed)}"
    )


def _suggestion(folder: str | Path, listed: FoundImages) -> str:
    parents = _class_parents(listed.unused)
    if not parents:
        return "Move the images of each class into its own subfolder, or name another folder"
    above = Counter(filter(None, map(os.path.dirname, parents)))
    of_groups = _places(folder, [name for name, count in above.items() if count >= MIN_GROUPS])
    return f"Name the folder that contains the class folders: {_places(folder, parents)}" + (
        f"; or the folder that contains groups of them: {of_groups}" if of_groups else ""
    )


def _places(folder: str | Path, names: Sequence[str]) -> str:
    return " or ".join(shown_name(f"{Path(folder, name)}") for name in names[:MAX_NAMED])


def _class_parents(unused: Sequence[str]) -> list[str]:
    """Returns relative paths of folders that contain class folders, ordered by number of files, largest first.

    A class folder has image files directly in it; a parent with a split contains train and at least one other split.
    """
    above = Counter(os.path.dirname(os.path.dirname(path)) for path in unused if path.count("/") > 1)
    parts: dict[str, set[int]] = {}
    for name in above:
        holder, part = os.path.split(name)
        parts.setdefault(holder, set()).add(PART_OF.get(part.lower(), -1))
    with_parts = {holder for holder, inside in parts.items() if holder and 0 in inside and inside & {1, 2}}
    names = [os.path.dirname(name) if os.path.dirname(name) in with_parts else name for name, _ in above.most_common()]
    return [*dict.fromkeys(names)]


def _too_few_classes(
    folder: str | Path, readable: int, classes: list[str], unreadable: Sequence[str], listed: FoundImages
) -> str:
    found = f"{readable:,} readable of {readable + len(unreadable):,} image files"
    found += f", all of the class {classes[0]}" if classes else ""
    first = f" (first unreadable file: {unreadable[0]})" if unreadable else ""
    unused = f"; {listed.unused_line()}. {_suggestion(folder, listed)}" if listed.unused else ""
    return (
        f"{folder}: must have readable images of 2 or more classes, one subfolder per class; got"
        f" {found}{first}{unused}. Add another class, or repair the files"
    )


def _digest(found: CachedImages) -> str:
    digest = hashlib.sha256()
    for path, sha256 in found.sha256.items():
        digest.update(f"{path}\0{sha256}\n".encode())
    return digest.hexdigest()
