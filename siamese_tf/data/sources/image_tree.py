"""Discovery of all image files below a folder, regardless of classes."""

import os
from pathlib import Path

from siamese_tf.data.sources.file_names import natural_order, shown_name
from siamese_tf.data.sources.find_images import FoundImages
from siamese_tf.data.sources.folder_layout import looks_like_image, visible
from siamese_tf.data.sources.refusals import format_reason, open_error, refusal_reason
from siamese_tf.errors import DatasetError


def find_image_tree(folder: str | Path) -> FoundImages:
    """Finds the image files of a folder and of all folders below it.

    Hidden files and folders and files without an image's suffix or header are skipped. Links to folders are not
    followed, so that no image is found twice; links to files must stay inside the folder.

    Args:
        folder: folder to search.

    Returns:
        `files` and `refused`, by relative path with `/`, in natural order.

    Raises:
        DatasetError: if the folder does not exist or cannot be read.
    """
    if not os.path.isdir(folder):
        raise DatasetError(f"a folder of images must be an existing folder; got {str(folder)!r}. Check the path")
    found, root = FoundImages(), os.path.realpath(folder)
    waiting = [("", Path(folder))]
    while waiting:
        prefix, path = waiting.pop()
        try:
            entries = visible(path)
        except OSError as error:
            if not prefix:
                raise DatasetError(f"cannot read {str(folder)!r}: {error.strerror}. Check its permissions") from error
            found.refused[shown_name(prefix.rstrip("/"))] = open_error(error)
            continue
        waiting += [_below(prefix, entry) for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]
        for entry in entries:
            _add_file(found, entry, f"{prefix}{entry.name}", root)
    found.files = dict(
        sorted(found.files.items(), key=lambda item: [natural_order(part) for part in item[0].split("/")])
    )
    return found


def _below(prefix: str, folder: os.DirEntry[str]) -> tuple[str, Path]:
    return f"{prefix}{folder.name}/", Path(folder.path)


def _add_file(found: FoundImages, entry: os.DirEntry[str], name: str, root: str) -> None:
    """Adds a file to `files` or `refused`; ignores folders and files that are not images."""
    try:
        if entry.is_dir() or not looks_like_image(entry):
            return
        reason = refusal_reason(entry, root) or format_reason(entry)
    except OSError as error:
        reason = open_error(error)
    if reason:
        found.refused[shown_name(name)] = reason
    else:
        found.files[shown_name(name)] = Path(entry.path)
