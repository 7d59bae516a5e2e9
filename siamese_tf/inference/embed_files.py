"""Embeds image files; one that cannot be read does not keep the others from their answer."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from siamese_tf.data.images import load_image
from siamese_tf.errors import ImageError
from siamese_tf.models.siamese_model import SiameseModel


def embed_files(model: SiameseModel, paths: Sequence[str | Path]) -> tuple[np.ndarray, list[str | None]]:
    """Embeds the image files that can be read.

    Args:
        model: embeds.
        paths: of n image files, at least one.

    Returns:
        The embeddings (k, d) float32 of the k files that can be read, in their order; and for each of the n files why
        it cannot be read, None where it can.

    Raises:
        ImageError: none of them can be read.
    """
    images: list[np.ndarray] = []
    errors: list[str | None] = []
    for path in paths:
        try:
            images.append(load_image(path, *model.input_size, model.resize))
            errors.append(None)
        except ImageError as error:
            errors.append(str(error))
    if not images:
        others = f" Nor can any of the other {len(errors) - 1:,} images be read." if len(errors) > 1 else ""
        raise ImageError(f"{errors[0]}{others}")
    return model.embed(np.stack(images)), errors
