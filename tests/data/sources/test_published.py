import gzip
import hashlib
import os
import struct
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from siamese_tf.data.sources import published as known
from siamese_tf.data.sources.idx import idx_sha256
from siamese_tf.data.sources.idx_folder import PARTS, read_idx_folder
from siamese_tf.data.sources.load import load_source
from siamese_tf.data.sources.published import PUBLISHED, DatasetNotFoundError, PublishedDataset, load_published
from siamese_tf.errors import DatasetError

REAL = Path(os.environ.get("SIAMESE_TF_DATA") or "absent")
SMALL = {
    "train-images-idx3-ubyte": np.arange(24, dtype=np.uint8).reshape(4, 2, 3),
    "train-labels-idx1-ubyte": np.array([1, 0, 1, 0], np.uint8),
    "t10k-images-idx3-ubyte": np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
    "t10k-labels-idx1-ubyte": np.array([0, 1], np.uint8),
}


def idx_bytes(values):
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def fill(folder, parts=PARTS):
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        (folder / f"{part}.gz").write_bytes(gzip.compress(idx_bytes(SMALL[part])))
    return folder


def npz_bytes(tmp_path):
    path = tmp_path / "written.npz"
    x_train, y_train, x_test, y_test = SMALL.values()
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path.read_bytes()


