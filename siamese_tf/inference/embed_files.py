"""Embeds image files; one without an embedding that can be compared does not keep the others from their answer."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from siamese_tf.data.images.decode import load_image
from siamese_tf.errors import ImageError
from siamese_tf.models.embeddings import comparable
from siamese_tf.models.inputs import EMBED_BATCH
from siamese_tf.models.siamese_model import SiameseModel

NOT_COMPARABLE = (
    "its embedding is 0 or not finite; expected one that can be compared; look at the image, and at the model with"
    " evaluate"
)


def embed_files(model: SiameseModel, paths: Iterable[str | Path]) -> tuple[np.ndarray, list[str | None]]:
    """Embeds image files, of which not all need to be readable.

    Args:
        model: computes the embeddings.
        paths: n image files, an iterable that is gone through once; images of 512 files at most are in memory.

    Returns:
        (n, d) float32 embeddings, 0 in the row of a file that cannot be read or whose embedding cannot be compared; and
        for each of the n files the reason, None for one that has an embedding.
    """
    embeddings, errors = [np.zeros((0, model.embedding_dim), np.float32)], []
    remaining = iter(paths)
    while batch := list(islice(remaining, EMBED_BATCH)):
        embedded, reasons = _embed_batch(model, batch)
        embeddings.append(embedded)
        errors += reasons
    return np.concatenate(embeddings), errors


def embed_usable_files(model: SiameseModel, paths: Iterable[str | Path]) -> tuple[np.ndarray, list[str | None]]:
    """Embeds image files as `embed_files` does, and leaves out the rows of those that have no embedding.

    Returns:
        (k, d) float32 embeddings of the k files that have one, in their order; and for each of the n files the reason
        that it has none, or None.

    Raises:
        ImageError: none of the files has one.
    """
    embeddings, errors = embed_files(model, paths)
    usable = [error is None for error in errors]
    if not any(usable):
        others = f" Nor can any of the other {len(errors) - 1:,} images be used." if len(errors) > 1 else ""
        raise ImageError(f"{errors[0]}{others}")
    return embeddings[usable], errors


def _embed_batch(model: SiameseModel, paths: list[str | Path]) -> tuple[np.ndarray, list[str | None]]:
    embeddings = np.zeros((len(paths), model.embedding_dim), np.float32)
    errors: list[str | None] = [None] * len(paths)
    images: dict[int, np.ndarray] = {}
    for position, path in enumerate(paths):
        try:
            images[position] = load_image(path, *model.input_size, model.resize)
        except ImageError as error:
            errors[position] = str(error)
    if images:
        positions = np.array(list(images))
        embedded = model.embed(np.stack(list(images.values())))
        fine = comparable(embedded)
        embeddings[positions[fine]] = embedded[fine]
        for position in positions[~fine]:
            errors[position] = f"{paths[position]}: {NOT_COMPARABLE}"
    return embeddings, errors
