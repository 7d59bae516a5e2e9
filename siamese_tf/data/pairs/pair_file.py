"""Pair file: images, pairs, split and provenance in one `.npz` that `np.load` reads without pickle."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from siamese_tf.data.images.format import RESIZES, ImageFormat, format_of_images
from siamese_tf.data.pairs.checksums import CHECKSUMS, check_members, encode_checksums
from siamese_tf.data.pairs.manifest import decode_manifest, encode_manifest
from siamese_tf.data.pairs.npz import Header, check_size, read_npz, write_npz
from siamese_tf.errors import PairFileError
from siamese_tf.files import is_private, open_regular

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = ("train", "validation", "test")
REQUIRED = ("images", "img1", "img2", "similarity")
MAX_LABEL = np.iinfo(np.int64).max
KNOWN_ARRAYS = (*REQUIRED, "labels", "split", "manifest", CHECKSUMS)


@dataclass(frozen=True, eq=False)
class PairDataset:
    """Images and pairs of a pair file.

    Attributes:
        images: (n, h, w, c) uint8; of a file, memory-mapped and read-only.
        labels: (n,) int64, the class of each image; None in files that do not say.
        img1, img2: (m,) int32, the two images of each pair, positions in `images`.
        similarity: (m,) uint8, 1 = same class, 0 = different.
        split: (m,) uint8, TRAIN, VALIDATION or TEST.
        manifest: where the file came from, plain JSON values; {} in files that do not say.
        path: where it was loaded from; None for one made in memory.
        sha256: of the whole file, hexadecimal, of a list with its images; None for one made in memory.
        private: whether only their owner may read the images; so may pictures of them then.
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

    @property
    def image_format(self) -> ImageFormat:
        """Image format that other image files must be converted to, to be comparable with these images."""
        height, width, channels = self.images.shape[1:]
        image_format = self.manifest.get("form")
        how = image_format.get("resize") if isinstance(image_format, dict) else None
        return format_of_images((height, width, channels), how if how in RESIZES else "pad")

    def rows(self, split: int) -> np.ndarray:
        """Returns the row numbers (int64, ascending) of the pairs of TRAIN, VALIDATION or TEST."""
        return np.flatnonzero(self.split == split)

    def images_of(self, split: int) -> np.ndarray:
        """Returns the positions (int64, ascending) of the images of TRAIN, VALIDATION or TEST.

        A file says of pairs, not of images, where they belong: these are the images that the pairs of that part use, or
        all images where there are no other pairs and the manifest counts all images to that part.
        """
        rows, counts = self.rows(split), self.manifest.get("images")
        is_whole_file = isinstance(counts, dict) and counts.get(PARTS[split]) == len(self.images)
        if is_whole_file and len(rows) == len(self.split):
            return np.arange(len(self.images))
        return np.unique(np.concatenate([self.img1[rows], self.img2[rows]])).astype(np.int64)


def save_pair_file(path: str | Path, pairs: PairDataset) -> None:
    """Writes a pair file, whole or not at all; equal contents give equal bytes.

    Raises:
        PairFileError: `load_pair_file` or `check_labels_agree` would refuse the contents; nothing is written.
    """
    arrays = arrays_of(pairs)
    _check_headers(arrays, str(path))
    _validated(arrays, str(path))
    check_labels_agree(pairs)
    arrays[CHECKSUMS] = encode_checksums(arrays)
    check_size(arrays, str(path))
    write_npz(path, arrays, private=pairs.private)


def arrays_of(pairs: PairDataset) -> dict[str, np.ndarray]:
    """Returns the arrays in the file of these pairs by name, without the checksums."""
    arrays = {name: getattr(pairs, name) for name in KNOWN_ARRAYS[:-2] if getattr(pairs, name) is not None}
    return {**arrays, "manifest": encode_manifest(pairs.manifest, str(pairs.path or "these pairs"))}


