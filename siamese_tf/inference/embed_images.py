"""Embeds all images of a data set, as arrays that other programs can read."""

import json

import numpy as np

from siamese_tf.data.sources.source import Source
from siamese_tf.errors import DatasetError
from siamese_tf.models.embeddings import check_some_comparable
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.version import __version__


def embed_images(model: SiameseModel, images: np.ndarray, name: str) -> np.ndarray:
    """Returns the embeddings (n, d) float32 of images (n, h, w, c) uint8 of a data set, as the tower outputs them.

    Raises:
        DatasetError: the images do not have the model's input size.
        ImageError: an embedding is not finite, or all of them are zero.
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
        model: a trained model.
        source: a data set with images of the model's input size.

    Returns:
        `embeddings` float32 (n, d) as the tower outputs them, not normalized; `labels` int64 (n,); `is_test` bool (n,),
        all False if the data set has no official test split; `class_names` text (k,), the name of class j at position
        j; `manifest`, JSON text: `version` of siamese_tf, `dataset`, `files` (name -> SHA-256) and for the `model` its
        `objective` and the `dataset` it was trained on (null if its record lacks them).

    Raises:
        DatasetError: the images do not have the model's input size.
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
