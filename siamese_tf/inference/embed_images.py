"""Embedding of all images of a data set, as arrays that other programs can read."""

import json

import numpy as np

from siamese_tf.data.sources.source import Source
from siamese_tf.errors import DatasetError
from siamese_tf.models.embeddings import check_some_comparable
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.version import __version__


def embed_images(model: SiameseModel, images: np.ndarray, name: str) -> np.ndarray:
    """Returns the embeddings of the images of a data set.

    Args:
        model: trained model.
        images: images of the model's input size, (n, h, w, c) uint8.
        name: name of the data set in messages.

    Returns:
        Output of the tower, not normalized, (n, d) float32.

    Raises:
        DatasetError: if the images do not have the model's input size.
        ImageError: if an embedding is not finite, or all embeddings are zero.
    """
    if images.shape[1:] != model.input_size:
        raise DatasetError(
            f"the images of {name} must be {model.input_size} (height, width, channels), the model's input size; got"
            f" {images.shape[1:]}. Use the data set that the model was trained on, or one like it"
        )
    embeddings = model.embed(images)
    check_some_comparable(embeddings, name)
    return embeddings


def embed_source(model: SiameseModel, source: Source) -> dict[str, np.ndarray]:
    """Embeds all images of a data set and returns the embeddings with labels and metadata.

    Args:
        model: trained model.
        source: data set with images of the model's input size.

    Returns:
        Arrays by name. `embeddings`: output of the tower, not normalized, (n, d) float32. `labels`: (n,) int64.
        `is_test`: (n,) bool, all False if the data set has no official test split. `class_names`: name of class j at
        position j, (k,) text. `manifest`: JSON text with `version` of siamese_tf, `dataset`, `files` (SHA-256 by name)
        and `model`, which has the `objective` and the training `dataset` (null if missing in its record).

    Raises:
        DatasetError: if the images do not have the model's input size.
        ImageError: if an embedding is not finite, or all embeddings are zero.
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
