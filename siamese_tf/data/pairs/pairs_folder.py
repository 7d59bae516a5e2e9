"""Folder of the pair files of a data set: `<name>`, or `<name>-<hash>` if `<name>` is taken.

Two folders of images may have the same name, and one folder may be used in two image formats.
"""

import csv
import glob
import hashlib
import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siamese_tf.data.pairs.manifest import decode_manifest
from siamese_tf.data.pairs.npz import read_npz
from siamese_tf.data.pairs.pair_file import PairDataset
from siamese_tf.data.sources.load import NAMES
from siamese_tf.data.sources.source import Source, SourceIdentity
from siamese_tf.errors import PairFileError
from siamese_tf.files import open_regular

TRAIN_FILE, TEST_FILE, CSV_FILE = "train_pairs.npz", "test_pairs.npz", "pairs.csv"
HASH_LENGTH = 6
MAX_LINE_BYTES = 2**16
# Keys of the manifest that are equal in both files of a run and may differ between runs.
GENERATION_KEYS = (
    "files version seed split train_share pairs_within images pairs duplicates audit form unreadable".split()
)


def pairs_folder(out: str | Path, source: Source | SourceIdentity) -> Path:
    """Chooses the folder of the pair files of a data set.

    A named data set uses `<out>/<name>`, unless that contains its pairs in another image format. So does a user's
    folder if `<out>/<name>` is empty, or contains pairs of the same images in the same image format, or of the same
    folder before it changed. Otherwise it uses `<out>/<name>-<hash>`, with a short hash of the folder's path and the
    image format. No image is read for this.

    Args:
        out: folder that contains one folder of pair files per data set.
        source: data set.
    """
    shared = Path(out) / source.name
    own = shared.with_name(f"{source.name}-{_short_hash(source)}")
    manifest = _manifest(shared)
    if source.folder is None:
        other_format = (manifest or {}).get("form") != (source.image_format and source.image_format.as_dict())
        return own if manifest and source.image_format is not None and other_format else shared
    if source.name in NAMES:
        return shared if manifest is not None and manifest.get("files") == source.files else own
    if manifest is not None and manifest.get("files", source.files) == source.files:
        return shared
    if _has_any_pairs(own) or not (manifest is None or _is_of(manifest, shared, source)):
        return own if _has_any_pairs(own) else _of_same_images(shared, source) or own
    return shared


def explain_mismatch(folder: Path, source: Source | SourceIdentity) -> str:
    """Returns a note why the pairs are not in the folder `<name>` of the data set; empty if they are."""
    if folder.name == source.name:
        return ""
    return f"; {folder.with_name(source.name)} holds pairs of other images or another image format"


def has_pairs(folder: Path) -> bool:
    """Returns True if a folder contains both pair files of a data set."""
    return all((folder / name).exists() for name in (TRAIN_FILE, TEST_FILE))


def has_both_files(folder: Path, dataset: str, source: Source | None) -> bool:
    """Returns True if a folder contains both pair files of a data set, False if it contains neither.

    Raises:
        PairFileError: if it contains only one of the two.
    """
    exists = [(folder / name).exists() for name in (TRAIN_FILE, TEST_FILE)]
    if any(exists) and not all(exists):
        raise PairFileError(
            f"{folder} must contain both {TRAIN_FILE} and {TEST_FILE}, or neither; got only one."
            f" Generate both again: {_command(dataset, source)}"
        )
    return all(exists)


def check_made_from(folder: Path, files: Mapping[str, str], dataset: str, source: Source | None) -> None:
    """Checks that the pairs in a folder were made from the current images, if their manifest records the images.

    Args:
        folder: folder of the pair files.
        files: expected value of `Source.files`.
        dataset: name of the data set, from the user.
        source: data set; None for a known data set that was not loaded.

    Raises:
        PairFileError: if they were made from other images; the message gives the command to generate them again.
    """
    if (_manifest(folder) or {}).get("files", files) != files:
        raise PairFileError(
            f"the pairs in {folder} must be made from the current images of {dataset}; got pairs of other images."
            f" Generate them again: {_command(dataset, source)}"
        )


def check_same_run(train: PairDataset, test: PairDataset) -> None:
    """Checks that two files in one folder were made in the same run from the same images.

    A process killed between the two renames leaves files of two runs, and an image may then be in both.

    Raises:
        PairFileError: if they were not; the message names the differences.
    """
    before, now = train.manifest, test.manifest
    differing = [key for key in GENERATION_KEYS if key in before and key in now and before[key] != now[key]]
    if differing:
        found = "other images" if "files" in differing else f"another run (different {', '.join(differing)})"
        raise PairFileError(
            f"{test.path} must be from the same run and images as {train.path} in the same folder; got {found}."
            " Generate both again with siamese-tf pairs generate, or give a test file with --test-pairs."
        )


def _command(dataset: str, source: Source | None) -> str:
    """Returns the command that generates the pairs of a data set."""
    line = f"siamese-tf pairs generate --dataset {shlex.quote(str(dataset))}"
    if source is None or source.image_format is None:
        return line
    return f"{line} {source.image_format.flags}"


def _has_any_pairs(folder: Path) -> bool:
    return any((folder / name).exists() for name in (TRAIN_FILE, TEST_FILE))


def _of_same_images(shared: Path, source: Source | SourceIdentity) -> Path | None:
    """Returns a folder with pairs of the same images and image format, even if the images were moved; or None."""
    for folder in sorted(shared.parent.glob(f"{glob.escape(shared.name)}-{'[0-9a-f]' * HASH_LENGTH}")):
        if (_manifest(folder) or {}).get("files") == source.files:
            return folder
    return None


def _short_hash(source: Source | SourceIdentity) -> str:
    image_format = None if source.image_format is None else source.image_format.as_dict()
    return hashlib.sha256(json.dumps([source.folder, image_format]).encode()).hexdigest()[:HASH_LENGTH]


def _manifest(folder: Path) -> dict[str, Any] | None:
    """Returns the manifest of the pair files in a folder; {} if unreadable, None if there are no files."""
    for path in (folder / TRAIN_FILE, folder / TEST_FILE):
        if path.exists():
            try:
                with open_regular(path) as file:
                    arrays, _ = read_npz(file, str(path), ("manifest",))
                return decode_manifest(arrays["manifest"], str(path))
            except (PairFileError, OSError, KeyError):
                return {}
    return None


def _is_of(manifest: dict[str, Any], folder: Path, source: Source | SourceIdentity) -> bool:
    """Returns True if pairs were made from the same folder, possibly before it changed, in the same image format.

    The manifest does not record the folder of the images, but the CSV list has their paths, relative to the list.
    """
    if source.image_format is None or source.folder is None or manifest.get("form") != source.image_format.as_dict():
        return False
    try:
        with open_regular(folder / CSV_FILE) as file:
            file.readline(MAX_LINE_BYTES)
            (image, *_), *_ = csv.reader([file.readline(MAX_LINE_BYTES).decode()])
    except (OSError, ValueError, csv.Error):
        return False
    return Path(os.path.normpath(Path(os.path.realpath(folder), image))).is_relative_to(source.folder)
