"""Alignment of a face: a rotation, scaling and shift that brings eyes and nose to fixed positions."""

import numpy as np
from PIL import Image

from siamese_tf.models.faces.detection import Face

SIZE = 150  # pixels
TEMPLATE = np.array(
    [[48.5, 52.0], [101.5, 52.0], [75.0, 83.0]]
)  # left eye, right eye and nose, as the viewer sees them


def align_face(image: np.ndarray, face: Face) -> np.ndarray:
    """Crops a face so that its eyes and nose are at the positions of TEMPLATE as closely as possible.

    Args:
        image: upright image, (h, w, 3) uint8 RGB.
        face: a face in it.

    Returns:
        (150, 150, 3) uint8 RGB; positions outside the image are black.
    """
    matrix, shift = similarity_transform(np.array([face.left_eye, face.right_eye, face.nose]), TEMPLATE)
    reduction = max(1, int(1 / np.sqrt(np.linalg.det(matrix))))  # averages pixels that would be skipped
    source = Image.fromarray(image)
    if reduction > 1:
        source = source.reduce(reduction)
    inverse, half = np.linalg.inv(matrix), np.full(2, 0.5)
    offset = half - inverse @ (shift + half)  # Pillow counts from the corner of a pixel, not from its center
    rows = np.column_stack([inverse, offset]) / reduction
    aligned = source.transform((SIZE, SIZE), Image.Transform.AFFINE, rows.ravel().tolist(), Image.Resampling.BICUBIC)
    return np.asarray(aligned)


def similarity_transform(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rotation, scaling and shift that map points to others with the smallest squared error.

    Args:
        source: (n, 2) points, not all equal.
        target: (n, 2) points.

    Returns:
        A matrix (2, 2) and a shift (2,): a point p is mapped to matrix @ p + shift. There is no reflection.

    Reference:
        Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns".
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    a, b = source - source_mean, target - target_mean
    left, sizes, right = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, np.sign(np.linalg.det(left @ right))])
    scale = (sizes @ signs) / np.sum(a**2)
    matrix = scale * (left * signs) @ right
    return matrix, target_mean - matrix @ source_mean
