"""Folders of four IDX files: training images and labels, test images and labels."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from siamese_tf.data.sources.idx import read_idx
from siamese_tf.errors import DatasetError

PARTS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def find_idx_files(folder: str | Path) -> dict[str, Path]:
    """Finds the IDX files in a folder.

    A file may be plain or end in `.gz`, and be named `train-images-idx3-ubyte` or `train-images.idx3-ubyte`; the plain
    file takes precedence.

    Args:
        folder: folder to search; need not exist.

    Returns:
        Name from `PARTS` -> path, for each file that exists.
    """
    found = {}
    for part in PARTS:
        dotted = part.replace("-idx", ".idx")
        paths = [Path(folder, name) for name in (part, dotted, f"{part}.gz", f"{dotted}.gz")]
        existing = [path for path in paths if os.path.isfile(path)]
        if existing:
            found[part] = existing[0]
    return found


def read_idx_folder(folder: str | Path, sha256: Mapping[str, str] | None = None) -> dict[str, np.ndarray]:
    """Reads the four files of a folder.

    Args:
        folder: folder with the files.
        sha256: name from `PARTS` -> expected SHA-256 (hexadecimal) of the uncompressed bytes; None accepts any.

    Returns:
        Name from `PARTS` -> uint8 array, see `read_idx`.

    Raises:
        DatasetError: if a file is missing or damaged, or has another SHA-256.
    """
    paths = find_idx_files(folder)
    missing = [part for part in PARTS if part not in paths]
    if missing:
        raise DatasetError(
            f"{folder}: must have the four IDX files {', '.join(PARTS)}, each plain or .gz; got no"
            f" {', no '.join(missing)}. Add these files, or name another folder"
        )
    return {part: read_idx(path, sha256[part] if sha256 else None) for part, path in paths.items()}


def stack_parts(parts: Mapping[str, np.ndarray], where: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Concatenates training and test images, the training images first.

    Args:
        parts: name from `PARTS` -> uint8 array; images (n, h, w) or (n, h, w, c) with c 1 or 3, labels (n,).
        where: name of the data, for the messages.

    Returns:
        images (n, h, w, c) uint8; labels (n,) int64; is_test (n,) bool, True for the test images.

    Raises:
        DatasetError: if shapes are invalid or do not match, or there are no training images.
    """
    train = _images_and_labels(parts, "train", where)
    test = _images_and_labels(parts, "t10k", where)
    if train[0].shape[1:] != test[0].shape[1:]:
        raise DatasetError(
            f"{where}: training and test images must have the same (height, width, channels); got {train[0].shape[1:]}"
            f" and {test[0].shape[1:]}. Resize them to one size"
        )
    if len(train[0]) == 0:
        raise DatasetError(f"{where}: the number of training images must be 1 or more; got 0. Add training images")
    images = np.concatenate([train[0], test[0]])
    labels = np.concatenate([train[1], test[1]]).astype(np.int64)
    return images, labels, np.arange(len(labels)) >= len(train[1])


def _images_and_labels(parts: Mapping[str, np.ndarray], prefix: str, where: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = parts[f"{prefix}-images-idx3-ubyte"], parts[f"{prefix}-labels-idx1-ubyte"]
    which = f"{where}, {prefix} files"
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape[1:]:
        raise DatasetError(
            f"{which}: images must have shape (n, height, width), or (n, height, width, channels) with 1 or 3 channels;"
            f" got {images.shape}. Write them again in that order"
        )
    if labels.ndim != 1 or len(labels) != len(images):
        raise DatasetError(
            f"{which}: labels must have shape ({len(images)},), one label per image; got {labels.shape}."
            " Download or write both files again"
        )
    return images, labels
