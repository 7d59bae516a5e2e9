"""Pair file: images, pairs, split and provenance in one `.npz` file that `np.load` reads without pickle."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from siamese_tf.data.images.format import ImageFormat, format_of_images, options_of
from siamese_tf.data.pairs.checksums import CHECKSUMS, check_members, encode_checksums
from siamese_tf.data.pairs.manifest import decode_manifest, encode_manifest
from siamese_tf.data.pairs.npz import Header, check_size, read_npz, write_npz
from siamese_tf.errors import PairFileError
from siamese_tf.files import is_private, open_regular

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = ("train", "validation", "test")
REQUIRED = ("images", "img1", "img2", "similarity")
MAX_LABEL = np.iinfo(np.int64).max
PER_IMAGE = ("labels", "groups", "authors")  # optional arrays with one whole number for each image
KNOWN_ARRAYS = (*REQUIRED, *PER_IMAGE, "split", "manifest", CHECKSUMS)


@dataclass(frozen=True, eq=False)
class PairDataset:
    """Images and pairs of a pair file.

    Attributes:
        images: images, (n, h, w, c) uint8; memory-mapped and read-only if loaded from a file.
        labels: class of each image, (n,) int64; None if the file has no labels.
        img1, img2: positions of the two images of each pair in `images`, (m,) int32.
        similarity: label of each pair, (m,) uint8, 1 = same class, 0 = different.
        split: split of each pair, (m,) uint8, TRAIN, VALIDATION or TEST.
        manifest: origin of the file, plain JSON values; {} if the file has no manifest.
        path: path of the file; None if made in memory.
        sha256: SHA-256 of the file, or of a list and its images, hexadecimal; None if made in memory.
        groups: group of each image, such as the alphabet of a character, (n,) int64; None if the file has no groups.
        authors: who made each image, such as the drawer of a character, (n,) int64; None if the file does not say.
        private: True if only the owner can read the images; pictures made from them get the same permission.
    """

    images: np.ndarray
    labels: np.ndarray | None
    img1: np.ndarray
    img2: np.ndarray
    similarity: np.ndarray
    split: np.ndarray
    manifest: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    sha256: str | None = None
    private: bool = False
    groups: np.ndarray | None = None
    authors: np.ndarray | None = None

    @property
    def display_name(self) -> str:
        """Path of the file, or "the pairs" for pairs made in memory; for messages."""
        return str(self.path or "the pairs")

    @property
    def image_format(self) -> ImageFormat:
        """Image format to convert other image files to for comparison with these images."""
        height, width, channels = self.images.shape[1:]
        return format_of_images((height, width, channels), *options_of(self.manifest.get("form")))

    def rows(self, split: int) -> np.ndarray:
        """Returns the row numbers of the pairs of a split (TRAIN, VALIDATION or TEST), int64, ascending."""
        return np.flatnonzero(self.split == split)

    def images_of(self, split: int) -> np.ndarray:
        """Returns the positions of the images of a split (TRAIN, VALIDATION or TEST), int64, ascending.

        A file records the split of pairs, not of images. The result is the images in the pairs of the split, or all
        images if all pairs are in the split and the manifest counts all images for it.
        """
        rows, counts = self.rows(split), self.manifest.get("images")
        is_whole_file = isinstance(counts, dict) and counts.get(PARTS[split]) == len(self.images)
        if is_whole_file and len(rows) == len(self.split):
            return np.arange(len(self.images))
        return np.unique(np.concatenate([self.img1[rows], self.img2[rows]])).astype(np.int64)


def save_pair_file(path: str | Path, pairs: PairDataset) -> None:
    """Writes a pair file atomically; equal contents give equal bytes.

    Raises:
        PairFileError: if `load_pair_file` or `check_labels_agree` would reject the contents; nothing is written.
    """
    arrays = arrays_of(pairs)
    _check_headers(arrays, str(path))
    _validated(arrays, str(path))
    check_labels_agree(pairs)
    arrays[CHECKSUMS] = encode_checksums(arrays)
    check_size(arrays, str(path))
    write_npz(path, arrays, private=pairs.private)


def arrays_of(pairs: PairDataset) -> dict[str, np.ndarray]:
    """Returns the arrays of a pair file by name, without the checksums."""
    arrays = {name: getattr(pairs, name) for name in KNOWN_ARRAYS[:-2] if getattr(pairs, name) is not None}
    return {**arrays, "manifest": encode_manifest(pairs.manifest, pairs.display_name)}


def load_pair_file(path: str | Path) -> PairDataset:
    """Loads and checks a pair file, possibly from an untrusted source.

    `images`, `img1`, `img2` and `similarity` are required. The default of `labels`, `groups` and `authors` is None, of
    `split` TRAIN for every pair, and of `manifest` {}. Images may lack the channel axis. Similarity may contradict the
    labels, so that every file can be audited; `check_labels_agree` rejects this. Further arrays are ignored.
    `check_members` rejects files of siamese_tf with missing or changed arrays.

    Raises:
        PairFileError: if the file is missing, unreadable, damaged, or does not follow the format.
    """
    try:
        path = Path(path)
        with open_regular(path) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            check = partial(_check_headers, name=str(path))
            arrays, members = read_npz(file, str(path), KNOWN_ARRAYS, mapped=("images",), check=check)
    except OSError as error:
        raise PairFileError(
            f"cannot read the pair file {path}: {error.strerror}. Generate it with siamese-tf pairs generate."
        ) from error
    manifest = decode_manifest(arrays["manifest"], str(path)) if "manifest" in arrays else {}
    check_members(arrays.get(CHECKSUMS), members, KNOWN_ARRAYS, manifest, str(path))
    return PairDataset(
        **_validated(arrays, str(path)), manifest=manifest, path=path, sha256=sha256, private=is_private(path)
    )


def check_labels_agree(pairs: PairDataset) -> None:
    """Checks that similarity agrees with the labels, if there are labels.

    Raises:
        PairFileError: if it does not; the message gives the number of contradicting pairs.
    """
    if pairs.labels is None:
        return
    wrong = int(((pairs.labels[pairs.img1] == pairs.labels[pairs.img2]) != pairs.similarity).sum())
    if wrong:
        raise PairFileError(
            f"{pairs.display_name}: similarity must be 1 for equal labels and 0 otherwise; got"
            f" {wrong} of {len(pairs.similarity)} pairs that contradict this. Correct the rows, or omit the labels."
        )


def _check_headers(arrays: Mapping[str, np.ndarray | Header], name: str) -> None:
    """Checks the shapes and dtypes of arrays, which are known before the arrays are read."""
    if missing := [key for key in REQUIRED if key not in arrays]:
        raise PairFileError(f"{name} must have the arrays {', '.join(REQUIRED)}; got no {missing[0]!r}.")
    shape, dtype = arrays["images"].shape, arrays["images"].dtype
    if dtype != np.uint8 or len(shape) not in (3, 4) or 0 in shape:
        raise PairFileError(
            f"{name}: images must be (n, h, w, c) or (n, h, w) uint8 with at least one image; got shape {shape} and"
            f" dtype {dtype}."
        )
    if len(shape) == 4 and shape[-1] not in (1, 3):
        raise PairFileError(
            f"{name}: images must have 1 or 3 channels; got {shape[-1]} (shape {shape}). Convert them to gray or RGB."
        )
    if (arrays["similarity"].shape or (0,))[0] == 0:
        raise PairFileError(f"{name} must have at least one pair; got none.")
    pairs = arrays["similarity"].shape[0]
    per_pair = ("img1", "img2", "similarity", "split")
    for key, length in {**dict.fromkeys(per_pair, pairs), **dict.fromkeys(PER_IMAGE, shape[0])}.items():
        if key in arrays and (arrays[key].shape != (length,) or arrays[key].dtype.kind not in "biu"):
            raise PairFileError(
                f"{name}: {key} must be ({length},) integers; got shape {arrays[key].shape} and dtype"
                f" {arrays[key].dtype}."
            )


def _validated(arrays: dict[str, np.ndarray], name: str) -> dict[str, Any]:
    """Checks the values of the arrays and returns them with the dtypes of `PairDataset`, without the manifest."""
    images, pairs = arrays["images"], len(arrays["similarity"])
    images = images[..., np.newaxis] if images.ndim == 3 else images
    maximum = {"img1": len(images) - 1, "img2": len(images) - 1, "similarity": 1, "split": TEST}
    maximum |= dict.fromkeys(PER_IMAGE, MAX_LABEL)
    dtypes = {"img1": np.int32, "img2": np.int32, "similarity": np.uint8, "split": np.uint8}
    dtypes |= dict.fromkeys(PER_IMAGE, np.int64)
    checked = {"images": images, **dict.fromkeys(PER_IMAGE), "split": np.zeros(pairs, np.uint8)}
    for key in maximum.keys() & arrays.keys():
        values = arrays[key]
        if values.min() < 0 or values.max() > maximum[key]:
            raise PairFileError(f"{name}: {key} must be in 0 to {maximum[key]}; got {values.min()} to {values.max()}.")
        checked[key] = values.astype(dtypes[key], copy=False)
    return checked
