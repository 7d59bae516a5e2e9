"""Face detectors: what they return, and the table of their names."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from siamese_tf.config.builders import load_builder
from siamese_tf.config.checks import check_choice

DETECTORS = {"mtcnn": "siamese_tf.models.faces.mtcnn:MtcnnDetector"}  # name -> class without arguments


@dataclass(frozen=True)
class Face:
    """A face in an image; x grows to the right and y downward, in pixels.

    Attributes:
        box: left, top, width and height.
        confidence: in [0, 1], higher is more certain.
        left_eye, right_eye, nose: (x, y); left and right as seen by the viewer.
    """

    box: tuple[float, float, float, float]
    confidence: float
    left_eye: tuple[float, float]
    right_eye: tuple[float, float]
    nose: tuple[float, float]

    @property
    def area(self) -> float:
        """Area of the box, in pixels."""
        return self.box[2] * self.box[3]

    @property
    def eye_distance(self) -> float:
        """Distance between the eyes, in pixels."""
        return float(np.hypot(*np.subtract(self.left_eye, self.right_eye)))


class FaceDetector(Protocol):
    """Finds the faces of an image."""

    def detect(self, image: np.ndarray) -> list[Face]:
        """Returns the faces of an upright image, (h, w, 3) uint8 RGB, in any order."""
        ...


def load_detector(name: str = "mtcnn") -> FaceDetector:
    """Builds a detector.

    Args:
        name: a key of DETECTORS.

    Raises:
        ConfigError: if the name is unknown.
        MissingPackageError: if its package is not installed.
        ModelFileError: if its weights were changed.
    """
    check_choice("detector", name, DETECTORS)
    return load_builder(DETECTORS[name])()
