import pytest

from siamese_tf.errors import ConfigError
from siamese_tf.models.faces import detection
from siamese_tf.models.faces.detection import Face, load_detector


def test_sizes_of_a_face():
    face = Face((10.0, 20.0, 30.0, 40.0), 0.9, (20.0, 30.0), (23.0, 34.0), (25.0, 40.0))
    assert (face.area, face.eye_distance) == (1200.0, 5.0)


def test_a_registered_detector_is_built_by_its_name(monkeypatch):
    class Detector:
        def detect(self, image):
            return []

    monkeypatch.setitem(detection.DETECTORS, "own", f"{__name__}:Own")
    monkeypatch.setitem(globals(), "Own", Detector)
    assert isinstance(load_detector("own"), Detector)


def test_an_unknown_detector_is_refused():
    with pytest.raises(ConfigError, match="detector must be one of mtcnn; got 'eyes'"):
        load_detector("eyes")
