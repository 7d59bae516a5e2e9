"""Loading of labeled images: mnist, fashion-mnist, digits, or a folder of IDX files or image files."""

import difflib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from siamese_tf.data.images.format import NATIVE_FORMAT, ImageFormat, reject_image_options
from siamese_tf.data.sources.file_names import ODD_NAME, is_unusual_name, shown_name
from siamese_tf.data.sources.find_images import PARTS, FoundImages, add_unused
from siamese_tf.data.sources.idx import idx_sha256
from siamese_tf.data.sources.idx_folder import find_idx_files, read_idx_folder, stack_parts
from siamese_tf.data.sources.image_folder import read_image_folder
from siamese_tf.data.sources.omniglot import load_omniglot, omniglot_contents, omniglot_format
from siamese_tf.data.sources.omniglot_files import NAME as OMNIGLOT
from siamese_tf.data.sources.published import PUBLISHED, DatasetNotFoundError, load_published
from siamese_tf.data.sources.source import Source, SourceIdentity
from siamese_tf.errors import DatasetError

IMAGE_DATASETS = (OMNIGLOT,)  # named data sets of image files, which have an image format
NAMES = ("auto", *PUBLISHED, "digits", *IMAGE_DATASETS)


def load_source(name: str, data_dir: str | Path | None = None, image_format: ImageFormat = NATIVE_FORMAT) -> Source:
    """Loads a data set by name, from a folder of IDX files, or from a folder with one subfolder of images per class.

    Class folders in train and at least one of validation and test define a split. There may be groups of classes.

    `"mnist"` and `"fashion-mnist"` are read from `data_dir` if it is given; otherwise from `$SIAMESE_TF_DATA`, the
    Debian package or the Keras cache, into which missing files are downloaded. `"digits"` is part of scikit-learn.
    `"auto"` is mnist if it is available, else digits. No other name falls back to another data set.

    Args:
        name: one of `NAMES`, or path of a folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
            `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each plain or `.gz`, or with subfolders of image
            files, see `read_image_folder`. A name takes precedence over a folder of the same name; pass `./mnist` for
            the folder.
        data_dir: folder with one subfolder per data set; used only for mnist and fashion-mnist.
        image_format: target image format; only for a folder of image files.

    Returns:
        The labeled images and their origin.

    Raises:
        DatasetError: if there is no such data set, it cannot be found, or an IDX file is damaged; damaged image files
            are skipped.
        ConfigError: if `image_format` is set but the data set has no image files.
    """
    if name and name not in NAMES and os.path.isdir(name):
        return _from_folder(name, image_format)
    if name in IMAGE_DATASETS:
        return load_omniglot(data_dir, image_format)
    reject_image_options(image_format, name)
    if name == "auto":
        return _load_auto(data_dir)
    if name == "digits":
        return _load_digits()
    if name in PUBLISHED:
        parts, where = load_published(name, data_dir)
        return _from_parts(name, parts, where, PUBLISHED[name].class_names)
    raise DatasetError(_no_such_source(name))


def known_identity(name: str, image_format: ImageFormat) -> SourceIdentity | None:
    """Returns the identity of a data set with published checksums, without reading it; None for other data sets.

    Raises:
        ConfigError: if `image_format` is set but the data set has no image files.
    """
    if name in IMAGE_DATASETS:
        resolved = omniglot_format(image_format)
        return SourceIdentity(name, omniglot_contents(resolved), resolved)
    if name in PUBLISHED:
        reject_image_options(image_format, name)
        return SourceIdentity(name, dict(PUBLISHED[name].sha256))
    return None


def format_for(name: str, image_format: ImageFormat) -> ImageFormat:
    """Returns `image_format` if the data set has image files, else `NATIVE_FORMAT`."""
    image_folder = name and name not in NAMES and os.path.isdir(name) and not find_idx_files(name)
    return image_format if image_folder or name in IMAGE_DATASETS else NATIVE_FORMAT


