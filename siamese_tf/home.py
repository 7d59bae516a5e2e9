"""Home folder of the user, and a temporary replacement if there is none."""

import os
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path

from siamese_tf.errors import SiameseError


def home_folder() -> Path | None:
    """Returns the home folder of the user; None if it neither exists nor can be created."""
    home = Path(os.path.expanduser("~"))
    if os.environ.get("HOME") == "" or not home.is_absolute():
        return None
    there = next(path for path in (home, *home.parents) if path.exists())
    return home if there == home or os.access(there, os.W_OK) else None


def expanded(path: str | Path, name: str) -> Path:
    """Expands a leading `~` or `~user` to the home folder.

    Args:
        path: path from the user.
        name: name of the setting, for the message.

    Raises:
        SiameseError: if there is no such user or no home folder.
    """
    found = os.path.expanduser(path)
    if found.startswith("~"):
        raise SiameseError(
            f"{name} must be a folder, with ~ only if that user has a home folder; got {path}. Use an absolute path"
        )
    return Path(found)


def cache_home() -> Path:
    """Returns `~/.cache`; without a home folder, `temporary_home()`, which is announced once on standard error."""
    home = home_folder()
    return home / ".cache" if home is not None else _announced_temporary_home()


@cache
def _announced_temporary_home() -> Path:
    folder = temporary_home()
    print(
        f"There is no home folder: the cache is {folder}. Set SIAMESE_TF_CACHE and KERAS_HOME to folders that persist.",
        file=sys.stderr,
        flush=True,
    )
    return folder


@cache
def temporary_home() -> Path:
    """Returns a private temporary folder; all processes of the user share it unless another user owns its name.

    The name is predictable, so the folder is used only if it belongs to this user and no other user can access it.
    """
    uid = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"siamese_tf-{uid}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="siamese_tf-"))
    private = os.name == "nt" or (found.st_uid == uid and not stat.S_IMODE(found.st_mode) & 0o077)
    return folder if private and stat.S_ISDIR(found.st_mode) else Path(tempfile.mkdtemp(prefix="siamese_tf-"))
