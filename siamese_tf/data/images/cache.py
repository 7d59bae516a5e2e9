"""Disk cache of decoded image files.

A file whose size and timestamps are unchanged is not read again. The pixels of a file that was renamed or touched are
found by its SHA-256.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from siamese_tf.data.images.cache_folder import cache_folder, in_cache
from siamese_tf.data.images.decode import MAX_FILE_BYTES, decoded, open_image, pixels_of, shape_of
from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.images.source import NamedBytes
from siamese_tf.data.images.store import (
    Entry,
    Stamp,
    Store,
    file_stamp,
    read_store,
    remove_leftovers,
    write_images,
    write_index,
)
from siamese_tf.data.images.threads import AT_ONCE, map_in_threads
from siamese_tf.errors import ImageError

Shape = tuple[int, int, int]  # height, width, channels

BLOCK_BYTES = 2**26  # decoded images in memory before they are written


@dataclass(frozen=True, eq=False)
class CachedImages:
    """Decoded images of a set of files.

    Attributes:
        image_format: resolved image format of `images`.
        images: (k, h, w, c) uint8, memory-mapped, read-only; the readable files in the given order.
        sha256: name -> SHA-256 (hexadecimal) of the bytes of each readable file, in the same order.
        unreadable: name -> reason for each file that cannot be read.
        resized: number of images that were resized.
    """

    image_format: ImageFormat
    images: np.ndarray
    sha256: dict[str, str]
    unreadable: dict[str, str]
    resized: int


def block_size(shape: Sequence[int], limit: int) -> int:
    """Returns the number of images of shape `shape` to process at a time, from 1 to `limit`."""
    return max(1, min(limit, BLOCK_BYTES // math.prod(shape)))


def cached_images(
    about: str | Path, files: Mapping[str, Path], image_format: ImageFormat, images_folder: str | Path | None = None
) -> CachedImages:
    """Decodes image files; reads only the cache if no file has changed since the last call.

    Args:
        about: folder or list that the files belong to; it has one cache per image format.
        files: name -> path of each file.
        image_format: target image format; values that are None are resolved from the readable files.
        images_folder: image folder of a list; the list has one cache per image folder. None for a folder.

    Raises:
        SiameseError: if the cache cannot be written, see `in_cache`.
    """
    places = [about] if images_folder is None else [about, images_folder]
    key = json.dumps([*map(os.path.realpath, places), asdict(image_format)])
    folder = cache_folder() / "images" / hashlib.sha256(key.encode()).hexdigest()[:32]
    store = read_store(folder)
    stamps = {name: file_stamp(path) for name, path in files.items()}
    if store is None or [*stamps.items()] != [(name, entry.stamp) for name, entry in store.entries.items()]:
        store = _renew(folder, files, stamps, image_format, store)
    return CachedImages(
        image_format=store.image_format,
        images=store.images,
        sha256={name: entry.sha256 for name, entry in store.readable.items()},
        unreadable={name: entry.error for name, entry in store.entries.items() if entry.error},
        resized=sum(entry.shape[:2] != store.image_format.size for entry in store.readable.values()),
    )


def _renew(
    folder: Path, files: Mapping[str, Path], stamps: Mapping[str, Stamp], image_format: ImageFormat, old: Store | None
) -> Store:
    """Reads the changed files and rewrites the store; copies the images that are already decoded.

    The format of the pixels may depend on the headers of all files. To read each file once, it is guessed: as it was,
    or else from the first file. If the guess was wrong, all files are decoded again.
    """
    known = old.entries if old else {}
    entries = {name: known[name] for name in files if name in known and known[name].stamp == stamps[name]}
    file = folder / f"images-{os.urandom(8).hex()}.npy"
    shapes = [] if old else _first_shape(files, stamps, entries)
    resolved = old.image_format if old else image_format.resolved(shapes)

    def fits_guess(shape: Shape) -> bool:
        return image_format.resolved([*shapes, shape]) == resolved

    fits: Callable[[Shape], bool] = (lambda shape: True) if old else fits_guess
    while True:
        needed = math.prod(resolved.shape) * len(files)
        with in_cache(needed):
            write_images(file, _decoded(files, stamps, entries, resolved, fits, old), resolved)
        now = image_format.resolved([entry.shape for entry in entries.values() if not entry.error])
        if now == resolved:
            break
        resolved, fits = now, lambda shape: True
    with in_cache(needed):
        store = write_index(folder, resolved, file, {name: entries[name] for name in files})
        remove_leftovers(folder, file, old.file if old else None)
    return store


def _first_shape(files: Mapping[str, Path], stamps: Mapping[str, Stamp], entries: dict[str, Entry]) -> list[Shape]:
    """Returns the shape of the first readable file, if there is one; adds the entries that it reads."""
    for name, path in files.items():
        entry = entries[name] = _inspect(path, stamps[name])
        if not entry.error:
            return [entry.shape]
    return []


def _inspect(path: Path, stamp: Stamp) -> Entry:
    try:
        with _opened(path, Entry(stamp)) as (entry, _):
            return entry
    except (ImageError, OSError) as error:
        return Entry(stamp).failed(error, path)


@contextmanager
def _opened(path: Path, entry: Entry) -> Iterator[tuple[Entry, Image.Image]]:
    """Reads a file; yields its entry with SHA-256 and shape, and the image, not decoded yet."""
    content = NamedBytes(path, MAX_FILE_BYTES)
    with open_image(content) as image:
        yield replace(entry, sha256=content.sha256, shape=shape_of(image)), image


def _decoded(
    files: Mapping[str, Path],
    stamps: Mapping[str, Stamp],
    entries: dict[str, Entry],
    image_format: ImageFormat,
    fits: Callable[[Shape], bool],
    old: Store | None,
) -> Iterator[np.ndarray]:
    """Yields the decoded images up to the first one that does not fit; adds the missing entries, and errors to others.

    Args:
        files, stamps: files to decode.
        entries: entries by name, some of which may be missing.
        image_format: resolved image format.
        fits: returns True if the image format is right for a file with this shape.
        old: store with images that need not be decoded again.
    """
    before: dict[str, np.ndarray] = {}
    if old is not None and old.image_format == image_format:
        before = {entry.sha256: image for entry, image in zip(old.readable.values(), old.images, strict=True)}
    all_fit = True

    def read(name: str) -> tuple[Entry, np.ndarray | None]:
        path, entry = files[name], entries.get(name)
        if entry is not None and (entry.error or entry.sha256 in before):
            return entry, before.get(entry.sha256)
        entry = entry or Entry(stamps[name])
        try:
            with _opened(path, entry) as (entry, image):
                if entry.sha256 in before:
                    return entry, before[entry.sha256]
                if not all_fit or not fits(entry.shape):
                    return entry, None
                return entry, pixels_of(decoded(image, path), image_format.shape, *image_format.options)
        except (ImageError, OSError) as error:
            return entry.failed(error, path), None

    results = map_in_threads(read, [*files], block_size(image_format.shape, AT_ONCE))
    for name, (entry, image) in zip(files, results, strict=True):
        entries[name] = entry
        if image is not None and all_fit:
            yield image
        elif not entry.error:
            all_fit = False
