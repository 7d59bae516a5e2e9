"""Number and choice of the pairs of each split."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from siamese_tf.data.pairs.pair_file import PARTS, TEST, TRAIN, VALIDATION
from siamese_tf.data.sampling.draw_pairs import existing_pairs, make_pairs
from siamese_tf.data.sampling.split import ImageSplit
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import DatasetError

STANDARD_PAIRS = {"train": 70_000, "validation": 30_000, "test": 50_000}


PAIRS_PER_IMAGE = 10


FEW_PAIRS = 100  # below, all similar pairs that exist are taken, not half of them


PairArrays = tuple[np.ndarray, np.ndarray, np.ndarray]  # img1 and img2 as positions in the source, similarity


@dataclass(frozen=True, eq=False)
class DrawnPairs:
    split: ImageSplit
    images: dict[int, np.ndarray]  # part -> positions in the source
    pairs: dict[int, PairArrays]  # part -> its pairs


def draw_parts(
    source: Source, split: ImageSplit, counts: Mapping[str, int | None], pair_seeds: list[np.random.SeedSequence]
) -> DrawnPairs:
    images = {TRAIN: split.train, VALIDATION: split.validation, TEST: split.test}
    pairs = {
        part: _pairs_of_part(source, positions, PARTS[part], counts[PARTS[part]], pair_seeds[part])
        for part, positions in images.items()
    }
    return DrawnPairs(split, images, pairs)


def _pairs_of_part(
    source: Source, positions: np.ndarray, part: str, counts: int | None, seed: np.random.SeedSequence
) -> PairArrays:
    labels = source.labels[positions]
    count = default_count(labels, STANDARD_PAIRS[part]) if counts is None else counts
    try:
        img1, img2, similarity = make_pairs(labels, count, seed)
    except DatasetError as error:
        raise DatasetError(f"{source.name}, {part} split: {error}") from error
    return positions[img1], positions[img2], similarity


def default_count(labels: np.ndarray, standard: int) -> int:
    """Returns the default number of pairs: `standard`, ten per image, or half of the rarer kind; always even.

    Where that is less than `FEW_PAIRS`, all that exists on the scarcer side counts, up to that number. Never less than
    two, so that a part too small for any pair is refused by `make_pairs`, with the reason.
    """
    scarcer = min(existing_pairs(labels))
    count = min(standard, PAIRS_PER_IMAGE * len(labels), max(scarcer, min(FEW_PAIRS, 2 * scarcer)))
    return max(2, count - count % 2)
