"""Pair data sets in memory: images, pairs and manifest of the pairs drawn from a source."""

from typing import Any

import numpy as np

from siamese_tf.data.images.cache import block_size
from siamese_tf.data.images.cache_folder import scratch_images
from siamese_tf.data.pairs.draw_parts import DrawnPairs, PairArrays
from siamese_tf.data.pairs.pair_file import PARTS, TEST, TRAIN, VALIDATION, PairDataset
from siamese_tf.data.sources.source import Source
from siamese_tf.files import is_private
from siamese_tf.version import __version__

FORMAT = 1
BLOCK = 1024  # images copied at once; fewer if they are large


def pair_datasets(source: Source, drawn: DrawnPairs, mode: str, seed: int) -> list[PairDataset]:
    """Builds the two pair data sets of drawn pairs: training with validation pairs, and test pairs.

    Both have the same manifest, which does not depend on the machine; its `files` identifies the data.

    Args:
        source: labeled images.
        drawn: pairs of the source.
        mode: description of the split for the manifest.
        seed: seed of the split and the pairs, for the manifest.
    """
    manifest = {
        "format": FORMAT,
        "version": __version__,
        "source": source.name,
        "files": source.files,
        "class_names": list(source.class_names),
        "seed": seed,
        "split": mode,
        "images": {PARTS[part]: len(positions) for part, positions in drawn.images.items()},
        "pairs": {PARTS[part]: len(similarity) for part, (_, _, similarity) in drawn.pairs.items()},
        "duplicates": drawn.split.duplicates,
    }
    if source.groups is not None:
        manifest["group_names"] = list(source.group_names)
    if source.image_format is not None:
        manifest |= {"form": source.image_format.as_dict(), "unreadable": len(source.unreadable)}
    if drawn.split.train_share is not None:
        manifest["train_share"] = drawn.split.train_share
    if drawn.within is not None:
        manifest["pairs_within"] = drawn.within
    trained = tuple(part for part in (TRAIN, VALIDATION) if part in drawn.pairs)
    return [_pair_file(source, drawn.images, drawn.pairs, parts, manifest) for parts in (trained, (TEST,))]


def _pair_file(
    source: Source,
    images: dict[int, np.ndarray],
    pairs: dict[int, PairArrays],
    parts: tuple[int, ...],
    manifest: dict[str, Any],
) -> PairDataset:
    """Builds the pair data set of some splits, with the images of these splits only."""
    positions = np.sort(np.concatenate([images[part] for part in parts]))
    img1, img2, similarity = (np.concatenate(column) for column in zip(*(pairs[part] for part in parts), strict=True))
    return PairDataset(
        images=_rows(source.images, positions),
        labels=source.labels[positions],
        img1=np.searchsorted(positions, img1).astype(np.int32),
        img2=np.searchsorted(positions, img2).astype(np.int32),
        similarity=similarity,
        split=np.repeat(np.array(parts, np.uint8), [len(pairs[part][2]) for part in parts]),
        manifest=manifest,
        private=is_private(source.origin),
        groups=None if source.groups is None else source.groups[positions],
        authors=None if source.authors is None else source.authors[positions],
    )


def _rows(images: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Copies some of the images; copies memory-mapped images to disk."""
    if not isinstance(images, np.memmap):
        return images[positions]
    rows = scratch_images((len(positions), *images.shape[1:]))
    size = block_size(images.shape[1:], BLOCK)
    for start in range(0, len(positions), size):
        rows[start : start + size] = images[positions[start : start + size]]
    return rows
