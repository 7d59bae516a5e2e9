"""Store of decoded images: a memory-mapped array, and an index that maps its rows to files.

Both files are written under a temporary name and renamed, the index last. The index contains the name, size and
timestamps of the array, and a digest of itself. After concurrent writes, a killed process or damage to the index, the
store is therefore either complete or rejected by `read_store`.
"""

import errno
import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL

from siamese_tf.data.images.format import ImageFormat
from siamese_tf.files import atomic_write, open_regular, remove_stale_temporaries

SCHEMA = 2
INDEX = "index.json"
ENVELOPE = '{{"sha256": "{}", "index": {}}}'  # SHA-256 of the JSON text of the index, and the index
STALE_SECONDS = 24 * 3600  # age after which files of killed processes are removed

Stamp = list[int] | None  # st_size, st_mtime_ns, st_ctime_ns (changes with permissions and name too); None: no file


@dataclass(frozen=True)
class Entry:
    """State of a file: its stamp, and its SHA-256 and (height, width, channels) if it is readable, else the error."""

    stamp: Stamp
    sha256: str = ""
    shape: tuple[int, int, int] = (0, 0, 0)
    error: str = ""

    def failed(self, error: Exception, path: Path) -> "Entry":
        """Returns the entry with an error; drops the stamp, so that the file is read again, if it may be intact."""
        cause = error.__cause__ or error
        # A damaged file raises an OSError without errno or with EINVAL.
        of_system = isinstance(cause, OSError) and cause.errno not in (None, errno.EINVAL)
        stamp = None if of_system or isinstance(cause, MemoryError) else self.stamp
        return replace(self, stamp=stamp, error=str(error).removeprefix(f"{path}: "))


@dataclass(frozen=True, eq=False)
class Store:
    """Decoded images on disk.

    Attributes:
        image_format: resolved image format of `images`.
        file: path of the array file.
        images: (k, h, w, c) uint8, memory-mapped, read-only; the readable files in the order of `entries`.
        entries: file name -> state of the file when it was decoded.
    """

    image_format: ImageFormat
    file: Path
    images: np.ndarray
    entries: dict[str, Entry]

    @property
    def readable(self) -> dict[str, Entry]:
        """Entries of the readable files, which have a row in `images`."""
        return {name: entry for name, entry in self.entries.items() if not entry.error}


def file_stamp(path: Path) -> Stamp:
    """Returns values that change whenever the file changes; None if there is no file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def read_store(folder: Path) -> Store | None:
    """Loads the store of a folder; returns None if it is missing, incomplete, damaged or from another version."""
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
    """Writes images to an array file one by one; their number need not be known in advance."""
    with atomic_write(file) as out:
        _write_header(out, 0, image_format)
        count = 0
        for image in images:
            out.write(np.ascontiguousarray(image))
            count += 1
        out.seek(0)
        _write_header(out, count, image_format)


def _write_header(out: IO[bytes], count: int, image_format: ImageFormat) -> None:
    """Writes a header whose length does not depend on `count`: NumPy pads it so that the first dimension can grow."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *image_format.shape)}
    np.lib.format.write_array_header_1_0(out, header)


def write_index(folder: Path, image_format: ImageFormat, file: Path, entries: dict[str, Entry]) -> Store:
    """Writes the index of an array file that was already written; returns the store."""
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
    """Removes the replaced array, temporary files of killed processes, and other files older than `STALE_SECONDS`."""
    remove_stale_temporaries(folder)
    for path in folder.iterdir():
        stamp = file_stamp(path)
        aged = stamp is not None and time.time() - stamp[1] / 1e9 > STALE_SECONDS
        if path.name not in (INDEX, current.name) and (aged or path == replaced):
            path.unlink(missing_ok=True)
