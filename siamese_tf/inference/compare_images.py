"""Comparison of two images: the decision and the underlying numbers."""

from dataclasses import dataclass

import numpy as np

from siamese_tf.inference.matching import as_rows
from siamese_tf.models.embeddings import check_scores
from siamese_tf.models.inputs import Images
from siamese_tf.models.probability import probability
from siamese_tf.models.siamese_model import SiameseModel


@dataclass(frozen=True)
class Comparison:
    """Result of comparing two images with a model.

    Attributes:
        cosine: cosine similarity of the embeddings, in [-1, 1], higher is more similar.
        distance: distance of the model's head, >= 0, lower is more similar; the mean of both orders if they differ.
        probability: probability of a match, in [0, 1], higher is more similar.
        threshold: decision threshold of the model.
        same: True if probability >= threshold.
    """

    cosine: float
    distance: float
    probability: float
    threshold: float
    same: bool


def compare_images(model: SiameseModel, image1: Images, image2: Images) -> Comparison:
    """Compares two images.

    Args:
        model: trained model.
        image1, image2: one image each, in a format that `as_images` accepts.

    Raises:
        ImageError: if an image has the wrong type, shape, dtype or range, a file cannot be read, or an embedding is
            zero or not finite.
    """
    a, b = (as_rows(model.embed(image), model.embedding_dim) for image in (image1, image2))
    rows = np.zeros(1, int)
    logits = model.pair_logits(np.concatenate([a, b]), rows, rows + 1)
    check_scores(logits)
    score = float(probability(logits)[0])
    distance = (float(model.head.distance(a, b)[0]) + float(model.head.distance(b, a)[0])) / 2
    return Comparison(_cosine(a[0], b[0]), distance, score, model.threshold, score >= model.threshold)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Returns the cosine similarity, computed in float64 to limit rounding errors."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))
