"""The package and its weights; faces are those of AT&T, where they are available."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siamese_tf.errors import MissingPackageError, ModelFileError
from siamese_tf.models.faces import mtcnn
from siamese_tf.models.faces.mtcnn import MtcnnDetector, check_weights

FOLDER = Path(os.environ.get("SIAMESE_TF_DATA", "missing")) / "att-faces"


@pytest.fixture(scope="module")
def detector() -> MtcnnDetector:
    return MtcnnDetector()


@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the AT&T faces in $SIAMESE_TF_DATA")
@pytest.mark.parametrize("scale", [1, 4])
def test_a_face_is_found_with_its_eyes_and_nose(detector, scale):
    with Image.open(FOLDER / "s1" / "1.pgm") as file:
        image = file.convert("RGB").resize((92 * scale, 112 * scale), Image.Resampling.BICUBIC)
    (face,) = detector.detect(np.asarray(image))
    assert face.confidence > 0.9
    np.testing.assert_allclose(np.array(face.left_eye) / scale, (27, 52), atol=3)
    np.testing.assert_allclose(np.array(face.right_eye) / scale, (62, 51), atol=3)
    np.testing.assert_allclose(np.array(face.nose) / scale, (45, 71), atol=4)
    left, top, width, height = face.box
    assert left < face.left_eye[0] < face.right_eye[0] < left + width
    assert top < face.left_eye[1] < face.nose[1] < top + height


@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the AT&T faces in $SIAMESE_TF_DATA")
def test_two_faces_of_one_image_are_found(detector):
    images = [np.asarray(Image.open(FOLDER / f"s{number}" / "1.pgm").convert("RGB")) for number in (1, 2)]
    assert len(detector.detect(np.concatenate(images, axis=1))) == 2


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (100, 100)])
def test_an_image_without_a_face_has_none(detector, shape):
    assert detector.detect(np.full((*shape, 3), 90, np.uint8)) == []


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Folder of the weights of a package `mtcnn` that raises an error when it is imported."""
    weights = tmp_path / "mtcnn" / "assets" / "weights"
    weights.mkdir(parents=True)
    (tmp_path / "mtcnn" / "__init__.py").write_text("raise RuntimeError('imported')")
    spec = type("Spec", (), {"origin": str(tmp_path / "mtcnn" / "__init__.py")})
    monkeypatch.setattr(mtcnn, "find_spec", lambda name: spec)
    return weights


def test_weights_that_were_changed_are_refused_before_the_package_is_imported(package):
    for name in mtcnn.WEIGHTS:
        (package / name).write_bytes(b"changed")
    with pytest.raises(ModelFileError, match=r"pnet.lz4 must have the SHA-256 \w{64}; got \w{64}. Install the package"):
        MtcnnDetector()


def test_missing_weights_are_refused(package):
    with pytest.raises(ModelFileError, match="pnet.lz4 must have the SHA-256 .*; got No such file or directory"):
        check_weights()


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(mtcnn, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="the extra 'faces' must be installed for the detection of faces"):
        MtcnnDetector()
