"""Folders of four IDX files: training images and labels, test images and labels."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from siamese_tf.data.sources.idx import read_idx
from siamese_tf.errors import DatasetError

PARTS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def find_idx_files(folder: str | Path) -> dict[str, Path]:
    """Finds those of the four files that are in a folder.

    A file may be plain or end in `.gz`, and be written `train-images-idx3-ubyte` or `train-images.idx3-ubyte`; the
    plain one is taken if both exist.

    Args:
        folder: where to look; it need not exist.

    Returns:
        The parts that were found, of `PARTS`, and the path of each.
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
        folder: what holds them.
        sha256: part -> SHA-256 (hexadecimal) its uncompressed bytes must have; None accepts any.

    Returns:
        Part, of `PARTS` -> uint8 array as in the file.

    Raises:
        DatasetError: a file is missing, damaged, or not the one expected.
    """
    paths = find_idx_files(folder)
    missing = [part for part in PARTS if part not in paths]
    if missing:
        raise DatasetError(
            f"{folder}: there is no {', no '.join(missing)}; expected the four IDX files {', '.join(PARTS)}, each "
            "plain or .gz; put them there, or name another folder"
        )
    return {part: read_idx(path, sha256[part] if sha256 else None) for part, path in paths.items()}


def stack_parts(parts: Mapping[str, np.ndarray], where: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Puts training and test images into one stack, the training images first.

    Args:
        parts: part, of `PARTS` -> uint8 array; images (n, h, w) or (n, h, w, c) with c 1 or 3, labels (n,).
        where: what the messages call them.

    Returns:
        images (n, h, w, c) uint8; labels (n,) int64; is_test (n,) bool, True for the test images.

    Raises:
        DatasetError: the shapes do not fit together, or there is no training image.
    """
    train = _images_and_labels(parts, "train", where)
    test = _images_and_labels(parts, "t10k", where)
    if train[0].shape[1:] != test[0].shape[1:]:
        sizes = f"the training images are {train[0].shape[1:]}, the test images {test[0].shape[1:]}"
        raise DatasetError(f"{where}: {sizes} (height, width, channels); expected one size; bring them to one size")
    if len(train[0]) == 0:
        raise DatasetError(f"{where}: there are no training images; expected one or more; fill the training files")
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
            f"{which}: the images have the shape {images.shape}; expected (n, height, width), or (n, height, width, "
            "channels) with 1 or 3 channels; write them again in that order"
        )
    if labels.ndim != 1 or len(labels) != len(images):
        raise DatasetError(
            f"{which}: {len(images):,} images, but labels of the shape {labels.shape}; expected one label for each "
            "image; the two files do not belong together: fetch or write both again"
        )
    return images, labels
