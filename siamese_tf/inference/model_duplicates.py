"""Pairs of images that a model calls the same."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from siamese_tf.errors import ConfigError
from siamese_tf.inference.duplicate_pair import DuplicatePair
from siamese_tf.inference.embed_files import embed_files
from siamese_tf.models.pair_scorer import BLOCK, row_slices
from siamese_tf.models.probability import probability
from siamese_tf.models.siamese_model import SiameseModel

MODEL = "model"


def model_pairs(model: SiameseModel, paths: Sequence[Path], threshold: float | None = None) -> Iterator[DuplicatePair]:
    """Yields the pairs of image files whose probability of a match reaches a threshold.

    Args:
        model: model that scores the pairs; each file is embedded once.
        paths: image files; one whose embedding cannot be compared is in no pair.
        threshold: in (0, 1]; None for that of the model.

    Raises:
        ConfigError: if the threshold is out of range.
    """
    threshold = model.threshold if threshold is None else threshold
    if not 0 < threshold <= 1:
        raise ConfigError(f"the threshold must be above 0 and at most 1; got {threshold}")
    embeddings, errors = embed_files(model, paths)
    usable = np.flatnonzero([error is None for error in errors])
    for rows in row_slices(len(usable), BLOCK):
        logits = model.all_pairs.logit_matrix(embeddings[usable[rows]], embeddings[usable[rows.start :]])
        scores = probability(logits.astype(np.float64))
        for row, column in zip(*np.nonzero(np.triu(scores >= threshold, 1)), strict=True):
            first, second = usable[rows.start + row], usable[rows.start + column]
            yield DuplicatePair(int(first), int(second), MODEL, float(scores[row, column]))
