"""Disk cache of decoded image files.

A file whose size and timestamps are unchanged is not read again. The pixels of a file that was renamed or touched are
found by its SHA-256.
"""

import errno
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from siamese_tf.data.images.cache_folder import cache_folder, in_cache
from siamese_tf.data.images.decode import image_shape, load_image
from siamese_tf.data.images.format import ImageFormat
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
from siamese_tf.files import open_regular

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
    """Reads the changed files and rewrites the store; copies the images that are already decoded."""
    known = old.entries if old else {}
    changed = [name for name in files if name not in known or known[name].stamp != stamps[name]]
    inspections = map_in_threads(lambda name: _inspect(files[name], stamps[name]), changed)
    inspected = dict(zip(changed, inspections, strict=True))
    entries = {name: inspected.get(name) or known[name] for name in files}
    file, resolved = folder / f"images-{os.urandom(8).hex()}.npy", None
    while (now := image_format.resolved([entry.shape for entry in entries.values() if not entry.error])) != resolved:
        resolved = now  # repeated: a file found damaged while decoding may have determined the format
        needed = math.prod(resolved.shape) * sum(not entry.error for entry in entries.values())
        with in_cache(needed):
            write_images(file, _decoded(files, entries, resolved, old), resolved)
    with in_cache(needed):
        store = write_index(folder, resolved, file, entries)
        remove_leftovers(folder, file, old.file if old else None)
    return store


def _inspect(path: Path, stamp: Stamp) -> Entry:
    try:
        shape = image_shape(path)
        with open_regular(path) as file:
            return Entry(stamp, hashlib.file_digest(file, "sha256").hexdigest(), shape)
    except (ImageError, OSError) as error:
        return _failed(Entry(stamp), error, path)


def _decoded(
    files: Mapping[str, Path], entries: dict[str, Entry], image_format: ImageFormat, old: Store | None
) -> Iterator[np.ndarray]:
    """Yields the decoded images; records an error in `entries` for each file that cannot be decoded."""
    before: dict[str, np.ndarray] = {}
    if old is not None and old.image_format == image_format:
        before = {entry.sha256: image for entry, image in zip(old.readable.values(), old.images, strict=True)}

    def decode(name: str) -> np.ndarray | ImageError:
        try:
            image = before.get(entries[name].sha256)
            return load_image(files[name], *image_format.shape, *image_format.options) if image is None else image
        except ImageError as error:
            return error

    names = [name for name, entry in entries.items() if not entry.error]
    for name, image in zip(names, map_in_threads(decode, names, block_size(image_format.shape, AT_ONCE)), strict=True):
        if isinstance(image, ImageError):
            entries[name] = _failed(entries[name], image, files[name])
        else:
            yield image


def _failed(entry: Entry, error: Exception, path: Path) -> Entry:
    """Returns the entry with its error; drops the stamp, so that the file is read again, if the file may be intact."""
    cause = error.__cause__ or error
    # A damaged file raises an OSError without errno or with EINVAL.
    of_system = isinstance(cause, OSError) and cause.errno not in (None, errno.EINVAL)
    stamp = None if of_system or isinstance(cause, MemoryError) else entry.stamp
    return replace(entry, stamp=stamp, error=str(error).removeprefix(f"{path}: "))
