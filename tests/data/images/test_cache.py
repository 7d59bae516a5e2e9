import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images import cache as image_cache
from siamese_tf.data.images.cache import block_size, cached_images
from siamese_tf.data.images.decode import decoded, load_image
from siamese_tf.data.images.format import NATIVE_FORMAT, ImageFormat
from siamese_tf.data.images.source import NamedBytes
from siamese_tf.errors import ImageError, SiameseError

PICTURES = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def files(tmp_path):
    """Writes six gray images of one size."""
    (tmp_path / "pictures").mkdir()
    paths = {f"{k}.png": tmp_path / "pictures" / f"{k}.png" for k in range(len(PICTURES))}
    for path, picture in zip(paths.values(), PICTURES, strict=True):
        Image.fromarray(picture).save(path)
    return paths


@pytest.fixture
def decoded_names(monkeypatch):
    """Returns a list to which the name of each decoded file is appended."""
    names = []

    def spy(image, path):
        names.append(path.name)
        return decoded(image, path)

    monkeypatch.setattr(image_cache, "decoded", spy)
    return names


@pytest.fixture
def opened(monkeypatch):
    """Returns a list to which the name of each opened file is appended."""
    names = []

    class Spy(NamedBytes):
        def __init__(self, path, max_bytes):
            names.append(path.name)
            super().__init__(path, max_bytes)

    monkeypatch.setattr(image_cache, "NamedBytes", Spy)
    return names


@pytest.fixture
def read(tmp_path, files):
    return lambda image_format=NATIVE_FORMAT: cached_images(tmp_path / "pictures", files, image_format)


def test_images_in_the_order_of_the_files(read):
    found = read()
    assert found.image_format == ImageFormat((5, 4), "grey", "pad")
    np.testing.assert_array_equal(found.images[..., 0], PICTURES)
    assert [*found.sha256] == [f"{k}.png" for k in range(6)]
    assert (found.unreadable, found.resized) == ({}, 0)


def test_a_second_call_reads_only_the_cache(read, files, monkeypatch):
    first = read()
    for name in ("open_image", "map_in_threads"):
        monkeypatch.setattr(image_cache, name, lambda *_: pytest.fail("a file was opened"))
    second = read()
    assert isinstance(second.images, np.memmap)
    np.testing.assert_array_equal(second.images, first.images)
    assert (second.image_format, second.sha256) == (first.image_format, first.sha256)


def test_only_changed_files_are_decoded_again(read, files, decoded_names):
    read()
    assert sorted(decoded_names) == sorted(files)
    decoded_names.clear()
    Image.fromarray(255 - PICTURES[2]).save(files["2.png"])
    found = read()
    assert decoded_names == ["2.png"]
    np.testing.assert_array_equal(found.images[2, ..., 0], 255 - PICTURES[2])
    np.testing.assert_array_equal(found.images[[0, 1, 3, 4, 5], ..., 0], PICTURES[[0, 1, 3, 4, 5]])


def test_touched_moved_and_removed_files_are_not_decoded_again(read, files, decoded_names):
    read()
    decoded_names.clear()
    os.utime(files["0.png"])
    files["1.png"].rename(files["1.png"].with_name("one.png"))
    files["one.png"] = files.pop("1.png").with_name("one.png")
    files.pop("5.png")
    found = read()
    assert decoded_names == []
    assert [*found.sha256] == ["0.png", "2.png", "3.png", "4.png", "one.png"]
    np.testing.assert_array_equal(found.images[..., 0], PICTURES[[0, 2, 3, 4, 1]])


def test_a_change_with_an_earlier_time_is_detected(read, files):
    read()
    before = files["0.png"].stat()
    content = bytearray(files["0.png"].read_bytes())
    Image.fromarray(PICTURES[1]).save(files["0.png"])
    assert content != files["0.png"].read_bytes()
    os.utime(files["0.png"], ns=(before.st_atime_ns, before.st_mtime_ns))
    np.testing.assert_array_equal(read().images[0, ..., 0], PICTURES[1])


def test_each_image_format_has_its_own_cache(read, decoded_names):
    read()
    small = read(ImageFormat((3, 3), "rgb", "crop"))
    assert small.images.shape == (6, 3, 3, 3)
    assert small.resized == 6
    assert len(decoded_names) == 12
    assert read().images.shape == (6, 5, 4, 1)
    assert len(decoded_names) == 12


def test_each_image_equals_that_of_load_image(read, files):
    for resize in ("pad", "crop", "stretch"):
        found = read(ImageFormat((7, 9), "rgb", resize))
        for image, path in zip(found.images, files.values(), strict=True):
            np.testing.assert_array_equal(image, load_image(path, 7, 9, 3, resize))


