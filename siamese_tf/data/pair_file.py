"""The pair file: images, pairs, split and where they came from, in one `.npz` that `np.load` reads without pickle."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from siamese_tf.data.image_form import RESIZES, ImageForm, form_of_images
from siamese_tf.data.npz import check_size, read_npz, write_npz
from siamese_tf.errors import PairFileError

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = ("train", "validation", "test")
REQUIRED = ("images", "img1", "img2", "similarity")
OPTIONAL = ("labels", "split", "manifest")


@dataclass(frozen=True, eq=False)
class PairFile:
    """What a pair file holds.

    Attributes:
        images: (n, h, w, c) uint8; of a file, memory-mapped and read-only.
        labels: (n,) int64, the class of each image; None in files that do not say.
        img1, img2: (m,) int32, the two images of each pair, positions in `images`.
        similarity: (m,) uint8, 1 = same class, 0 = different.
        split: (m,) uint8, TRAIN, VALIDATION or TEST.
        manifest: where the file came from, plain JSON values; {} in files that do not say.
        path: where it was loaded from; None for one made in memory.
        sha256: of the whole file, hexadecimal, of a list with its images; None for one made in memory.
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

    @property
    def form(self) -> ImageForm:
        """What image files must be brought to, to go with these; the manifest says how, if image files these were."""
        height, width, channels = self.images.shape[1:]
        form = self.manifest.get("form")
        how = form.get("resize") if isinstance(form, dict) else None
        return form_of_images((height, width, channels), how if how in RESIZES else "pad")

    def rows(self, split: int) -> np.ndarray:
        """The row numbers (int64, rising) of the pairs of TRAIN, VALIDATION or TEST."""
        return np.flatnonzero(self.split == split)

    def images_of(self, split: int) -> np.ndarray:
        """The positions (int64, rising) of the images of TRAIN, VALIDATION or TEST.

        A file says of pairs, not of images, where they belong: these are the images that the pairs of that part use, or
        all images where there are no other pairs and the manifest counts all images to that part.
        """
        rows, counts = self.rows(split), self.manifest.get("images")
        told = isinstance(counts, dict) and counts.get(PARTS[split]) == len(self.images)
        if told and len(rows) == len(self.split):
            return np.arange(len(self.images))
        return np.unique(np.concatenate([self.img1[rows], self.img2[rows]])).astype(np.int64)


def save_pair_file(path: str | Path, pairs: PairFile) -> None:
    """Writes a pair file, whole or not at all; equal contents give equal bytes.

    Raises:
        PairFileError: `load_pair_file` or `check_labels_agree` would refuse the contents; nothing is written.
    """
    arrays = arrays_of(pairs)
    _checked(arrays, str(path))
    check_labels_agree(pairs)
    check_size(arrays, str(path))
    write_npz(path, arrays)


def arrays_of(pairs: PairFile) -> dict[str, np.ndarray]:
    """What stands in the file of these pairs, by name."""
    arrays = {name: getattr(pairs, name) for name in (*REQUIRED, "labels", "split") if getattr(pairs, name) is not None}
    return {**arrays, "manifest": np.array(json.dumps(pairs.manifest, sort_keys=True, allow_nan=False))}


