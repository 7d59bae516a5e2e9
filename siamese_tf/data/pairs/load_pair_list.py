"""Loading of a list of image pairs for evaluation: CSV, or the format of LFW's `pairs.txt`."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.pairs.audit import audit_pairs
from siamese_tf.data.pairs.listed_pairs import is_lfw
from siamese_tf.data.pairs.pair_file import TEST
from siamese_tf.data.pairs.pair_lists import load_pair_dataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.errors import PairFileError


def load_pair_list(
    path: str | Path, image_format: ImageFormat, images: str | Path | None = None
) -> tuple[TrainTestPairs, np.ndarray | None]:
    """Loads a list and its images. If all pairs are in one split, they become test pairs.

    Args:
        path: path of a `.csv` file (`csv_pairs` describes it) or a `.txt` file (`lfw_pairs`).
        image_format: image format to convert the images to.
        images: for a `.txt` file, folder with one folder per person; the default is the folder of the list.

    Returns:
        The pairs; and the fold of each, (m,) int64, or None if the list has fewer than two folds.

    Raises:
        PairFileError: if the list or one of its images cannot be read, or `images` is given for a CSV file.
    """
    if images is not None and not is_lfw(path):
        raise PairFileError(
            f"images must be omitted for {path}, whose paths are relative to its folder; got {images}. Omit it"
        )
    pairs, fold = load_pair_dataset(path, image_format, images)
    if fold is not None and np.unique(fold).size == 1:
        fold = None
    if np.unique(pairs.split).size == 1:
        pairs = replace(pairs, split=np.full_like(pairs.split, TEST))
    test = pairs if len(pairs.rows(TEST)) else None
    folds = "" if fold is None else f", {np.unique(fold).size} folds"
    note = f"using {len(pairs.similarity):,} pairs of {len(pairs.images):,} images in {path}{folds}"
    return TrainTestPairs(pairs, test, Path(path).stem, note, audit_pairs([pairs]).leaks), fold
