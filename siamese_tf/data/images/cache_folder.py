"""Location of the cache, and scratch space on the same disk for images that do not fit in memory."""

import errno
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from siamese_tf.errors import SiameseError
from siamese_tf.home import cache_home, expanded

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
BLOCK_BYTES = 2**20


def cache_folder() -> Path:
    """Returns `$SIAMESE_TF_CACHE`, else `~/.cache/siamese_tf`; without a home folder, a temporary one.

    Raises:
        SiameseError: `SIAMESE_TF_CACHE` names the home of an unknown user.
    """
    named = os.environ.get("SIAMESE_TF_CACHE")
    return expanded(named, "SIAMESE_TF_CACHE") if named else cache_home() / "siamese_tf"


@contextmanager
def in_cache(needed: int) -> Iterator[Path]:
    """Yields the cache folder for writing; only its owner can read it, since pictures of faces are private.

    Args:
        needed: bytes that the block is going to write there.

    Raises:
        SiameseError: the system does not let the folder be made, or the block write there; the message has a hint.
    """
    folder = cache_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        why = error.strerror or error
        if error.errno in FULL:
            raise SiameseError(
                f"the cache {folder} has no room for {needed:,} bytes of decoded images: {why}. Free as much, or set"
                " SIAMESE_TF_CACHE to a folder on a larger disk"
            ) from error
        raise SiameseError(
            f"the cache {folder} cannot be written: {why}; expected a folder that you may write in. Check its rights,"
            " or set SIAMESE_TF_CACHE to another"
        ) from error


def scratch_images(shape: tuple[int, ...]) -> np.ndarray:
    """Allocates an array of images in an unnamed file beside the cache; it is deleted with the array.

    Args:
        shape: (n, h, w, c), with no zero in it.

    Returns:
        That shape, uint8, 0, memory-mapped and writable; the whole of it has its place on the disk.

    Raises:
        SiameseError: as `in_cache`.
    """
    size = math.prod(shape)
    with in_cache(size) as folder, tempfile.TemporaryFile(dir=folder) as file:
        _reserve(file, size)
        return np.memmap(file, np.uint8, "r+", shape=shape)


def _reserve(file: IO[bytes], size: int) -> None:
    """Takes the room now: a full disk kills a process that writes to a map of a file with holes."""
    if hasattr(os, "posix_fallocate"):  # macOS has none
        os.posix_fallocate(file.fileno(), 0, size)
        return
    zeros = bytes(BLOCK_BYTES)
    for start in range(0, size, BLOCK_BYTES):
        file.write(zeros[: size - start])
    file.flush()
