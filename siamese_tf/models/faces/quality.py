"""Quality of a face for comparison: size, brightness and sharpness."""

import numpy as np

from siamese_tf.models.faces.alignment import SIZE
from siamese_tf.models.faces.detection import Face

MIN_EYE_DISTANCE = 20.0  # pixels in the original image; 53 in an aligned face
MIN_BRIGHTNESS = 40.0  # mean gray level, 0 to 255
MIN_SHARPNESS = 20.0  # variance of the Laplacian; at least 45 for AT&T's faces, at most 16 after a blur of two pixels
CENTER = slice(SIZE // 5, SIZE - SIZE // 5)  # rows and columns of an aligned face without its surroundings


def quality_problems(aligned: np.ndarray, face: Face) -> list[str]:
    """Returns "small", "dark" and "blurred" as far as they apply.

    Args:
        aligned: result of `align_face`, (150, 150, 3) uint8.
        face: the face in the original image.
    """
    gray = aligned[CENTER, CENTER].mean(axis=2)
    problems = {
        "small": face.eye_distance < MIN_EYE_DISTANCE,
        "dark": gray.mean() < MIN_BRIGHTNESS,
        "blurred": sharpness(gray) < MIN_SHARPNESS,
    }
    return [name for name, applies in problems.items() if applies]


def sharpness(gray: np.ndarray) -> float:
    """Returns the variance of the Laplacian of an (h, w) image, higher is sharper.

    Reference:
        Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy: a comparative study".
    """
    inner = gray[1:-1, 1:-1]
    return float(np.var(gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * inner))
