"""Leakage audit of pair files: images in two splits, duplicate pairs, images paired with themselves."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from siamese_tf.data.images.content_ids import content_ids
from siamese_tf.data.pairs.pair_file import PARTS, PairDataset


@dataclass(frozen=True)
class PartAudit:
    """Counts for one split: training, validation or test.

    Attributes:
        images: number of distinct images in its pairs.
        pairs, similar: number of pairs, and of those with similarity 1.
        similar_per_class: smallest and largest number of similar pairs per class; None without labels.
        dissimilar_per_class: smallest and largest number of dissimilar pairs per class; None without labels.
    """

    images: int
    pairs: int
    similar: int
    similar_per_class: tuple[int, int] | None
    dissimilar_per_class: tuple[int, int] | None


@dataclass(frozen=True)
class Audit:
    """Result of `audit_pairs`. Images are compared by content, not by position.

    Attributes:
        parts: audit of each split that has pairs, by split name.
        overlap: number of images in both of two splits that have pairs; the keys are like "train-test".
        duplicate_pairs: number of repeated pairs, in either order, within a split or across splits.
        self_pairs: number of pairs of two images with equal content.
        contradictions: number of pairs whose similarity contradicts the labels, plus pairs listed with both
            similarities.
        shared_between_files: number of images in more than one file. This is no leak if the split is the same; but a
            file without `split` counts as training, and then only this number reveals a leak.
    """

    parts: dict[str, PartAudit]
    overlap: dict[str, int]
    duplicate_pairs: int
    self_pairs: int
    contradictions: int
    shared_between_files: int

    @property
    def leaks(self) -> int:
        """Number of overlapping images, duplicate pairs and self-pairs, which all inflate a measured accuracy."""
        return sum(self.overlap.values()) + self.duplicate_pairs + self.self_pairs

    def as_dict(self) -> dict[str, Any]:
        """Returns the audit as plain JSON values, for the manifest and the record."""
        return {**asdict(self), "leaks": self.leaks}

    def lines(self) -> list[str]:
        """Returns a table and the verdict as lines of text."""
        image_format = "{:<12}{:>9}{:>10}{:>10}{:>20}{:>22}".format
        table = [image_format("part", "images", "pairs", "similar", "similar per class", "dissimilar per class")]
        for name, part in self.parts.items():
            share = f"{part.similar / part.pairs:.1%}"
            spreads = [_spread_text(part.similar_per_class), _spread_text(part.dissimilar_per_class)]
            table.append(image_format(name, f"{part.images:,}", f"{part.pairs:,}", share, *spreads))
        overlap = ", ".join(f"{parts.replace('-', ' and ')} {count:,}" for parts, count in self.overlap.items())
        findings = [
            f"images in two splits: {overlap or 'only one split'}",
            f"duplicate pairs: {self.duplicate_pairs:,}",
            f"images paired with themselves: {self.self_pairs:,}",
            f"similarity contradicted: {self.contradictions:,}",
            f"images in more than one file: {self.shared_between_files:,}",
        ]
        return [*table, *findings, f"LEAKS: {self.leaks:,}" if self.leaks else "no leaks"]


def audit_pairs(files: Sequence[PairDataset]) -> Audit:
    """Audits the pair files of a data set together, for example the training file and the test file.

    Args:
        files: pair data sets, at least one. Equal labels mean equal classes across files.
    """
    ids = content_ids(*(file.images for file in files))
    img1 = np.concatenate([own[file.img1] for own, file in zip(ids, files, strict=True)])
    img2 = np.concatenate([own[file.img2] for own, file in zip(ids, files, strict=True)])
    split = np.concatenate([file.split for file in files])
    images = int(max(img1.max(), img2.max())) + 1
    used = {part: _used(img1[split == part], img2[split == part], images) for part in np.unique(split).tolist()}
    overlap = {f"{PARTS[one]}-{PARTS[two]}": int((used[one] & used[two]).sum()) for one, two in combinations(used, 2)}
    pair = np.minimum(img1, img2) * images + np.maximum(img1, img2)  # one number per pair, independent of the order
    answer = 2 * pair + np.concatenate([file.similarity for file in files])
    distinct = _distinct(pair)
    return Audit(
        parts={PARTS[part]: _audit_part(files, part, int(of_it.sum())) for part, of_it in used.items()},
        overlap=overlap,
        duplicate_pairs=len(pair) - distinct,
        self_pairs=int((img1 == img2).sum()),
        contradictions=sum(_against_labels(file) for file in files) + _distinct(answer) - distinct,
        shared_between_files=_shared(files, ids, images),
    )


def _used(img1: np.ndarray, img2: np.ndarray, images: int) -> np.ndarray:
    """Returns the mask of the images that are in a pair, (images,) bool."""
    used = np.zeros(images, bool)
    used[img1] = used[img2] = True
    return used


def _distinct(values: np.ndarray) -> int:
    """Returns the number of distinct values; sorting integers is many times faster than `np.unique` of NumPy 2.3."""
    ordered = np.sort(values)
    return 1 + int((ordered[1:] != ordered[:-1]).sum())


def _shared(files: Sequence[PairDataset], ids: Sequence[np.ndarray], images: int) -> int:
    used = [_used(own[file.img1], own[file.img2], images) for own, file in zip(ids, files, strict=True)]
    return int((np.sum(used, axis=0) > 1).sum())


def _against_labels(file: PairDataset) -> int:
    if file.labels is None:
        return 0
    return int(((file.labels[file.img1] == file.labels[file.img2]) != file.similarity).sum())


def _audit_part(files: Sequence[PairDataset], part: int, images: int) -> PartAudit:
    rows = [(file, file.rows(part)) for file in files]
    similar = np.concatenate([file.similarity[own] for file, own in rows]) == 1
    sides = [file.labels[np.stack([file.img1[own], file.img2[own]])] for file, own in rows if file.labels is not None]
    spreads = _spreads(np.concatenate(sides, axis=1), similar) if len(sides) == len(files) else (None, None)
    return PartAudit(images, len(similar), int(similar.sum()), *spreads)


def _spreads(sides: np.ndarray, similar: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns the smallest and largest numbers of similar and of dissimilar pairs per class from labels (2, m)."""
    classes, index = np.unique(sides, return_inverse=True)
    index = index.reshape(sides.shape)
    of_similar = np.bincount(index[0, similar], minlength=len(classes))
    of_dissimilar = np.bincount(index[:, ~similar].ravel(), minlength=len(classes))
    return (int(of_similar.min()), int(of_similar.max())), (int(of_dissimilar.min()), int(of_dissimilar.max()))


def _spread_text(spread: tuple[int, int] | None) -> str:
    return "-" if spread is None else f"{spread[0]:,} to {spread[1]:,}"
