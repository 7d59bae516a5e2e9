import errno
import os
import stat

import numpy as np
import pytest

from siamese_tf.data.images.cache_folder import BLOCK_BYTES, cache_folder, in_cache, scratch_images
from siamese_tf.errors import SiameseError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def refuses(number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    return refuse


def test_location_of_the_cache(cache, monkeypatch, tmp_path):
    assert cache_folder() == cache
    monkeypatch.setenv("SIAMESE_TF_CACHE", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "siamese_tf"


def test_the_cache_is_readable_only_by_its_owner(cache):
    for _ in range(2):
        with in_cache(0) as folder:
            assert folder == cache
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_an_error_with_the_size_needed(cache, number):
    with pytest.raises(SiameseError) as caught, in_cache(12_345):
        refuses(number)()
    assert str(caught.value) == (
        f"the cache {cache} must have room for 12,345 bytes of decoded images; got {os.strerror(number)}. Free this"
        " much space, or set SIAMESE_TF_CACHE to a folder on a larger disk"
    )


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_read_only_folder_is_an_error(cache, monkeypatch, number):
    message = (
        f"the cache {cache} must be a writable folder; got {os.strerror(number)}. Check its permissions, or set"
        " SIAMESE_TF_CACHE to another folder"
    )
    with pytest.raises(SiameseError) as caught, in_cache(1):
        refuses(number)()
    assert str(caught.value) == message
    monkeypatch.setattr(os, "mkdir", refuses(number))
    cache.rmdir()
    with pytest.raises(SiameseError) as caught:
        scratch_images((1, 2, 2, 1))
    assert str(caught.value) == message


def test_a_file_in_place_of_the_folder_is_an_error(cache):
    cache.write_text("it is none")
    with pytest.raises(SiameseError, match="must be a writable folder; got File exists"):
        scratch_images((1, 2, 2, 1))


@pytest.mark.parametrize("system", ["linux", "macos"])
def test_scratch_images_are_fully_reserved_and_unnamed(cache, monkeypatch, system):
    if system == "macos":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    found, mapped = [], np.memmap

    def look(file, *args, **kwargs):
        found.append(os.fstat(file.fileno()))
        return mapped(file, *args, **kwargs)

    monkeypatch.setattr(np, "memmap", look)
    shape = (3, BLOCK_BYTES // 2, 1, 1)  # a block and a half
    rows = scratch_images(shape)
    assert (rows.shape, rows.dtype, rows.any()) == (shape, np.uint8, False)
    rows[2] = 7
    assert rows[2].min() == 7
    assert found[0].st_size == rows.size
    assert found[0].st_blocks * 512 >= rows.size  # no holes
    assert not [*cache.iterdir()]


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system has no such call")
def test_disk_space_is_reserved_before_scratch_images_are_mapped(cache, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", refuses(errno.ENOSPC))
    monkeypatch.setattr(np, "memmap", lambda *_, **__: pytest.fail("it was mapped"))
    with pytest.raises(SiameseError, match="must have room for 24 bytes"):
        scratch_images((2, 3, 4, 1))
    assert not [*cache.iterdir()]