def load_pair_file(path: str | Path) -> PairFile:
    """Reads and checks a pair file, ours or anyone's.

    `images`, `img1`, `img2` and `similarity` must be there. Without `labels` they are None, without `split` every pair
    is TRAIN, without `manifest` it is {}. Images may lack the channel axis. Further arrays are ignored, and similarity
    may contradict the labels, so that any file can be audited: ask `check_labels_agree`.

    Raises:
        PairFileError: missing, unreadable, damaged, or not what the format asks; the message says what, and the cure.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            arrays = read_npz(file, str(path), REQUIRED + OPTIONAL, mapped=("images",))
    except OSError as error:
        raise PairFileError(
            f"cannot read the pair file {path}: {error.strerror}. Make pair files with siamese-tf pairs generate."
        ) from error
    return PairFile(**_checked(arrays, str(path)), path=path, sha256=sha256)


def check_labels_agree(pairs: PairFile) -> None:
    """Refuses pairs whose similarity contradicts the labels; without labels there is nothing to contradict.

    Raises:
        PairFileError: how many pairs are contradicted, and the cure.
    """
    if pairs.labels is None:
        return
    wrong = int(((pairs.labels[pairs.img1] == pairs.labels[pairs.img2]) != pairs.similarity).sum())
    if wrong:
        raise PairFileError(
            f"{pairs.path or 'these pairs'}: in {wrong} of {len(pairs.similarity)} pairs, similarity contradicts the"
            " labels (1 must mean same label). Correct the rows, or leave the labels out."
        )


def _checked(arrays: dict[str, np.ndarray], name: str) -> dict[str, Any]:
    """The same arrays in the types of PairFile, once everything about them has been found right."""
    if missing := [key for key in REQUIRED if key not in arrays]:
        raise PairFileError(f"{name} has no array {missing[0]!r}; a pair file needs {', '.join(REQUIRED)}.")
    images = _checked_images(arrays["images"], name)
    pairs = len(arrays["similarity"]) if arrays["similarity"].ndim else 0
    if pairs == 0:
        raise PairFileError(f"{name} holds no pairs.")
    split = arrays.get("split", np.zeros(pairs, np.uint8))
    checked = {
        "images": images,
        "img1": _integers(arrays["img1"], "img1", pairs, len(images) - 1, name).astype(np.int32, copy=False),
        "img2": _integers(arrays["img2"], "img2", pairs, len(images) - 1, name).astype(np.int32, copy=False),
        "similarity": _integers(arrays["similarity"], "similarity", pairs, 1, name).astype(np.uint8, copy=False),
        "split": _integers(split, "split", pairs, TEST, name).astype(np.uint8, copy=False),
        "labels": None,
        "manifest": _checked_manifest(arrays["manifest"], name) if "manifest" in arrays else {},
    }
    if "labels" in arrays:
        labels = _integers(arrays["labels"], "labels", len(images), np.iinfo(np.int64).max, name)
        checked["labels"] = labels.astype(np.int64, copy=False)
    return checked


def _checked_images(images: np.ndarray, name: str) -> np.ndarray:
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or 0 in images.shape:
        raise PairFileError(
            f"{name}: images have shape {images.shape} and dtype {images.dtype}; expected (n, h, w, c) or (n, h, w) "
            "uint8, with at least one image."
        )
    if images.ndim == 4 and images.shape[-1] not in (1, 3):
        raise PairFileError(
            f"{name}: images have shape {images.shape}, so {images.shape[-1]} channels; expected 1 or 3."
            " Convert them to grey or RGB."
        )
    return images[..., np.newaxis] if images.ndim == 3 else images


def _integers(values: np.ndarray, key: str, length: int, most: int, name: str) -> np.ndarray:
    if values.shape != (length,) or values.dtype.kind not in "biu":
        raise PairFileError(
            f"{name}: {key} has shape {values.shape} and dtype {values.dtype}; expected ({length},) integers."
        )
    if values.min() < 0 or values.max() > most:
        raise PairFileError(f"{name}: {key} goes from {values.min()} to {values.max()}; expected 0 to {most}.")
    return values


def _checked_manifest(array: np.ndarray, name: str) -> dict[str, Any]:
    try:
        manifest = json.loads(str(array[()]))
    except (ValueError, RecursionError) as error:
        raise PairFileError(
            f"{name}: the manifest is not JSON ({error}). Leave it out, or make the file again."
        ) from error
    if not isinstance(manifest, dict):
        raise PairFileError(f"{name}: the manifest is a JSON {type(manifest).__name__}; expected an object.")
    return manifest
