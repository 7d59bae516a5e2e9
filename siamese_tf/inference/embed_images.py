"""Embeds all images of a data set, as arrays for other programs to read."""

import json

import numpy as np

from siamese_tf.data.sources.source import Source
from siamese_tf.errors import DatasetError
from siamese_tf.models.embeddings import check_some_comparable
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.version import __version__


def embed_images(model: SiameseModel, images: np.ndarray, name: str) -> np.ndarray:
    """The embeddings (n, d) float32 of images (n, h, w, c) uint8 of a data set, as the tower gives them.

    Raises:
        DatasetError: the images are not of the model's size.
        ImageError: an embedding is not finite, or all of them are zero.
    """
    if images.shape[1:] != model.input_size:
        raise DatasetError(
            f"the model takes images of {model.input_size} (height, width, channels), and those of {name} are"
            f" {images.shape[1:]}. Take the data set that the model was trained on, or one like it"
        )
    embeddings = model.embed(images)
    check_some_comparable(embeddings, name)
    return embeddings


def embed_source(model: SiameseModel, source: Source) -> dict[str, np.ndarray]:
    """All images of a data set, embedded, with what is known of them.

    Args:
        model: a trained model.
        source: of images of the model's size.

    Returns:
        `embeddings` float32 (n, d) as the tower gives them, before any normalising; `labels` int64 (n,); `is_test` bool
        (n,), all False where the data set has no official test part; `class_names` text (k,), what label j is called at
        position j; `manifest`, JSON text: `version` of siamese_tf, `dataset`, `files` (name -> SHA-256) and of the
        `model` the `objective` and the `dataset` it was trained on (null where its record does not say).

    Raises:
        DatasetError: the images are not of the model's size.
        ImageError: an embedding is not finite, or all of them are zero.
    """
    record = model.record
    manifest = {
        "version": __version__,
        "dataset": source.name,
        "files": source.files,
        "model": {"objective": record.get("objective"), "dataset": record.get("dataset")},
    }
    return {
        "embeddings": embed_images(model, source.images, source.name),
        "labels": source.labels,
        "is_test": source.is_test,
        "class_names": np.array(source.class_names),
        "manifest": np.array(json.dumps(manifest, sort_keys=True)),
    }
