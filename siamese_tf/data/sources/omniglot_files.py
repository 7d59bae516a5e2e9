"""Published zip files of Omniglot: search path, download, and checked contents that are read without extraction."""

import hashlib
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from siamese_tf.data.sources.download import download
from siamese_tf.data.sources.published import DatasetNotFoundError, keras_cache, local_folders
from siamese_tf.errors import DatasetError
from siamese_tf.files import open_regular
from siamese_tf.home import expanded
from siamese_tf.printable import short_reason
from siamese_tf.zip_layout import check_layout

NAME = "omniglot"
REPOSITORY = "https://raw.githubusercontent.com/brendenlake"
MAX_MEMBERS = 40_000
MAX_MEMBER_BYTES = 2**16  # the largest image has 600 bytes


@dataclass(frozen=True)
class OmniglotFile:
    """A published zip file.

    Attributes:
        url: address of the file.
        sha256: SHA-256 (hexadecimal) of the published file.
        content_sha256: SHA-256 of the names and contents of its members, see `content_sha256`; unlike `sha256`, it is
            the same for a file that was packed again.
    """

    url: str
    sha256: str
    content_sha256: str


FILES: Mapping[str, OmniglotFile] = {
    "images_background": OmniglotFile(
        url=f"{REPOSITORY}/omniglot/master/python/images_background.zip",
        sha256="ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
        content_sha256="7c563fb7d98dbd312c5e0ccb87230ca9d7e8a13d672e5de6186245e7905ed43e",
    ),
    "images_evaluation": OmniglotFile(
        url=f"{REPOSITORY}/omniglot/master/python/images_evaluation.zip",
        sha256="1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
        content_sha256="e5a69b751aa33f555bdc92febd48220b69a811b2ff01de32bf4d1bca47bd1809",
    ),
    "all_runs": OmniglotFile(
        url=f"{REPOSITORY}/BPL/master/one-shot-classification/all_runs.zip",
        sha256="437c1eeab0af8484112e1b4cc0f3d541ec727f7c47b9b202da738af9dfd6c325",
        content_sha256="0fcbc08614a48ded289247aa002046843a324c04bc5e34e5aec8e071d701f818",
    ),
}


def read_omniglot_file(name: str, data_dir: str | Path | None = None) -> tuple[dict[str, bytes], Path]:
    """Finds a published zip file, downloads it if it is missing, and reads its members into memory.

    If `data_dir` is given, only `<data_dir>/omniglot` is searched. Otherwise, the first of these that contains the file
    is used: `$SIAMESE_TF_DATA/omniglot`, and `omniglot` in the Keras cache, into which a missing file is downloaded.

    Args:
        name: key of `FILES`.
        data_dir: folder with a subfolder `omniglot`; None searches the default folders.

    Returns:
        Content of each member by name, sorted by name, without folders; and the folder of the file.

    Raises:
        DatasetNotFoundError: if the file is in none of the searched folders and cannot be downloaded.
        DatasetError: if the file is damaged or has other contents than the published one.
    """
    path = _find(name, data_dir)
    return _checked_members(path, FILES[name].content_sha256), path.parent


def content_sha256(members: Mapping[str, bytes]) -> str:
    """Returns the SHA-256 (hexadecimal) of the names and contents of members, in the order of their names."""
    digest = hashlib.sha256()
    for member in sorted(members):
        digest.update(f"{member}\0{hashlib.sha256(members[member]).hexdigest()}\n".encode())
    return digest.hexdigest()


def _find(name: str, data_dir: str | Path | None) -> Path:
    file_name = f"{name}.zip"
    folders = local_folders(NAME) if data_dir is None else [expanded(data_dir, "data_dir") / NAME]
    for folder in folders:
        if os.path.exists(folder / file_name):
            return folder / file_name
    if data_dir is not None:
        why = f"{folders[0]} must have the file {file_name}; got none"
        hint = f"Set data_dir to the folder that contains {NAME}/, or omit data_dir to search the default folders"
        raise DatasetNotFoundError(why, hint)
    cached = keras_cache() / NAME / file_name
    if not os.path.exists(cached):
        try:
            download(FILES[name].url, cached, FILES[name].sha256)
        except DatasetError as error:
            why = f"{NAME} was not found in {', '.join(map(str, [*folders, cached.parent]))}; {error}"
            hint = f"Set SIAMESE_TF_DATA to a folder that contains {NAME}/{file_name}"
            raise DatasetNotFoundError(why, hint) from error
    return cached


def _checked_members(path: Path, expected: str) -> dict[str, bytes]:
    try:
        with open_regular(path) as file:
            listed = [info for info in check_layout(file, MAX_MEMBERS, folders=True) if not info.is_dir()]
            if large := next((info for info in listed if info.file_size > MAX_MEMBER_BYTES), None):
                raise DatasetError(
                    f"{path}: {large.filename!r:.100} must have at most {MAX_MEMBER_BYTES:,} bytes; got"
                    f" {large.file_size:,}. Remove the file to download it again"
                )
            with zipfile.ZipFile(file) as archive:
                members = {info.filename: archive.read(info) for info in listed}
    except DatasetError:
        raise
    except Exception as error:  # zipfile and zlib raise a dozen types on damaged bytes
        raise DatasetError(
            f"{path}: must be a readable zip file; got {short_reason(error)}. Remove the file to download it again"
        ) from error
    if (found := content_sha256(members)) != expected:
        raise DatasetError(
            f"{path}: the SHA-256 of its contents must be {expected}, that of the published file; got {found}. Remove"
            " the file to download it again"
        )
    return dict(sorted(members.items()))
