"""Loading of lists of image pairs (CSV and LFW's `pairs.txt`) with their images."""

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from siamese_tf.data.images.cache import CachedImages, cached_images
from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.pairs.csv_list import parse_csv
from siamese_tf.data.pairs.csv_rows import TextLines
from siamese_tf.data.pairs.lfw_list import parse_lfw
from siamese_tf.data.pairs.listed_pairs import ListedPairs, is_lfw, is_list
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset, load_pair_file
from siamese_tf.data.sources.file_names import natural_order
from siamese_tf.errors import PairFileError
from siamese_tf.files import is_private, open_regular

NAMED = 3  # maximum number of unreadable images, or of people, in a message
HINT = "Correct the paths, repair the files, or remove their pairs"


def csv_pairs(path: str | Path, image_format: ImageFormat) -> PairDataset:
    """Loads a CSV list of pairs and its images, converted to one image format.

    Args:
        path: path of a UTF-8 CSV file with the columns `img1`, `img2` (paths relative to its folder), `similarity`
            (1 = same, 0 = different) and optionally `split` (train, validation or test; the default is train) and
            `group` (of both images; empty for a pair across groups). Other columns are ignored.
        image_format: image format to convert the images to; unspecified values are derived from the images.

    Returns:
        Pairs in the order of the list, without labels, since the list has no classes.

    Raises:
        PairFileError: if the list or one of its images cannot be read; the message names it.
    """
    path = Path(path)
    listed = parse_csv(TextLines(path), str(path))
    return _pair_file(path, listed, {name: path.parent / name for name in _names(listed)}, image_format)


def lfw_pairs(path: str | Path, images_folder: str | Path, image_format: ImageFormat) -> tuple[PairDataset, np.ndarray]:
    """Loads a list in the format of LFW's `pairs.txt` and its images, converted to one image format.

    The first line gives the number of folds and the number of similar pairs per fold, which is also the number of
    dissimilar pairs; a single number means one fold. A similar pair is `name n1 n2`, a dissimilar pair
    `name1 n1 name2 n2`.

    Args:
        path: path of the list.
        images_folder: folder that contains `NAME/NAME_0001.jpg` or `.png`.
        image_format: image format to convert the images to; unspecified values are derived from the images.

    Returns:
        Pairs in the order of the list, all TEST, with the people as labels and their names as `class_names` in the
        manifest; and the fold of each pair, (m,) int64, from 0.

    Raises:
        PairFileError: if the list or one of its images cannot be read; the message names it.
    """
    if "\0" in os.fspath(images_folder):
        raise PairFileError(f"images must be a path without null characters; got {os.fspath(images_folder)!r}")
    path = Path(path)
    listed = parse_lfw(TextLines(path), str(path))
    files = {name: _lfw_file(Path(images_folder), name) for name in _names(listed)}
    people = sorted({name.split("/")[0] for name in files})
    number = {person: label for label, person in enumerate(people)}
    labels = {name: number[name.split("/")[0]] for name in files}
    hint = f"They must be at NAME/NAME_0001.jpg or .png in {images_folder}; give another"
    hint += " folder with --images, or repair the files"
    pairs = _pair_file(path, listed, files, image_format, labels, images_folder, hint)
    pairs = replace(pairs, manifest={**pairs.manifest, "class_names": people})
    return pairs, np.array(listed.fold, np.int64)


def check_people_apart(pairs: PairDataset) -> None:
    """Checks that each person in an LFW list is in only one of training, validation and test.

    Raises:
        PairFileError: if a person is in several; the message gives their number and the first names.
    """
    if pairs.labels is None:
        return
    parts = [np.unique(pairs.labels[pairs.images_of(part)]) for part in (TRAIN, VALIDATION, TEST)]
    people, counts = np.unique(np.concatenate(parts), return_counts=True)
    shared = [str(pairs.manifest["class_names"][label]) for label in people[counts > 1]]
    if shared:
        raise PairFileError(
            f"{pairs.path}: each person must be in only one of the training, validation and test folds, or the results"
            f" overestimate the model; got {len(shared):,} people in several ({', '.join(shared[:NAMED])})."
            " Put all pairs of a person into one fold"
        )


