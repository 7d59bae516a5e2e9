"""Memory-mapped arrays of images."""

import mmap

import numpy as np


def release_pages(images: np.ndarray) -> None:
    """Removes the pages of a read-only memory-mapped array from the memory of this process.

    They count towards its peak memory, although the operating system could drop them. Reading them again is fast, since
    they stay in the page cache. Other arrays are not affected: unsaved changes would be lost.
    """
    base: object = images
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and not images.flags.writeable and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