def _from_folder(folder: str, image_format: ImageFormat) -> Source:
    where = Path(folder).resolve()
    name = shown_name(where.name)
    if is_unusual_name(folder) or is_unusual_name(f"{where}"):
        raise DatasetError(f"{shown_name(f'{where}')}: name {ODD_NAME}. Rename the folder")
    if find_idx_files(folder):
        reject_image_options(image_format, f"{folder}, which contains IDX files")
        source = _from_parts(name, read_idx_folder(folder), folder)
        add_unused(beside := FoundImages(), folder)
        warnings = (f"the folder contains IDX files, and {beside.unused_line()}",) if beside.unused else ()
        return replace(source, warnings=warnings, folder=f"{where}")
    found = read_image_folder(folder, image_format)
    note = f"{_note(name, found.images, shown_name(folder))} in {len(found.class_names):,} classes"
    note += f" of {len(found.group_names):,} groups" if found.groups is not None else ""
    if found.part is not None:
        counts = np.bincount(found.part, minlength=len(PARTS)).tolist()
        note += f" ({', '.join(f'{part} {count:,}' for part, count in zip(PARTS, counts, strict=True))})"
    if found.resized:
        note += f"; {found.resized:,} had another size ({found.image_format.resize})"
    if found.unreadable:
        note += f"; {len(found.unreadable):,} could not be read"
    return Source(
        name=name,
        images=found.images,
        labels=found.labels,
        is_test=np.zeros(len(found.labels), bool) if found.part is None else found.part == 2,
        class_names=found.class_names,
        origin=folder,
        files={f"images, {found.image_format}": found.sha256},
        note=note,
        paths=found.paths,
        image_format=found.image_format,
        unreadable=found.unreadable,
        is_validation=None if found.part is None else found.part == 1,
        warnings=found.warnings,
        folder=f"{where}",
        groups=found.groups,
        group_names=found.group_names,
    )


def _load_auto(data_dir: str | Path | None) -> Source:
    try:
        source = load_source("mnist", data_dir)
    except DatasetNotFoundError as error:
        source = _load_digits()
        return replace(source, note=f"auto: {source.note}, because {error.why}")
    return replace(source, note=f"auto: {source.note}")


def _load_digits() -> Source:
    from sklearn.datasets import load_digits  # deferred, since the import takes a second

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    labels = bunch.target.astype(np.int64)
    files = {"digits-images": images, "digits-labels": labels.astype("<i8")}
    return Source(
        name="digits",
        images=images,
        labels=labels,
        is_test=np.zeros(len(labels), bool),
        class_names=tuple("0123456789"),
        origin="scikit-learn",
        files={file: hashlib.sha256(values.tobytes()).hexdigest() for file, values in files.items()},
        note=_note("digits", images, "scikit-learn"),
    )


def _from_parts(
    name: str, parts: Mapping[str, np.ndarray], where: str, class_names: tuple[str, ...] | None = None
) -> Source:
    images, labels, is_test = stack_parts(parts, where)
    return Source(
        name=name,
        images=images,
        labels=labels,
        is_test=is_test,
        class_names=class_names or tuple(str(label) for label in range(labels.max() + 1)),
        origin=where,
        files={part: idx_sha256(values) for part, values in parts.items()},
        note=_note(name, images, where),
    )


def _note(name: str, images: np.ndarray, where: str) -> str:
    count, height, width, channels = images.shape
    return f"using {name} from {where}, {count:,} {'gray' if channels == 1 else 'color'} images of {height}x{width}"


def _no_such_source(name: str) -> str:
    expected = f"one of {', '.join(NAMES)}, or a folder with four IDX files or one subfolder of images per class"
    if os.path.exists(name):
        return f"dataset must be {expected}; got the file {name!r}. Name its folder"
    if os.sep in name:
        return f"dataset must be {expected}; got {name!r}, which does not exist. Check the path"
    nearest = difflib.get_close_matches(name.lower(), NAMES, n=1)
    hint = f"Did you mean {nearest[0]}?" if nearest else "Check the name"
    return f"dataset must be {expected}; got {name!r}. {hint}"