def load_pair_file(path: str | Path) -> PairDataset:
    """Reads and checks a pair file, ours or anyone's.

    `images`, `img1`, `img2` and `similarity` must be there. Without `labels` they are None, without `split` every pair
    is TRAIN, without `manifest` it is {}. Images may lack the channel axis. Similarity may contradict the labels, so
    that any file can be audited: ask `check_labels_agree`. Further arrays are ignored; none of those that siamese_tf
    wrote may be missing or changed, see `check_members`.

    Raises:
        PairFileError: missing, unreadable, damaged, or not what the format asks; the message says what.
    """
    try:
        path = Path(path)
        with open_regular(path) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            check = partial(_check_headers, name=str(path))
            arrays, members = read_npz(file, str(path), KNOWN_ARRAYS, mapped=("images",), check=check)
    except OSError as error:
        raise PairFileError(
            f"cannot read the pair file {path}: {error.strerror}. Make pair files with siamese-tf pairs generate."
        ) from error
    manifest = decode_manifest(arrays["manifest"], str(path)) if "manifest" in arrays else {}
    check_members(arrays.get(CHECKSUMS), members, KNOWN_ARRAYS, manifest, str(path))
    return PairDataset(
        **_validated(arrays, str(path)), manifest=manifest, path=path, sha256=sha256, private=is_private(path)
    )


def check_labels_agree(pairs: PairDataset) -> None:
    """Refuses pairs whose similarity contradicts the labels; without labels there is nothing to contradict.

    Raises:
        PairFileError: how many pairs are contradicted.
    """
    if pairs.labels is None:
        return
    wrong = int(((pairs.labels[pairs.img1] == pairs.labels[pairs.img2]) != pairs.similarity).sum())
    if wrong:
        raise PairFileError(
            f"{pairs.path or 'these pairs'}: in {wrong} of {len(pairs.similarity)} pairs, similarity contradicts the"
            " labels (1 must mean same label). Correct the rows, or leave the labels out."
        )


def _check_headers(arrays: Mapping[str, np.ndarray | Header], name: str) -> None:
    """Refuses arrays by their shapes and dtypes, which are known before the arrays are read."""
    if missing := [key for key in REQUIRED if key not in arrays]:
        raise PairFileError(f"{name} has no array {missing[0]!r}; a pair file needs {', '.join(REQUIRED)}.")
    shape, dtype = arrays["images"].shape, arrays["images"].dtype
    if dtype != np.uint8 or len(shape) not in (3, 4) or 0 in shape:
        raise PairFileError(
            f"{name}: images have shape {shape} and dtype {dtype}; expected (n, h, w, c) or (n, h, w) "
            "uint8, with at least one image."
        )
    if len(shape) == 4 and shape[-1] not in (1, 3):
        raise PairFileError(
            f"{name}: images have shape {shape}, so {shape[-1]} channels; expected 1 or 3. Convert them to gray or RGB."
        )
    if (arrays["similarity"].shape or (0,))[0] == 0:
        raise PairFileError(f"{name} holds no pairs.")
    pairs = arrays["similarity"].shape[0]
    for key, length in {**dict.fromkeys(("img1", "img2", "similarity", "split"), pairs), "labels": shape[0]}.items():
        if key in arrays and (arrays[key].shape != (length,) or arrays[key].dtype.kind not in "biu"):
            raise PairFileError(
                f"{name}: {key} has shape {arrays[key].shape} and dtype {arrays[key].dtype}; expected ({length},)"
                " integers."
            )


def _validated(arrays: dict[str, np.ndarray], name: str) -> dict[str, Any]:
    """Checks the values of the arrays and returns them in the types of PairDataset, without the manifest."""
    images, pairs = arrays["images"], len(arrays["similarity"])
    images = images[..., np.newaxis] if images.ndim == 3 else images
    maximum = {"img1": len(images) - 1, "img2": len(images) - 1, "similarity": 1, "split": TEST, "labels": MAX_LABEL}
    dtypes = {"img1": np.int32, "img2": np.int32, "similarity": np.uint8, "split": np.uint8, "labels": np.int64}
    checked = {"images": images, "labels": None, "split": np.zeros(pairs, np.uint8)}
    for key in maximum.keys() & arrays.keys():
        values = arrays[key]
        if values.min() < 0 or values.max() > maximum[key]:
            raise PairFileError(
                f"{name}: {key} goes from {values.min()} to {values.max()}; expected 0 to {maximum[key]}."
            )
        checked[key] = values.astype(dtypes[key], copy=False)
    return checked
