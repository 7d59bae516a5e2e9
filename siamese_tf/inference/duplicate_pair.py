"""Result of the searches for duplicates."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DuplicatePair:
    """Two images that show the same picture.

    Attributes:
        first, second: positions of the images.
        kind: name of the search that found the pair.
        score: correlation of small copies, in [-1, 1], or probability of a match; higher is more similar.
        turns: quarter turns, counterclockwise, that turn the second image into the first.
        mirrored: the second image is mirrored from left to right before it is turned.
    """

    first: int
    second: int
    kind: str
    score: float = 1.0
    turns: int = 0
    mirrored: bool = False