def load_pair_dataset(
    path: str | Path, image_format: ImageFormat, images_folder: str | Path | None = None
) -> tuple[PairDataset, np.ndarray | None]:
    """Loads pairs according to the file extension: `.csv` and `.txt` are lists, all others are pair files.

    Args:
        path: path of the file.
        image_format: image format to convert the images of a list to.
        images_folder: folder of the images of a `.txt` list; the default is the folder of the list.

    Returns:
        The pairs; and the fold of each pair of a `.txt` list, (m,) int64, from 0, otherwise None.

    Raises:
        PairFileError: if `csv_pairs`, `lfw_pairs` or `load_pair_file` raises it.
    """
    if not is_list(path):
        return load_pair_file(path), None
    if not is_lfw(path):
        return csv_pairs(path, image_format), None
    return lfw_pairs(path, Path(path).parent if images_folder is None else images_folder, image_format)


def _pair_file(
    path: Path,
    listed: ListedPairs,
    files: Mapping[str, Path],
    image_format: ImageFormat,
    labels: Mapping[str, int] | None = None,
    images_folder: str | Path | None = None,
    hint: str = HINT,
) -> PairDataset:
    found = cached_images(path, files, image_format, images_folder)
    if found.unreadable:
        first = "; ".join(f"{name:.200}: {reason}" for name, reason in list(found.unreadable.items())[:NAMED])
        raise PairFileError(
            f"{path}: {len(found.unreadable):,} of its {len(files):,} images cannot be read ({first}). {hint}"
        )
    row = {name: number for number, name in enumerate(found.sha256)}
    names, groups = _groups(listed, row)
    return PairDataset(
        images=found.images,
        labels=None if labels is None else np.array([labels[name] for name in row], np.int64),
        img1=np.array([row[name] for name in listed.img1], np.int32),
        img2=np.array([row[name] for name in listed.img2], np.int32),
        similarity=np.array(listed.similarity, np.uint8),
        split=np.array(listed.split, np.uint8),
        manifest={"form": found.image_format.as_dict()} | ({} if groups is None else {"group_names": names}),
        path=path,
        sha256=_sha256(path, found),
        private=any(map(is_private, {path, *_folders(files.values())})),
        groups=groups,
    )


def _groups(listed: ListedPairs, images: Iterable[str]) -> tuple[list[str], np.ndarray | None]:
    """Returns the names of the groups of a list and the number of each image's group; None if no image has one.

    An image without a group gets a number of its own, after those of the names, so that its pairs are across groups.
    """
    if not listed.groups:
        return [], None
    names = sorted({*listed.groups.values()}, key=natural_order)
    number = {name: position for position, name in enumerate(names)}
    own = itertools.count(len(names))
    found = [number[listed.groups[image]] if image in listed.groups else next(own) for image in images]
    return names, np.array(found, np.int64)


def _folders(files: Iterable[Path]) -> set[Path]:
    """Returns all folders on the paths of the files, up to their common folder."""
    parents = {Path(os.path.abspath(parent)) for parent in {file.parent for file in files}}
    common = Path(os.path.commonpath(parents))
    return {folder for parent in parents for folder in (parent, *parent.parents) if folder.is_relative_to(common)}


def _names(listed: ListedPairs) -> Iterable[str]:
    """Returns the distinct image names, first those of `img1`."""
    return dict.fromkeys(chain(listed.img1, listed.img2))


def _sha256(path: Path, found: CachedImages) -> str:
    """Returns a hash of the list and its images, since the images of a list may change."""
    with open_regular(path) as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(json.dumps([found.image_format.as_dict(), found.sha256]).encode())
    return digest.hexdigest()


def _lfw_file(folder: Path, name: str) -> Path:
    png = folder / f"{name}.png"
    return png if os.path.isfile(png) else folder / f"{name}.jpg"
