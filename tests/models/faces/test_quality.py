import numpy as np
import pytest
from PIL import Image, ImageFilter

from siamese_tf.models.faces.alignment import SIZE
from siamese_tf.models.faces.detection import Face
from siamese_tf.models.faces.quality import MIN_EYE_DISTANCE, quality_problems, sharpness


def face(eye_distance: float = 60.0) -> Face:
    return Face((0.0, 0.0, 100.0, 100.0), 1.0, (0.0, 0.0), (eye_distance, 0.0), (30.0, 40.0))


def texture(level: int = 128) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (level + rng.integers(-20, 21, (SIZE, SIZE, 1))).clip(0, 255).astype(np.uint8).repeat(3, axis=2)


def test_the_laplacian_by_hand():
    gray = np.zeros((3, 4))
    gray[1, 1] = 1.0
    assert sharpness(gray) == np.var([-4.0, 1.0])


@pytest.mark.parametrize(
    ("aligned", "eye_distance", "problems"),
    [
        (texture(), MIN_EYE_DISTANCE, []),
        (texture(), MIN_EYE_DISTANCE - 0.1, ["small"]),
        (texture(30), 60.0, ["dark"]),
        (np.asarray(Image.fromarray(texture()).filter(ImageFilter.GaussianBlur(3))), 60.0, ["blurred"]),
        (np.zeros((SIZE, SIZE, 3), np.uint8), 1.0, ["small", "dark", "blurred"]),
    ],
)
def test_problems_are_named(aligned, eye_distance, problems):
    assert quality_problems(aligned, face(eye_distance)) == problems


def test_the_surroundings_of_a_face_do_not_count():
    aligned = texture()
    aligned[:25] = 0
    assert quality_problems(aligned, face()) == []
