"""Number and random choice of the pairs of each split."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from siamese_tf.data.pairs.pair_file import PARTS, TEST, TRAIN, VALIDATION
from siamese_tf.data.sampling.draw_pairs import existing_pairs, make_pairs
from siamese_tf.data.sampling.split import ImageSplit
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import ConfigError, DatasetError

STANDARD_PAIRS = {"train": 70_000, "validation": 30_000, "test": 50_000}
PAIRS_PER_IMAGE = 10
WITHIN = ("group",)
FEW_PAIRS = 100  # up to this number, all pairs of the rarer kind are used instead of half

PairArrays = tuple[np.ndarray, np.ndarray, np.ndarray]  # img1 and img2, positions in the source; similarity


@dataclass(frozen=True, eq=False)
class DrawnPairs:
    """Pairs drawn from a source.

    Attributes:
        split: split of the images.
        images: positions of the images in the source by TRAIN, VALIDATION or TEST; no VALIDATION if all other images
            are for training.
        pairs: pairs by TRAIN, VALIDATION or TEST.
        within: "group" if the dissimilar pairs are within groups, else None.
    """

    split: ImageSplit
    images: dict[int, np.ndarray]
    pairs: dict[int, PairArrays]
    within: str | None = None


def draw_parts(
    source: Source,
    split: ImageSplit,
    counts: Mapping[str, int | None],
    pair_seeds: list[np.random.SeedSequence],
    within: str | None = None,
) -> DrawnPairs:
    """Draws the pairs of each split.

    Args:
        source: labeled images.
        split: split of the images.
        counts: number of pairs by split name; None gives the default number.
        pair_seeds: one seed per split, in the order of `PARTS`.
        within: `"group"` draws dissimilar pairs within groups only, None from all classes.

    Raises:
        ConfigError: if validation pairs are requested but no image is for validation, or `within` is unknown or does
            not fit the source.
        DatasetError: if a split has fewer pairs than requested.
    """
    groups = _groups_of_pairs(source, within)
    images = {TRAIN: split.train, VALIDATION: split.validation, TEST: split.test}
    if split.train_share == 1:
        del images[VALIDATION]
        if counts["validation"] is not None:
            raise ConfigError(
                "the number of validation pairs must be omitted with a training share of 1; got"
                f" {counts['validation']}. Omit it, or leave a share for validation"
            )
    pairs = {
        part: _pairs_of_part(source, groups, positions, PARTS[part], counts[PARTS[part]], pair_seeds[part])
        for part, positions in images.items()
    }
    return DrawnPairs(split, images, pairs, within)


def _groups_of_pairs(source: Source, within: str | None) -> np.ndarray | None:
    """Returns the groups (n,) that dissimilar pairs must be within, None if all classes form such pairs."""
    if within is None:
        return None
    if within not in WITHIN:
        raise ConfigError(f"pairs within must be {' or '.join(map(repr, WITHIN))}; got {within!r}.")
    if source.groups is None:
        raise ConfigError(
            f"pairs within must be omitted for {source.origin}, which has no groups; got {within!r}. Omit it, or put"
            " the class folders into group folders"
        )
    return source.groups


def _pairs_of_part(
    source: Source,
    groups: np.ndarray | None,
    positions: np.ndarray,
    part: str,
    counts: int | None,
    seed: np.random.SeedSequence,
) -> PairArrays:
    labels, groups = source.labels[positions], None if groups is None else groups[positions]
    count = default_count(labels, STANDARD_PAIRS[part], groups) if counts is None else counts
    try:
        img1, img2, similarity = make_pairs(labels, count, seed, groups=groups)
    except DatasetError as error:
        raise DatasetError(f"{source.name}, {part} split: {error}") from error
    return positions[img1], positions[img2], similarity


def default_count(labels: np.ndarray, standard: int, groups: np.ndarray | None = None) -> int:
    """Returns the default number of pairs, an even number of at least 2.

    It is the minimum of `standard`, ten per image, and the number of pairs of the rarer kind (similar or dissimilar),
    which uses half of them. Up to `FEW_PAIRS`, it uses all of them. If no pair exists, the result 2 lets `make_pairs`
    raise an error with the reason. With groups (n,), only dissimilar pairs within groups count.
    """
    rarer = min(existing_pairs(labels, groups=groups))
    count = min(standard, PAIRS_PER_IMAGE * len(labels), max(rarer, min(FEW_PAIRS, 2 * rarer)))
    return max(2, count - count % 2)