def assert_small(loaded, where):
    parts, origin = loaded
    assert origin == str(where)
    assert tuple(parts) == PARTS
    for part in PARTS:
        np.testing.assert_array_equal(parts[part], SMALL[part])


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Simulates a machine without data sets and network; both published data sets are the small one."""
    sha256 = {part: idx_sha256(values) for part, values in SMALL.items()}
    npz_sha256 = hashlib.sha256(npz_bytes(tmp_path)).hexdigest()
    monkeypatch.setitem(PUBLISHED, "mnist", PublishedDataset(("zero", "one"), sha256, npz_sha256))
    monkeypatch.setitem(PUBLISHED, "fashion-mnist", PublishedDataset(("shirt", "shoe"), sha256, None))
    monkeypatch.setenv("SIAMESE_TF_DATA", str(tmp_path / "environment"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(known, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setattr("siamese_tf.data.sources.download.urlopen", no_network)
    return tmp_path


def no_network(url, timeout):
    raise URLError("no network in this test")


@pytest.fixture
def site(place, monkeypatch):
    """Simulates the network: serves the files of a folder; returns the list of requested URLs."""
    folder = fill(place / "site")
    (folder / "mnist.npz").write_bytes(npz_bytes(place))
    asked = []

    def answer(url, timeout):
        address, name = url.rsplit("/", 1)
        assert address == "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
        assert timeout == 10
        asked.append(name)
        return (folder / name).open("rb")

    monkeypatch.setattr("siamese_tf.data.sources.download.urlopen", answer)
    return asked


def test_the_search_order(place, site):
    """Folders are filled from last to first; each takes precedence over those filled before."""
    cached = place / "keras" / "datasets" / "fashion-mnist"
    assert_small(load_published("fashion-mnist"), cached)
    assert site == [f"{part}.gz" for part in PARTS]
    assert_small(load_published("fashion-mnist"), cached)
    assert len(site) == 4
    debian = fill(place / "debian" / "fashion-mnist")
    assert_small(load_published("fashion-mnist"), debian)
    environment = fill(place / "environment" / "fashion-mnist")
    assert_small(load_published("fashion-mnist"), environment)
    given = fill(place / "given" / "fashion-mnist")
    assert_small(load_published("fashion-mnist", place / "given"), given)
    assert_small(load_published("fashion-mnist", str(place / "given")), given)


def test_mnist_is_downloaded_once_as_npz(place, site):
    cached = place / "keras" / "datasets" / "mnist.npz"
    assert_small(load_published("mnist"), cached)
    assert_small(load_published("mnist"), cached)
    assert site == ["mnist.npz"]


def test_only_missing_files_are_downloaded(place, site):
    cached = fill(place / "keras" / "datasets" / "fashion-mnist", PARTS[:3])
    assert_small(load_published("fashion-mnist"), cached)
    assert site == [f"{PARTS[3]}.gz"]


def test_without_keras_home_the_cache_is_below_home(place, site, monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(place / "home"))
    assert_small(load_published("mnist"), place / "home" / ".keras" / "datasets" / "mnist.npz")


@pytest.mark.parametrize("value", [None, ""])
def test_environment_not_set(place, monkeypatch, value):
    monkeypatch.delenv("SIAMESE_TF_DATA")
    if value is not None:
        monkeypatch.setenv("SIAMESE_TF_DATA", value)
    debian = fill(place / "debian" / "mnist")
    assert_small(load_published("mnist"), debian)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_not_found_and_no_network(place, name):
    with pytest.raises(DatasetNotFoundError) as caught:
        load_published(name)
    message = str(caught.value)
    for folder in ("environment", "debian", "keras"):
        assert str(place / folder) in message
    for word in (name, "no network in this test", "Set SIAMESE_TF_DATA", "--dataset digits"):
        assert word in message
    assert "\n" not in message
    assert message.startswith(caught.value.why)
    assert "--dataset" not in caught.value.why


def test_a_given_folder_without_the_data_set_is_an_error(place, site):
    fill(place / "environment" / "mnist")
    (place / "given").mkdir(exist_ok=True)
    with pytest.raises(DatasetNotFoundError, match=r"given.mnist must be a folder with train-images.* Set data_dir"):
        load_published("mnist", place / "given")
    assert site == []


def test_a_missing_data_dir_is_an_error_for_auto_too(place, site):
    for load in (lambda: load_published("mnist", place / "typo"), lambda: load_source("auto", place / "typo")):
        with pytest.raises(
            DatasetError, match=r"data_dir must be a folder with a subfolder mnist; got .*typo, which is not a folder"
        ):
            load()
    assert site == []


@pytest.mark.parametrize("where", ["given", "environment", "debian"])
def test_a_folder_with_some_of_the_files_is_an_error(place, site, where):
    fill(place / where / "mnist", PARTS[:3])
    with pytest.raises(DatasetError, match=r"got no t10k-labels-idx1-ubyte") as caught:
        load_published("mnist", place / "given" if where == "given" else None)
    assert not isinstance(caught.value, DatasetNotFoundError)


@pytest.mark.parametrize("where", ["environment", "debian", "keras/datasets"])
def test_a_corrupt_copy_is_not_skipped(place, site, where):
    folder = fill(place / where / "fashion-mnist")
    wrong = gzip.compress(idx_bytes(SMALL[PARTS[1]] + 1))
    (folder / f"{PARTS[1]}.gz").write_bytes(wrong)
    with pytest.raises(DatasetError, match=rf"{PARTS[1]}.gz: must be the published file") as caught:
        load_published("fashion-mnist")
    assert not isinstance(caught.value, DatasetNotFoundError)


def test_a_corrupt_npz_is_not_skipped(place, site):
    cached = place / "keras" / "datasets" / "mnist.npz"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"not what Keras put here")
    with pytest.raises(DatasetError, match=r"mnist.npz: SHA-256 must be .*; got .*\. Remove the file") as caught:
        load_published("mnist")
    assert not isinstance(caught.value, DatasetNotFoundError)


def test_a_fifo_in_place_of_the_npz_does_not_block(place):
    (place / "keras" / "datasets").mkdir(parents=True)
    os.mkfifo(place / "keras" / "datasets" / "mnist.npz")
    with pytest.raises(DatasetError, match=r"mnist\.npz: must be a readable file; got Not a regular file"):
        load_published("mnist")


def test_a_download_of_other_content_is_not_found(place, monkeypatch):
    (place / "portal").write_bytes(b"<html>Please log in</html>")
    monkeypatch.setattr("siamese_tf.data.sources.download.urlopen", lambda url, timeout: (place / "portal").open("rb"))
    with pytest.raises(DatasetNotFoundError, match="failed: SHA-256 must be "):
        load_published("mnist")
    assert not (place / "keras" / "datasets" / "mnist.npz").exists()


def test_the_published_data_sets_are_described_completely():
    for published in PUBLISHED.values():
        assert tuple(published.sha256) == PARTS
        assert len(published.class_names) == len(set(published.class_names)) == 10
        pins = [*published.sha256.values(), published.npz_sha256 or "0" * 64]
        assert all(len(bytes.fromhex(pin)) == 32 for pin in pins)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_files(name):
    if not (REAL / name).is_dir():
        pytest.skip(f"$SIAMESE_TF_DATA holds no {name}")
    read = read_idx_folder(REAL / name, PUBLISHED[name].sha256)
    assert [values.shape for values in read.values()] == [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    assert np.bincount(read["t10k-labels-idx1-ubyte"]).min() > 800
