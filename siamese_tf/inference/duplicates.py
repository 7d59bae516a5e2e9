"""Duplicates: images of a folder that show the same picture, or a part of it."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from siamese_tf.data.images.perceptual import Perceptual, describe_image
from siamese_tf.data.images.threads import map_in_threads
from siamese_tf.data.sources.image_tree import find_image_tree
from siamese_tf.errors import DatasetError, ImageError
from siamese_tf.files import open_regular
from siamese_tf.inference.crops import cropped_pictures
from siamese_tf.inference.duplicate_pair import DuplicatePair
from siamese_tf.inference.same_pictures import same_pictures

IDENTICAL = "identical"


@dataclass(frozen=True, eq=False)
class DuplicateReport:
    """Result of a search for duplicates.

    Attributes:
        names: path of each image below the folder, with `/`.
        sizes: (width, height) of each image.
        bytes: size of each file.
        pairs: all pairs that were found.
        groups: positions of the images of each group, the representative first; larger groups first.
        unreadable: error message by path.
    """

    names: list[str]
    sizes: list[tuple[int, int]]
    bytes: list[int]
    pairs: list[DuplicatePair]
    groups: list[list[int]]
    unreadable: dict[str, str]


@dataclass(frozen=True, eq=False)
class _File:
    name: str
    size: int
    sha256: str
    perceptual: Perceptual


def find_duplicates(
    folder: str | Path, search: Callable[[list[Path]], Iterable[DuplicatePair]] | None = None
) -> DuplicateReport:
    """Finds images, at any depth of a folder, that are equal, show the same picture, or are crops of others.

    Args:
        folder: folder of images.
        search: finds further pairs among image files, such as those that a model calls the same.

    Raises:
        DatasetError: if the folder is missing or has no readable image.
    """
    found = find_image_tree(folder)
    unreadable = {str(name): reason for name, reason in found.refused.items()}
    files = []
    for name, file in zip(found.files, map_in_threads(_read, list(found.files.items())), strict=True):
        if isinstance(file, _File):
            files.append(file)
        else:
            unreadable[name] = file
    if not files:
        raise DatasetError(f"{folder} must have images that can be read; got none. Check the path")
    images = [file.perceptual for file in files]
    further = search([found.files[file.name] for file in files]) if search is not None else ()
    pairs: dict[tuple[int, int], DuplicatePair] = {}
    for pair in chain(_identical_pairs(files), same_pictures(images), cropped_pictures(images), further):
        pairs.setdefault((pair.first, pair.second), pair)
    return DuplicateReport(
        names=[file.name for file in files],
        sizes=[file.perceptual.size for file in files],
        bytes=[file.size for file in files],
        pairs=list(pairs.values()),
        groups=_groups(list(pairs), files),
        unreadable=unreadable,
    )


def _read(item: tuple[str, Path]) -> _File | str:
    name, path = item
    try:
        perceptual = describe_image(path)
        with open_regular(path) as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        return _File(name, path.stat().st_size, content, perceptual)
    except (ImageError, OSError) as error:
        return str(error)


def _identical_pairs(files: Sequence[_File]) -> Iterator[DuplicatePair]:
    """Yields the pairs of the first file of each content with its copies."""
    first: dict[str, int] = {}
    for position, file in enumerate(files):
        if (original := first.setdefault(file.sha256, position)) != position:
            yield DuplicatePair(original, position, IDENTICAL)


def _groups(pairs: Sequence[tuple[int, int]], files: Sequence[_File]) -> list[list[int]]:
    """Returns the connected components with more than one image."""
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(files), len(files)))
    _, component = connected_components(graph, directed=False)
    members: defaultdict[int, list[int]] = defaultdict(list)
    for position, label in enumerate(component):
        members[int(label)].append(position)

    def rank(position: int) -> tuple[int, int, int]:
        width, height = files[position].perceptual.size
        return -width * height, -files[position].size, position

    groups = [sorted(group, key=rank) for group in members.values() if len(group) > 1]
    return sorted(groups, key=lambda group: (-len(group), group[0]))
