import hashlib
import json
import os
import time

import numpy as np
import pytest
from fuzzing import damaged

from siamese_tf.data.images import store as image_store
from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.images.store import (
    INDEX,
    Entry,
    file_stamp,
    read_store,
    remove_leftovers,
    write_images,
    write_index,
)

FORM = ImageFormat((3, 2), "grey", "crop")
IMAGES = np.arange(30, dtype=np.uint8).reshape(5, 3, 2, 1)


@pytest.fixture
def folder(tmp_path):
    """Writes a store of five images and one unreadable file."""
    entries = {f"{k}.png": Entry([k, k, k], f"{k}" * 64, (3, 2, 1)) for k in range(5)}
    entries["bad.png"] = Entry(None, error="a path that does not exist")
    write_images(tmp_path / "images-1.npy", iter(IMAGES), FORM)
    write_index(tmp_path, FORM, tmp_path / "images-1.npy", entries)
    return tmp_path


def test_round_trip(folder):
    store = read_store(folder)
    assert store is not None
    assert (store.image_format, store.file) == (FORM, folder / "images-1.npy")
    assert isinstance(store.images, np.memmap)
    assert not store.images.flags.writeable
    np.testing.assert_array_equal(store.images, IMAGES)
    assert store.entries["3.png"] == Entry([3, 3, 3], "3" * 64, (3, 2, 1))
    assert store.entries["bad.png"].error == "a path that does not exist"
    assert [*store.readable] == [f"{k}.png" for k in range(5)]


@pytest.mark.parametrize("count", [0, 1, 5, 1234])
def test_numpy_reads_an_array_of_any_length(tmp_path, count):
    images = np.random.default_rng(0).integers(0, 256, (count, 3, 2, 1), np.uint8)
    write_images(tmp_path / "a.npy", iter(images), FORM)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), images)


def test_a_store_without_readable_images(tmp_path):
    write_images(tmp_path / "a.npy", iter([]), FORM)
    write_index(tmp_path, FORM, tmp_path / "a.npy", {"bad.png": Entry(None, error="empty")})
    store = read_store(tmp_path)
    assert store is not None
    assert store.images.shape == (0, 3, 2, 1)


def test_an_interrupted_array_leaves_no_file(tmp_path):
    def images():
        yield IMAGES[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_images(tmp_path / "a.npy", images(), FORM)
    assert not list(tmp_path.iterdir())


def test_a_missing_store_is_none(tmp_path):
    assert read_store(tmp_path) is None
    assert read_store(tmp_path / "absent") is None


def longer(folder):
    with open(folder / "images-1.npy", "ab") as file:
        file.write(b"\0")


def shorter(folder):
    os.truncate(folder / "images-1.npy", 130)


def rewritten(folder):
    (folder / "images-1.npy").write_bytes((folder / "images-1.npy").read_bytes())
    os.utime(folder / "images-1.npy", ns=(1, 1))


@pytest.mark.parametrize("damage", [longer, shorter, rewritten, lambda folder: (folder / "images-1.npy").unlink()])
def test_a_damaged_array_is_none(folder, damage):
    damage(folder)
    assert read_store(folder) is None


def write_index_text(folder, text):
    """Writes an index with a valid digest."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    (folder / INDEX).write_text(f'{{"sha256": "{digest}", "index": {text}}}')


def index_of(folder):
    return json.loads((folder / INDEX).read_text())["index"]


TEXTS = ["", "{", "[]", "null", "{}", '{"schema": 2}', "\0", "12", "[" * 100_000]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("write", [write_index_text, lambda folder, text: (folder / INDEX).write_text(text)])
def test_a_damaged_index_is_none(folder, text, write):
    write(folder, text)
    assert read_store(folder) is None


def test_an_index_that_is_not_a_file_is_none(folder):
    (folder / INDEX).unlink()
    os.mkfifo(folder / INDEX)
    assert read_store(folder) is None


def test_an_index_with_a_wrong_digest_is_none(folder):
    """A changed digit of a checksum or stamp could pass for an image that was decoded before."""
    text = (folder / INDEX).read_text()
    (folder / INDEX).write_text(text.replace('"1.png": [[1, 1, 1]', '"1.png": [[1, 1, 3]'))
    assert (folder / INDEX).read_text() != text
    assert read_store(folder) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": 1},
        {"pillow": "1.0"},
        {"images": "../images-1.npy/nowhere"},
        {"form": {"size": [2, 3], "color": "grey", "resize": "pad"}},
        {"form": {"size": None, "color": "grey", "resize": "pad"}},
        {"form": {"size": [3, 2], "color": "mauve", "resize": "pad"}},
        {"files": {}},
        {"files": {"a.png": [1, 2]}},
        {"files": []},
    ],
)
def test_an_invalid_index_with_a_valid_digest_is_none(folder, wrong):
    index = index_of(folder)
    write_index_text(folder, json.dumps(index))
    assert read_store(folder) is not None
    write_index_text(folder, json.dumps({**index, **wrong}))
    assert read_store(folder) is None


def test_a_store_of_an_earlier_release_is_none(folder):
    (folder / INDEX).write_text(json.dumps({**index_of(folder), "schema": 1}))
    assert read_store(folder) is None


@pytest.mark.parametrize("cases", [150, pytest.param(2_000, marks=pytest.mark.slow)])
def test_a_damaged_index_is_none_or_unchanged(folder, cases):
    right, whole = read_store(folder), (folder / INDEX).read_bytes()
    assert right is not None
    for content in damaged(whole, cases):
        (folder / INDEX).write_bytes(content)
        store = read_store(folder)
        assert store is None or (store.image_format, store.entries) == (right.image_format, right.entries)


def test_a_damaged_index_with_a_valid_digest_raises_nothing(folder):
    whole = json.dumps(index_of(folder)).encode()
    for content in damaged(whole, 150):
        write_index_text(folder, content.decode("latin-1"))
        read_store(folder)


def test_stamps_change_with_size_time_and_permissions(tmp_path):
    path = tmp_path / "a"
    assert file_stamp(path) is None
    assert file_stamp(tmp_path / "nul\0") is None
    path.write_bytes(b"1")
    seen = [file_stamp(path)]
    path.write_bytes(b"12")
    seen.append(file_stamp(path))
    os.utime(path, ns=(5, 5))
    seen.append(file_stamp(path))
    assert seen[0] != seen[1] != seen[2] != seen[0]
    assert file_stamp(path) == seen[2]


def test_leftovers_are_removed_after_a_day_and_temporaries_at_once(folder):
    names = (
        "images-2.npy",
        "images-old.npy",
        ".images-3.npy.x.tmp",
        ".images-4.npy.y.tmp",
        ".images-5.npy.killed_1.tmp",
    )
    for name in names:
        (folder / name).write_bytes(b"")
    aged = time.time() - image_store.STALE_SECONDS - 60
    os.utime(folder / ".images-3.npy.x.tmp", (aged, aged))
    os.utime(folder / "images-1.npy", (aged, aged))
    remove_leftovers(folder, folder / "images-1.npy", folder / "images-old.npy")
    assert {path.name for path in folder.iterdir()} == {"images-1.npy", "images-2.npy", INDEX, ".images-4.npy.y.tmp"}
