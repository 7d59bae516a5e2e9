"""Folder of the pair files of a data set: `<name>`, or `<name>-<hash>` if another data set has that name.

Two folders of images may have one name, and one folder may be wanted in two forms.
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
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import PairFileError
from siamese_tf.files import open_regular

TRAIN_FILE, TEST_FILE, CSV_FILE = "train_pairs.npz", "test_pairs.npz", "pairs.csv"
HASH_LENGTH = 6
MAX_LINE_BYTES = 2**16
# Of the manifest, what is the same in both files of one run, and tells two runs apart.
GENERATION_KEYS = "files version seed split images pairs duplicates audit form unreadable".split()


def pairs_folder(out: str | Path, source: Source) -> Path:
    """Chooses the folder of the pair files of a data set.

    A published data set has `<out>/<name>`. A user's folder has that, too, if it is empty, or holds pairs of the same
    images in the same image format, or of the same folder before it changed; else it has `<out>/<name>-<hash>`, with a
    short hash of the folder's path and of the image format. No image is opened for this.

    Args:
        out: the folder of the folders of all data sets.
        source: the data set.
    """
    shared = Path(out) / source.name
    if source.folder is None:
        return shared
    own = shared.with_name(f"{source.name}-{_short_hash(source)}")
    manifest = _manifest(shared)
    if source.name in NAMES:
        return shared if manifest is not None and manifest.get("files") == source.files else own
    if manifest is not None and manifest.get("files", source.files) == source.files:
        return shared
    if _has_pairs(own) or not (manifest is None or _is_of(manifest, shared, source)):
        return own if _has_pairs(own) else _of_same_images(shared, source) or own
    return shared


def explain_mismatch(folder: Path, source: Source) -> str:
    """Returns why the pairs are not where the name of the data set says, for the note; empty where they are."""
    if folder.name == source.name:
        return ""
    return f"; {folder.with_name(source.name)} holds pairs of other images or another image format"


def has_both_files(folder: Path, dataset: str, source: Source | None) -> bool:
    """Checks that a folder holds both pair files of a data set.

    Raises:
        PairFileError: it holds one of the two.
    """
    there = [(folder / name).exists() for name in (TRAIN_FILE, TEST_FILE)]
    if any(there) and not all(there):
        raise PairFileError(
            f"{folder} holds only one of {TRAIN_FILE} and {TEST_FILE}, which belong together."
            f" Make both again: {_command(dataset, source)}"
        )
    return all(there)


def check_made_from(folder: Path, files: Mapping[str, str], dataset: str, source: Source | None) -> None:
    """Refuses the pairs in a folder if they say that they were made from other images.

    Args:
        folder: with the pair files.
        files: what they should be made from, as `Source.files`.
        dataset: what the user calls the data set.
        source: the data set; None for a known one that was not loaded.

    Raises:
        PairFileError: they were; with the command that makes them again.
    """
    if (_manifest(folder) or {}).get("files", files) != files:
        raise PairFileError(
            f"the pairs in {folder} were made from other images than {dataset} has now. Make them again:"
            f" {_command(dataset, source)}"
        )


def check_same_run(train: PairDataset, test: PairDataset) -> None:
    """Refuses two files side by side that were made from other images, or in two runs.

    A kill between the renames of the two leaves such files; an image may then be in both.

    Raises:
        PairFileError: they were; with what differs.
    """
    before, now = train.manifest, test.manifest
    differing = [key for key in GENERATION_KEYS if key in before and key in now and before[key] != now[key]]
    if differing:
        what = "from other images" if "files" in differing else f"in another run (other {', '.join(differing)})"
        raise PairFileError(
            f"{test.path} was made {what} than {train.path}, which is in the same folder."
            " Make both again with siamese-tf pairs generate, or name a test file with --test-pairs."
        )


def _command(dataset: str, source: Source | None) -> str:
    """Returns the command that generates the pairs of a data set."""
    line = f"siamese-tf pairs generate --dataset {shlex.quote(str(dataset))}"
    if source is None or source.image_format is None:
        return line
    image_format = source.image_format
    height, width, _ = image_format.shape
    return f"{line} --image-size {height}x{width} --color {image_format.color} --resize {image_format.resize}"


def _has_pairs(folder: Path) -> bool:
    return any((folder / name).exists() for name in (TRAIN_FILE, TEST_FILE))


def _of_same_images(shared: Path, source: Source) -> Path | None:
    """Finds a folder of pairs of the same images and image format, even if the images have moved since."""
    for folder in sorted(shared.parent.glob(f"{glob.escape(shared.name)}-{'[0-9a-f]' * HASH_LENGTH}")):
        if (_manifest(folder) or {}).get("files") == source.files:
            return folder
    return None


def _short_hash(source: Source) -> str:
    image_format = None if source.image_format is None else source.image_format.as_dict()
    return hashlib.sha256(json.dumps([source.folder, image_format]).encode()).hexdigest()[:HASH_LENGTH]


def _manifest(folder: Path) -> dict[str, Any] | None:
    """Returns the manifest of the pair files in a folder; {} if it is unreadable, None if there are no files."""
    for path in (folder / TRAIN_FILE, folder / TEST_FILE):
        if path.exists():
            try:
                with open_regular(path) as file:
                    arrays, _ = read_npz(file, str(path), ("manifest",))
                return decode_manifest(arrays["manifest"], str(path))
            except (PairFileError, OSError, KeyError):
                return {}
    return None


def _is_of(manifest: dict[str, Any], folder: Path, source: Source) -> bool:
    """Checks that pairs were made from the same folder, perhaps before it changed, in the same image format.

    The manifest says nothing of where images were, but the list beside it does, relative to itself.
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
