"""Duplicates: images of a folder that show the same picture."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from siamese_tf.data.images.perceptual import (
    ORIENTATIONS,
    Perceptual,
    correlation,
    describe_image,
    orient_descriptors,
    orient_pixels,
)
from siamese_tf.data.images.threads import map_in_threads
from siamese_tf.data.sources.image_tree import find_image_tree
from siamese_tf.errors import DatasetError, ImageError
from siamese_tf.files import open_regular

IDENTICAL, SAME_PICTURE = "identical", "same picture"
MIN_COSINE = 0.93  # of two descriptors, to compare the small copies
MIN_CORRELATION = 0.985  # of two small copies
MAX_DIFFERENCE = 10.0  # mean difference of two small copies, in gray levels
MAX_STRETCH = 1.04  # of the proportions
BLOCK = 1024  # rows compared at once


@dataclass(frozen=True)
class DuplicatePair:
    """Two images that show the same picture.

    Attributes:
        first, second: positions of the images.
        kind: IDENTICAL for equal bytes, SAME_PICTURE, or that of a further search.
        score: correlation of the small copies, in [-1, 1], or probability of a match; higher is more similar.
        turns: quarter turns, counterclockwise, that turn the second image into the first.
        mirrored: the second image is mirrored from left to right before it is turned.
    """

    first: int
    second: int
    kind: str
    score: float = 1.0
    turns: int = 0
    mirrored: bool = False


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
    """Finds images, at any depth of a folder, that are equal or show the same picture in another size or orientation.

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
    identical = list(_identical_pairs(files))
    similar = same_pictures([file.perceptual for file in files])
    further = search([found.files[file.name] for file in files]) if search is not None else ()
    pairs: dict[tuple[int, int], DuplicatePair] = {}
    for pair in chain(identical, similar, further):
        pairs.setdefault((pair.first, pair.second), pair)
    return DuplicateReport(
        names=[file.name for file in files],
        sizes=[file.perceptual.size for file in files],
        bytes=[file.size for file in files],
        pairs=list(pairs.values()),
        groups=_groups(list(pairs), files),
        unreadable=unreadable,
    )


def same_pictures(images: Sequence[Perceptual]) -> Iterator[DuplicatePair]:
    """Yields the pairs that show the same picture in any of eight orientations.

    Candidates have similar descriptors; each is then decided by its small copies and proportions.
    """
    descriptors = np.stack([image.descriptor for image in images])
    for first, second in _candidates(descriptors):
        pair = _compare(images, first, second)
        if pair is not None:
            yield pair


def _candidates(descriptors: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yields positions i < j of descriptors with a cosine of MIN_COSINE in some orientation."""
    oriented = [orient_descriptors(descriptors, *orientation) for orientation in ORIENTATIONS]
    for start in range(0, len(descriptors), BLOCK):
        block = descriptors[start : start + BLOCK]
        near = np.zeros((len(block), len(descriptors) - start), bool)
        for others in oriented:
            near |= block @ others[start:].T >= MIN_COSINE
        for row, column in zip(*np.nonzero(np.triu(near, 1)), strict=True):
            yield start + int(row), start + int(column)


def _compare(images: Sequence[Perceptual], first: int, second: int) -> DuplicatePair | None:
    one, other = images[first], images[second]
    best = None
    for turns, mirrored in ORIENTATIONS:
        width, height = other.size if turns % 2 == 0 else other.size[::-1]
        stretch = (one.size[0] * height) / (one.size[1] * width)
        if max(stretch, 1 / stretch) > MAX_STRETCH:
            continue
        pixels = orient_pixels(other.pixels, turns, mirrored)
        score = correlation(one.pixels, pixels)
        difference = np.abs(one.pixels.astype(np.float32) - pixels).mean()
        is_better = best is None or score > best.score
        if score >= MIN_CORRELATION and difference <= MAX_DIFFERENCE and is_better:
            best = DuplicatePair(first, second, SAME_PICTURE, score, turns, mirrored)
    return best


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