def test_unreadable_files_are_listed_by_name(read, files, tmp_path):
    files["0.png"].write_text("text")
    files["3.png"].write_bytes(files["3.png"].read_bytes()[:-30])
    files["absent.png"] = tmp_path / "absent.png"
    for _ in range(2):
        found = read()
        assert [*found.unreadable] == ["0.png", "3.png", "absent.png"]
        assert found.unreadable["0.png"].startswith("must be one of PNG, JPEG")
        assert found.unreadable["absent.png"].startswith("must be an image file; got a path that does not exist")
        np.testing.assert_array_equal(found.images[..., 0], PICTURES[[1, 2, 4, 5]])
    Image.fromarray(PICTURES[0]).save(files["0.png"])
    assert [*read().unreadable] == ["3.png", "absent.png"]


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), OSError(5, "disk"), MemoryError()])
@pytest.mark.parametrize("reader", ["NamedBytes", "decoded"])
def test_a_transient_error_is_not_cached(read, monkeypatch, error, reader):
    """The file may be intact, so it is read again once the error is gone."""
    works = getattr(image_cache, reader)

    def fails(*args):
        path = args[0 if reader == "NamedBytes" else 1]
        if path.name == "2.png":
            raise ImageError(f"{path}: it failed") from error
        return works(*args)

    with monkeypatch.context() as patch:
        patch.setattr(image_cache, reader, fails)
        assert read().unreadable == {"2.png": "it failed"}
    found = read()
    assert found.unreadable == {}
    np.testing.assert_array_equal(found.images[..., 0], PICTURES)


def test_damage_is_cached(read, files, monkeypatch):
    files["3.png"].write_bytes(files["3.png"].read_bytes()[:-30])
    first = read()
    monkeypatch.setattr(image_cache, "_renew", lambda *_: pytest.fail("it was looked at again"))
    assert read().unreadable == first.unreadable


def test_the_cache_is_readable_only_by_its_owner(read, cache):
    read()
    assert cache.stat().st_mode & 0o777 == 0o700


def test_blocks_of_large_images_are_smaller():
    assert [block_size((side, side, 1), 256) for side in (1, 512, 1024, 2**14)] == [256, 256, 64, 1]


def test_a_damaged_file_does_not_decide_the_size(read, files):
    """The header of a JPEG is readable and declares another size, but its pixels are damaged."""
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    path = files["0.png"].with_suffix(".jpg")
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1500])
    files["bad.jpg"] = path
    found = read()
    assert [*found.unreadable] == ["bad.jpg"]
    assert found.image_format == ImageFormat((5, 4), "grey", "pad")
    np.testing.assert_array_equal(found.images[..., 0], PICTURES)


def test_no_file_can_be_read(read, files):
    for path in files.values():
        path.write_text("text")
    for _ in range(2):
        found = read()
        assert (len(found.images), len(found.unreadable)) == (0, 6)


def test_images_of_several_sizes(read, files):
    Image.fromarray(PICTURES[0, :3]).save(files["0.png"])
    found = read()
    assert found.image_format.size == (112, 112)
    assert found.resized == 6


def test_files_of_one_format_are_opened_once(read, opened):
    read()
    assert sorted(opened) == sorted(["0.png", *(f"{k}.png" for k in range(6))])  # the first one for the guess, too


@pytest.mark.parametrize("odd", ["0.png", "2.png", "5.png"])
@pytest.mark.parametrize("picture", [np.zeros((9, 7), np.uint8), np.full((5, 4, 3), 200, np.uint8)])
def test_a_wrong_guess_of_the_format_gives_the_same_images(read, files, opened, odd, picture):
    """The first file has another size or color than the others, or one of the others has."""
    Image.fromarray(picture).save(files[odd])
    found = read()
    assert len(opened) <= 2 * len(files) + 1
    shapes = [image.shape for image in map(np.asarray, map(Image.open, files.values()))]
    expected = NATIVE_FORMAT.resolved([(*shape[:2], 3 if len(shape) == 3 else 1) for shape in shapes])
    assert found.image_format == expected
    for image, path in zip(found.images, files.values(), strict=True):
        np.testing.assert_array_equal(image, load_image(path, *expected.shape))


@pytest.mark.parametrize("size", [(5, 4), (9, 7)])
def test_of_a_known_folder_only_new_files_are_opened(read, files, opened, tmp_path, size):
    """The format may be the common size, or the usual one of a folder with two sizes."""
    Image.fromarray(np.zeros(size, np.uint8)).save(files["3.png"])
    before = read()
    opened.clear()
    files["new.png"] = tmp_path / "pictures" / "new.png"
    Image.fromarray(PICTURES[0]).save(files["new.png"])
    found = read()
    assert opened == ["new.png"]
    assert found.image_format == before.image_format
    np.testing.assert_array_equal(found.images, [*before.images, before.images[0]])


