"""MNIST and Fashion-MNIST: checksums and search path."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siamese_tf.data.sources.download import download
from siamese_tf.data.sources.idx_folder import PARTS, find_idx_files, read_idx_folder
from siamese_tf.errors import DatasetError
from siamese_tf.files import open_regular
from siamese_tf.home import cache_home, expanded, home_folder

DEBIAN_FOLDER = Path("/usr/share/datasets")
KERAS_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
_NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")  # in the order of PARTS


class DatasetNotFoundError(DatasetError):
    """A published data set is not found and cannot be downloaded; `why` is the message without the hint."""

    def __init__(self, why: str, hint: str):
        super().__init__(f"{why}. {hint}")
        self.why = why


@dataclass(frozen=True)
class PublishedDataset:
    """Checksums and class names of a published data set.

    Attributes:
        class_names: name of label k at position k.
        sha256: name from `PARTS` -> SHA-256 of the uncompressed IDX file.
        npz_sha256: SHA-256 of the `.npz` file in the Keras cache; None if Keras caches four `.gz` files.
    """

    class_names: tuple[str, ...]
    sha256: Mapping[str, str]
    npz_sha256: str | None


_FASHION = "t-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot"

PUBLISHED = {
    "mnist": PublishedDataset(
        class_names=tuple("0123456789"),
        sha256={
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        npz_sha256="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    ),
    "fashion-mnist": PublishedDataset(
        class_names=tuple(_FASHION.split(", ")),
        sha256={
            "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        npz_sha256=None,
    ),
}


def load_published(name: str, data_dir: str | Path | None = None) -> tuple[dict[str, np.ndarray], str]:
    """Finds and reads a published data set; verifies the SHA-256 of every file.

    If `data_dir` is given, only `<data_dir>/<name>` is searched. Otherwise, the first of these that contains any of the
    files is used: `$SIAMESE_TF_DATA/<name>`; the folder of the Debian package; the Keras cache,
    `($KERAS_HOME or ~/.keras)/datasets`, into which missing files are downloaded.

    Args:
        name: key of `PUBLISHED`.
        data_dir: folder with one subfolder per data set; None searches the default folders.

    Returns:
        Name from `PARTS` -> uint8 array; and the path where they were found.

    Raises:
        DatasetNotFoundError: if the data set is in none of the searched folders and cannot be downloaded.
        SiameseError: if `data_dir` or a folder from the environment refers to the home folder of an unknown user.
        DatasetError: if `data_dir` is not a folder, or the folder that was found has a missing, damaged or different
            file.
    """
    sha256 = PUBLISHED[name].sha256
    if data_dir is not None and not expanded(data_dir, "data_dir").is_dir():
        raise DatasetError(
            f"data_dir must be a folder with a subfolder {name}; got {data_dir}, which is not a folder. Check the path"
        )
    folders = local_folders(name) if data_dir is None else [expanded(data_dir, "data_dir") / name]
    for folder in folders:
        if find_idx_files(folder):
            return read_idx_folder(folder, sha256), str(folder)
    if data_dir is not None:
        why = f"{folders[0]} must be a folder with {', '.join(PARTS)}, each plain or .gz; got none of these files"
        hint = f"Set data_dir to the folder that contains {name}/, or omit data_dir to search the default folders"
        raise DatasetNotFoundError(why, hint)

    cache = keras_cache()
    try:
        path = _complete_cache(name, cache)
    except DatasetError as error:
        searched = ", ".join(map(str, [*folders, cache]))
        why = f"{name} was not found in {searched}; {error}"
        hint = f"Set SIAMESE_TF_DATA to a folder that contains {name}/ with the four IDX files, or use --dataset digits"
        raise DatasetNotFoundError(why, hint) from error
    return (read_idx_folder(path, sha256) if os.path.isdir(path) else _read_npz(name, path)), str(path)


def local_folders(name: str) -> list[Path]:
    from_environment = os.environ.get("SIAMESE_TF_DATA")
    folders = [expanded(from_environment, "SIAMESE_TF_DATA") / name] if from_environment else []
    return [*folders, DEBIAN_FOLDER / name]


def keras_cache() -> Path:
    named, home = os.environ.get("KERAS_HOME"), home_folder()
    if named:
        return expanded(named, "KERAS_HOME") / "datasets"
    return (cache_home() / "keras" if home is None else home / ".keras") / "datasets"


def _complete_cache(name: str, cache: Path) -> Path:
    """Downloads the missing files of the Keras cache; returns the path of the `.npz` or the folder of four files."""
    known = PUBLISHED[name]
    if known.npz_sha256 is not None:
        npz = cache / f"{name}.npz"
        if not os.path.exists(npz):
            download(f"{KERAS_URL}/{npz.name}", npz, known.npz_sha256)
        return npz
    folder = cache / name
    for part in PARTS:
        if part not in find_idx_files(folder):
            download(f"{KERAS_URL}/{part}.gz", folder / f"{part}.gz", known.sha256[part])
    return folder


def _read_npz(name: str, path: Path) -> dict[str, np.ndarray]:
    try:
        with open_regular(path) as file:
            found = hashlib.sha256(file.read()).hexdigest()
            if found != PUBLISHED[name].npz_sha256:
                raise DatasetError(
                    f"{path}: SHA-256 must be {PUBLISHED[name].npz_sha256}, that of the published file; got {found}."
                    " Remove the file to download it again"
                )
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return {part: arrays[key] for part, key in zip(PARTS, _NPZ_KEYS, strict=True)}
    except OSError as error:
        raise DatasetError(
            f"{path}: must be a readable file; got {error.strerror or error}. Check its permissions"
        ) from error
