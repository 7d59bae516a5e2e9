"""Cache folder, and scratch arrays on the same disk for images that do not fit in memory."""

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
    """Returns `$SIAMESE_TF_CACHE`, else `~/.cache/siamese_tf`, or a temporary folder if there is no home folder.

    Raises:
        SiameseError: if `SIAMESE_TF_CACHE` refers to the home folder of an unknown user.
    """
    named = os.environ.get("SIAMESE_TF_CACHE")
    return expanded(named, "SIAMESE_TF_CACHE") if named else cache_home() / "siamese_tf"


@contextmanager
def in_cache(needed: int) -> Iterator[Path]:
    """Yields the cache folder for writing; a new folder is readable only by its owner, since face images are private.

    Args:
        needed: number of bytes that the `with` block writes, for the error message.

    Raises:
        SiameseError: if the folder cannot be created, or the `with` block cannot write to it.
    """
    folder = cache_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        why = error.strerror or error
        if error.errno in FULL:
            raise SiameseError(
                f"the cache {folder} must have room for {needed:,} bytes of decoded images; got {why}. Free this much"
                " space, or set SIAMESE_TF_CACHE to a folder on a larger disk"
            ) from error
        raise SiameseError(
            f"the cache {folder} must be a writable folder; got {why}. Check its permissions, or set SIAMESE_TF_CACHE"
            " to another folder"
        ) from error


def scratch_images(shape: tuple[int, ...]) -> np.ndarray:
    """Allocates an array of images in an unnamed file in the cache folder; the file is deleted with the array.

    Args:
        shape: (n, h, w, c), each 1 or more.

    Returns:
        uint8 array of zeros of that shape, memory-mapped and writable; its disk space is fully reserved.

    Raises:
        SiameseError: if the cache cannot be written, see `in_cache`.
    """
    size = math.prod(shape)
    with in_cache(size) as folder, tempfile.TemporaryFile(dir=folder) as file:
        _reserve(file, size)
        return np.memmap(file, np.uint8, "r+", shape=shape)


def _reserve(file: IO[bytes], size: int) -> None:
    """Reserves disk space, since writing to a memory-mapped sparse file on a full disk kills the process."""
    if hasattr(os, "posix_fallocate"):  # missing on macOS
        os.posix_fallocate(file.fileno(), 0, size)
        return
    zeros = bytes(BLOCK_BYTES)
    for start in range(0, size, BLOCK_BYTES):
        file.write(zeros[: size - start])
    file.flush()
