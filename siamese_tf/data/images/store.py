"""Decoded images on disk: a memory-mapped array, and an index that maps its rows to files.

Both are written aside and renamed, the index last, and the index names its array and that array's size and time, and
carries a digest of itself. So two processes at once, a kill at any moment and damage to the index leave a store that is
whole, or one that `read_store` finds is not.
"""

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL

from siamese_tf.data.images.format import ImageFormat
from siamese_tf.files import atomic_write, open_regular, remove_stale_temporaries

SCHEMA = 2
INDEX = "index.json"
ENVELOPE = '{{"sha256": "{}", "index": {}}}'  # the index, and the digest of its JSON text
STALE_SECONDS = 24 * 3600  # what a killed process left is removed by the next one that writes after this time

Stamp = list[int] | None  # size, time of change, and time of change of the entry itself (rights, name); None: no file


@dataclass(frozen=True)
class Entry:
    """State of a file: its stamp; SHA-256, height, width and channels if readable; else the reason it is not."""

    stamp: Stamp
    sha256: str = ""
    shape: tuple[int, int, int] = (0, 0, 0)
    error: str = ""


@dataclass(frozen=True, eq=False)
class Store:
    """Decoded images on disk.

    Attributes:
        image_format: image format they were converted to; resolved.
        file: the array's.
        images: (k, h, w, c) uint8, memory-mapped, read-only: of the readable files, in the order of `entries`.
        entries: name of a file -> what it was.
    """

    image_format: ImageFormat
    file: Path
    images: np.ndarray
    entries: dict[str, Entry]

    @property
    def readable(self) -> dict[str, Entry]:
        """Entries of the files that have a row in `images`."""
        return {name: entry for name, entry in self.entries.items() if not entry.error}


def file_stamp(path: Path) -> Stamp:
    """Returns values that change whenever the file does; None if there is no file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def read_store(folder: Path) -> Store | None:
    """Loads the store in a folder; returns None if there is none, or it is incomplete or of another version."""
    try:
        index = _read_index(folder / INDEX)
        file = folder / Path(index["images"]).name
        if [index["schema"], index["pillow"], index["stamp"]] != [SCHEMA, PIL.__version__, file_stamp(file)]:
            return None
        image_format = ImageFormat(**{**index["form"], "size": tuple(index["form"]["size"])})
        entries = {
            name: Entry(stamp, sha256, tuple(shape), error)
            for name, (stamp, sha256, shape, error) in index["files"].items()
        }
        store = Store(image_format, file, np.lib.format.open_memmap(file, mode="r"), entries)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return store if store.images.shape == (len(store.readable), *image_format.shape) else None


def _read_index(path: Path) -> dict[str, Any]:
    with open_regular(path) as file:
        text = file.read().decode()
    start = len(ENVELOPE.format("0" * 64, "")) - 1
    if text != _envelope(text[start:-1]):
        raise ValueError(f"{path} is damaged")
    return json.loads(text[start:-1])


def _envelope(text: str) -> str:
    return ENVELOPE.format(hashlib.sha256(text.encode()).hexdigest(), text)


def write_images(file: Path, images: Iterable[np.ndarray], image_format: ImageFormat) -> None:
    """Writes an array image by image, however many there come to be."""
    with atomic_write(file) as out:
        _write_header(out, 0, image_format)
        count = 0
        for image in images:
            out.write(image.tobytes())
            count += 1
        out.seek(0)
        _write_header(out, count, image_format)


def _write_header(out: IO[bytes], count: int, image_format: ImageFormat) -> None:
    """Writes a header whose length does not depend on the count: NumPy leaves room for it to grow."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *image_format.shape)}
    np.lib.format.write_array_header_1_0(out, header)


def write_index(folder: Path, image_format: ImageFormat, file: Path, entries: dict[str, Entry]) -> Store:
    """Makes an array that was written the store of a folder."""
    index = {
        "schema": SCHEMA,
        "pillow": PIL.__version__,
        "form": asdict(image_format),
        "images": file.name,
        "stamp": file_stamp(file),
        "files": {name: [*vars(entry).values()] for name, entry in entries.items()},
    }
    store = Store(image_format, file, np.lib.format.open_memmap(file, mode="r"), entries)
    with atomic_write(folder / INDEX, "w") as out:
        out.write(_envelope(json.dumps(index)))
    return store


def remove_leftovers(folder: Path, current: Path, replaced: Path | None) -> None:
    """Removes the array that was replaced, what was left by killed processes, and what is older than a day."""
    remove_stale_temporaries(folder)
    for path in folder.iterdir():
        stamp = file_stamp(path)
        aged = stamp is not None and time.time() - stamp[1] / 1e9 > STALE_SECONDS
        if path.name not in (INDEX, current.name) and (aged or path == replaced):
            path.unlink(missing_ok=True)
