"""Pairs of image names in a list, and the file names of lists."""

from array import array
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class ListedPairs:
    """Pairs in the order of the list: two image names, similarity (1 = same), split, and number of the fold from 0.

    `groups` has the name of the group of each image, where the list has one.

    Equal names share one object and numbers take one or four bytes, so that a list needs little more memory than disk.
    """

    img1: list[str] = field(default_factory=list)
    img2: list[str] = field(default_factory=list)
    similarity: "array[int]" = field(default_factory=lambda: array("B"))
    split: "array[int]" = field(default_factory=lambda: array("B"))
    fold: "array[int]" = field(default_factory=lambda: array("I"))
    names: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)

    def add(
        self, img1: list[str], img2: list[str], similarity: list[int], split: list[int], fold: list[int] | None = None
    ) -> None:
        """Adds k pairs; each argument has k values. The default fold is 0."""
        self.img1.extend(map(self.names.setdefault, img1, img1))
        self.img2.extend(map(self.names.setdefault, img2, img2))
        self.similarity.extend(similarity)
        self.split.extend(split)
        self.fold.extend(fold or [0] * len(img1))


def is_list(path: str | Path) -> bool:
    """Returns True if the file name is that of a list of image pairs, False for a pair file."""
    return Path(path).suffix.lower() == ".csv" or is_lfw(path)


def is_lfw(path: str | Path) -> bool:
    """Returns True if the file name is that of a list in the format of LFW's `pairs.txt`."""
    return Path(path).suffix.lower() == ".txt"
