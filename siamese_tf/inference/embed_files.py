"""Embedding of image files; files without a usable embedding are reported and do not affect the others."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from siamese_tf.data.images.decode import load_image
from siamese_tf.data.images.threads import map_in_threads
from siamese_tf.errors import ImageError
from siamese_tf.models.embeddings import comparable
from siamese_tf.models.inputs import EMBED_BATCH
from siamese_tf.models.siamese_model import SiameseModel

NOT_COMPARABLE = "its embedding is 0 or not finite and cannot be compared; check the image, and the model with evaluate"


def embed_files(model: SiameseModel, paths: Iterable[str | Path]) -> tuple[np.ndarray, list[str | None]]:
    """Embeds image files, some of which may be unreadable.

    Args:
        model: model that computes the embeddings.
        paths: paths of n image files, iterated once; the images of at most 512 files are in memory.

    Returns:
        Embeddings, (n, d) float32, with 0 in the row of a file that cannot be read or whose embedding cannot be
        compared; and the error message of each file, or None.
    """
    embeddings, errors = [np.zeros((0, model.embedding_dim), np.float32)], []
    remaining = iter(paths)
    while batch := list(islice(remaining, EMBED_BATCH)):
        embedded, reasons = _embed_batch(model, batch)
        embeddings.append(embedded)
        errors += reasons
    return np.concatenate(embeddings), errors


def embed_usable_files(model: SiameseModel, paths: Iterable[str | Path]) -> tuple[np.ndarray, list[str | None]]:
    """Embeds image files like `embed_files`, without rows for files that have no embedding.

    Returns:
        Embeddings of the k usable files in the order of `paths`, (k, d) float32; and the error message of each of the n
        files, or None.

    Raises:
        ImageError: if no file is usable.
    """
    embeddings, errors = embed_files(model, paths)
    usable = [error is None for error in errors]
    if not any(usable):
        others = f" None of the other {len(errors) - 1:,} images can be used either." if len(errors) > 1 else ""
        raise ImageError(f"{errors[0]}{others}")
    return embeddings[usable], errors


def _embed_batch(model: SiameseModel, paths: list[str | Path]) -> tuple[np.ndarray, list[str | None]]:
    embeddings = np.zeros((len(paths), model.embedding_dim), np.float32)
    errors: list[str | None] = [None] * len(paths)
    images: dict[int, np.ndarray] = {}

    def load(path: str | Path) -> np.ndarray | ImageError:
        try:
            return load_image(path, *model.input_size, *model.image_format.options)
        except ImageError as error:
            return error

    for position, image in enumerate(map_in_threads(load, paths)):
        if isinstance(image, ImageError):
            errors[position] = str(image)
        else:
            images[position] = image
    if images:
        positions = np.array(list(images))
        embedded = model.embed(np.stack(list(images.values())))
        usable = comparable(embedded)
        embeddings[positions[usable]] = embedded[usable]
        for position in positions[~usable]:
            errors[position] = f"{paths[position]}: {NOT_COMPARABLE}"
    return embeddings, errors
