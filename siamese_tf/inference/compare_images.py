"""Two images compared, with all the numbers that the verdict comes from."""

from dataclasses import dataclass

import numpy as np

from siamese_tf.models.inputs import Images
from siamese_tf.models.pair_logits import probability
from siamese_tf.models.siamese_model import SiameseModel


@dataclass(frozen=True)
class Comparison:
    """What a model says of two images.

    Attributes:
        cosine: of the angle between their embeddings, in [-1, 1], higher is more similar.
        distance: of the model's head, >= 0, lower is more similar; the mean of both orders where those differ.
        probability: that they match, in [0, 1], higher is more similar.
        threshold: the model's.
        same: probability >= threshold.
    """

    cosine: float
    distance: float
    probability: float
    threshold: float
    same: bool


def compare_images(model: SiameseModel, image1: Images, image2: Images) -> Comparison:
    """Compares two images.

    Args:
        model: a trained model.
        image1, image2: one image each, see `as_images`.

    Raises:
        ImageError: an image of another shape, dtype or range, or a file that cannot be read.
    """
    a, b = np.atleast_2d(model.embed(image1)), np.atleast_2d(model.embed(image2))
    rows = np.zeros(1, int)
    score = float(probability(model.pair_logits(np.concatenate([a, b]), rows, rows + 1))[0])
    distance = (float(model.head.distance(a, b)[0]) + float(model.head.distance(b, a)[0])) / 2
    return Comparison(_cosine(a[0], b[0]), distance, score, model.threshold, score >= model.threshold)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    """In float64; 0 where an embedding is all zeros, which has no angle to any other."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.clip(a @ b / lengths, -1, 1)) if lengths else 0.0
