"""Saving and loading of SiameseModel by Keras itself; for hostile files see `tests/test_hostile_models.py`."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.errors import ModelFileError
from siamese_tf.models.model_file import load_model, save_model
from siamese_tf.models.siamese_model import SiameseModel

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 5, 8, 8, 1), np.uint8)


@pytest.fixture
def path(small, tmp_path):
    save_model(small, tmp_path / "a.keras")
    return tmp_path / "a.keras"


def test_a_model_is_copied_by_its_config(small):
    copy = SiameseModel.from_config(small.get_config())
    assert copy.get_config() == small.get_config()
    assert keras.models.clone_model(small).get_config() == small.get_config()


def test_an_open_archive_of_the_callers_does_not_matter(small, path):
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        assert SiameseModel.from_config(small.get_config()).tower_name == "small_cnn"
        assert keras.models.load_model(path).get_config() == small.get_config()
    assert archive.fp is None


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_model_comes_back_without_its_loss(drawn, tmp_path):
    """A loss in a file could be any function that Keras can import."""
    model = drawn(SiameseModel((8, 8, 1), "reference", 4))
    model.compile("adam", "mse")
    model.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert json.loads(archive.read("config.json"))["compile_config"]
    loaded = keras.models.load_model(tmp_path / "a.keras")
    np.testing.assert_allclose(loaded.score(*IMAGES), model.score(*IMAGES), atol=1e-6)
    assert getattr(loaded, "optimizer", None) is None
    loaded.compile("sgd", "mse")
    loaded.fit((IMAGES[0].astype("f4"), IMAGES[1].astype("f4")), np.ones(5), verbose=0)


@pytest.mark.filterwarnings("ignore")
def test_a_model_inside_another_is_not_looked_over(drawn, tmp_path):
    """The file is then an ordinary Keras file with arbitrary contents."""
    inner = drawn(SiameseModel((8, 8, 1), "reference", 4))
    inputs = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    model = keras.Model(inputs, inner(inputs))
    model.save(tmp_path / "a.keras")
    loaded = keras.models.load_model(tmp_path / "a.keras")
    (found,) = [layer for layer in loaded.layers if isinstance(layer, SiameseModel)]
    np.testing.assert_allclose(found.score(*IMAGES), inner.score(*IMAGES), atol=1e-6)


def test_a_folder_or_another_format_is_refused(small, path, tmp_path):
    """Keras 3 reads an unpacked archive; both versions read models from `.h5`."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "folder")
        outer = archive.read("config.json")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["model_config"] = outer
        file.create_group("model_weights")
    for name in ("folder", "a.h5"):
        with pytest.raises((ValueError, OSError)):
            keras.models.load_model(tmp_path / name)


def test_the_error_names_our_loader(path, tmp_path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("extra", "")
    with pytest.raises(ModelFileError, match="must contain exactly.*siamese_tf.load_model"):
        keras.models.load_model(path)
    with pytest.raises(ModelFileError, match="must contain exactly"):
        load_model(path)


SECRET = np.full(3, 123.25, np.float32)


def external_storage(group, name, folder):
    (folder / "secret.bin").write_bytes(SECRET.tobytes())
    group.create_dataset(name, SECRET.shape, np.float32, external=[(str(folder / "secret.bin"), 0, SECRET.nbytes)])


def external_link(group, name, folder):
    with h5py.File(folder / "secret.h5", "w") as file:
        file["x"] = SECRET
    group[name] = h5py.ExternalLink(str(folder / "secret.h5"), "x")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("lead_out", [external_storage, external_link])
def test_load_weights_reads_no_other_file(drawn, tmp_path, lead_out):
    """Keras 3 rejects such files itself."""
    model = drawn(SiameseModel((8, 8, 1), "reference", len(SECRET)))
    model.save_weights(tmp_path / "a.weights.h5")
    with h5py.File(tmp_path / "a.weights.h5", "a") as file:
        found = []
        file.visit(lambda name: found.append(name) if name.endswith("tower.02.bias") else None)
        group, name = found[0].rsplit("/", 1)
        del file[found[0]]
        lead_out(file[group], name, tmp_path)
    copy = SiameseModel.from_config(model.get_config())
    with pytest.raises(ValueError, match=r"not a plain|[Nn]ot allowed"):
        copy.load_weights(tmp_path / "a.weights.h5")
    assert not np.isin(copy.tower.get_weights()[-1], SECRET).any()


@pytest.mark.filterwarnings("ignore")
def test_weights_that_are_pickled_are_refused_beside_a_model_inside_another(drawn, tmp_path):
    inputs = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    keras.Model(inputs, drawn(SiameseModel((8, 8, 1), "reference", 4))(inputs)).save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive, zipfile.ZipFile(tmp_path / "b.keras", "w") as changed:
        for name in archive.namelist():
            changed.writestr(name.replace(".h5", ".npz"), archive.read(name))
    with pytest.raises((ModelFileError, ValueError), match="must be HDF5|npz"):
        keras.models.load_model(tmp_path / "b.keras")
