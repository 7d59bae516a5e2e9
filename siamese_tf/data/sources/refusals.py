"""Reasons why files and folders of a user's folder are not read."""

import os
from pathlib import Path

from siamese_tf.data.images.decode import is_image
from siamese_tf.data.sources.file_names import ODD_NAME, is_unusual_name
from siamese_tf.data.sources.folder_layout import NOT_READ


def refusal_reason(entry: os.DirEntry[str], root: str) -> str:
    """Returns why a file or folder below `root`, an absolute path without links, is refused; empty if it is not."""
    if is_unusual_name(entry.name):
        return f"name {ODD_NAME}. Rename it"
    if entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(root):
        return "must be inside the folder; got a link to outside it. Copy the target into the folder"
    return ""


def open_error(error: OSError) -> str:
    """Returns the reason for a file or folder that cannot be opened."""
    return f"must be readable; got {error.strerror}. Check its permissions, and its target if it is a link"


def format_reason(file: os.DirEntry[str]) -> str:
    """Returns why an image file by its suffix is refused, such as HEIC; empty if it is not."""
    suffix = Path(file.name).suffix.lower()
    if suffix in NOT_READ and not is_image(file.path):
        return f"must be in a supported format; got {suffix}. Convert it to PNG or JPEG"
    return ""