def test_a_new_file_of_another_size_changes_the_format_of_all(read, files, tmp_path):
    assert read().image_format.size == (5, 4)
    files["new.png"] = tmp_path / "pictures" / "new.png"
    Image.fromarray(np.zeros((9, 7), np.uint8)).save(files["new.png"])
    found = read()
    assert found.images.shape == (7, *found.image_format.shape)
    assert found.image_format.size == (112, 112)
    np.testing.assert_array_equal(found.images[2], load_image(files["2.png"], 112, 112, 1))


def test_a_file_that_cannot_be_decoded_does_not_define_the_format(read, files):
    """Its header has another size; the pixels are missing."""
    Image.fromarray(np.zeros((300, 200), np.uint8)).save(files["0.png"])
    files["0.png"].write_bytes(files["0.png"].read_bytes()[:45])
    found = read()
    assert [*found.unreadable] == ["0.png"]
    assert found.image_format.size == (5, 4)
    np.testing.assert_array_equal(found.images[..., 0], PICTURES[1:])


def test_more_images_than_fit_in_a_block(read, monkeypatch):
    monkeypatch.setattr(image_cache, "AT_ONCE", 4)
    np.testing.assert_array_equal(read().images[..., 0], PICTURES)


@pytest.mark.parametrize("name", ["index.json", "images-*.npy"])
@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_a_damaged_cache_is_rebuilt(read, cache, name, damage):
    read()
    (path,) = cache.rglob(name)
    damage(path)
    np.testing.assert_array_equal(read().images[..., 0], PICTURES)
    assert len([*cache.rglob("images-*.npy")]) <= 2
    np.testing.assert_array_equal(read().images[..., 0], PICTURES)


def test_open_images_survive_their_replacement(read, files, cache):
    first = read()
    Image.fromarray(255 - PICTURES[0]).save(files["0.png"])
    read()
    np.testing.assert_array_equal(first.images[..., 0], PICTURES)
    assert len([*cache.rglob("images-*.npy")]) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_with_the_size_needed(read, cache, monkeypatch):
    def on_the_full_device(**kwargs):
        handle, name = make(**kwargs)
        os.dup2(full, handle)
        return handle, name

    full = os.open("/dev/full", os.O_RDWR)
    make = tempfile.mkstemp
    monkeypatch.setattr("siamese_tf.files.tempfile.mkstemp", on_the_full_device)
    with pytest.raises(
        SiameseError, match=f"{cache} must have room for 120 bytes of decoded images; got No space left"
    ):
        read()
    os.close(full)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_a_cache_that_cannot_be_created_is_an_error(read, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("it is none")
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        SiameseError, match="file/cache must be a writable folder; got Not a directory.*set SIAMESE_TF_CACHE"
    ):
        read()


PROCESS = """
import sys
from pathlib import Path
from siamese_tf.data.images.cache import cached_images
from siamese_tf.data.images.format import NATIVE_FORMAT
folder = Path(sys.argv[1])
files = {path.name: path for path in sorted(folder.iterdir())}
for _ in range(20):
    found = cached_images(folder, files, NATIVE_FORMAT)
    assert len(found.images) == len(files) and not found.unreadable
    assert [image.tobytes() for image in found.images] == [path.read_bytes()[-20:] for path in files.values()]
    if sys.argv[2] == "spoil":
        next((Path(sys.argv[3]) / "images").rglob("index.json")).write_text("{")
"""


def test_several_processes_at_once(tmp_path, cache):
    """Each process reads the images repeatedly, while one of them damages the index after every read."""
    folder = tmp_path / "pgm"
    folder.mkdir()
    for k in range(30):
        (folder / f"{k}.pgm").write_bytes(b"P5 4 5 255\n" + np.random.default_rng(k).bytes(20))
    kinds = ("read", "spoil", "read")
    started = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(folder), kind, str(cache)], stderr=subprocess.PIPE)
        for kind in kinds
    ]
    assert [(process.communicate()[1].decode(), process.returncode) for process in started] == [("", 0)] * 3


def test_a_kill_during_a_write_leaves_the_old_cache(read, files, cache, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    read()
    Image.fromarray(255 - PICTURES[0]).save(files["0.png"])
    with monkeypatch.context() as patch:
        patch.setattr(image_cache, "write_index", killed)
        with pytest.raises(KeyboardInterrupt):
            read()
    np.testing.assert_array_equal(read().images[0, ..., 0], 255 - PICTURES[0])
    np.testing.assert_array_equal(read().images[1:, ..., 0], PICTURES[1:])
