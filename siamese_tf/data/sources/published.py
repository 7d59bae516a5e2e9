"""MNIST and Fashion-MNIST: their checksums, and where they are looked for."""

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
    """A published data set is in none of the usual places and cannot be downloaded; `why` omits the hint."""

    def __init__(self, why: str, hint: str):
        super().__init__(f"{why}; {hint}")
        self.why = why


@dataclass(frozen=True)
class PublishedDataset:
    """Checksums and class names of a published data set.

    Attributes:
        class_names: what label k is called, at position k.
        sha256: part, of `PARTS` -> SHA-256 of its uncompressed IDX bytes.
        npz_sha256: SHA-256 of the one `.npz` that Keras keeps it in; None when Keras keeps four `.gz`.
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
    """Finds a known data set and reads it; every file is checked against its published SHA-256.

    With `data_dir`, `<data_dir>/<name>` must hold it: who names a folder wants no other. Without, the first of these
    that holds any of its files is used: `$SIAMESE_TF_DATA/<name>`; the folder of Debian's package; the Keras cache,
    `($KERAS_HOME or ~/.keras)/datasets`, into which what is missing is downloaded.

    Args:
        name: a key of `PUBLISHED`.
        data_dir: a folder that holds one folder per data set.

    Returns:
        Part, of `PARTS` -> uint8 array; and where they were found.

    Raises:
        DatasetNotFoundError: it is in none of the usual places and cannot be downloaded.
        SiameseError: `data_dir`, or a folder that the environment names, is in the home of an unknown user.
        DatasetError: `data_dir` is no folder, or a file that was found is damaged, missing beside its fellows, or not
            the published one.
    """
    sha256 = PUBLISHED[name].sha256
    if data_dir is not None and not expanded(data_dir, "data_dir").is_dir():
        raise DatasetError(
            f"data_dir {data_dir}: there is no such folder; expected one that holds {name}/; check the path"
        )
    folders = _local_folders(name) if data_dir is None else [expanded(data_dir, "data_dir") / name]
    for folder in folders:
        if find_idx_files(folder):
            return read_idx_folder(folder, sha256), str(folder)
    if data_dir is not None:
        why = f"{data_dir} holds no {name}: expected {folders[0]} with {', '.join(PARTS)}, each plain or .gz"
        hint = f"name the folder that holds {name}/, or leave data_dir out to look in the usual places"
        raise DatasetNotFoundError(why, hint)

    cache = _keras_cache()
    try:
        path = _complete_cache(name, cache)
    except DatasetError as error:
        looked = ", ".join(map(str, [*folders, cache]))
        why = f"{name} was not found: looked in {looked}; {error}"
        hint = f"set SIAMESE_TF_DATA to a folder that holds {name}/ with the four IDX files, or use --dataset digits"
        raise DatasetNotFoundError(why, hint) from error
    return (read_idx_folder(path, sha256) if os.path.isdir(path) else _read_npz(name, path)), str(path)


def _local_folders(name: str) -> list[Path]:
    from_environment = os.environ.get("SIAMESE_TF_DATA")
    folders = [expanded(from_environment, "SIAMESE_TF_DATA") / name] if from_environment else []
    return [*folders, DEBIAN_FOLDER / name]


def _keras_cache() -> Path:
    named, home = os.environ.get("KERAS_HOME"), home_folder()
    if named:
        return expanded(named, "KERAS_HOME") / "datasets"
    return (cache_home() / "keras" if home is None else home / ".keras") / "datasets"


def _complete_cache(name: str, cache: Path) -> Path:
    """Downloads what the Keras cache lacks; returns the `.npz`, or the folder of four files."""
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
                    f"{path}: its SHA-256 is {found}; expected {PUBLISHED[name].npz_sha256}, the published file;"
                    " remove it to have it downloaded again"
                )
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return {part: arrays[key] for part, key in zip(PARTS, _NPZ_KEYS, strict=True)}
    except OSError as error:
        raise DatasetError(f"{path}: it cannot be read ({error.strerror or error}); check its rights") from error
