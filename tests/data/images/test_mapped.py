"""Pages of memory-mapped images."""

from pathlib import Path

import numpy as np
import pytest

from siamese_tf.data.images.mapped import release_pages

pytestmark = pytest.mark.unit

IMAGES = np.arange(4096 * 64, dtype=np.uint32).view(np.uint8).reshape(64, 64, 64, 4)  # 1 MiB


SMAPS = Path("/proc/self/smaps")


def resident_bytes(path: Path) -> int:
    """Returns the memory of this process that maps the file."""
    lines = iter(SMAPS.read_text().splitlines())
    for line in lines:
        if line.endswith(str(path)):
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss:"))
    raise AssertionError(f"{path} is not mapped")


@pytest.mark.skipif(not SMAPS.exists(), reason="memory of mapped files is only known on Linux")
@pytest.mark.parametrize("view", [lambda images: images, lambda images: images[3:].reshape(-1, 64, 64, 1)])
def test_pages_of_a_mapped_file_are_released_and_can_be_read_again(tmp_path, view):
    np.save(tmp_path / "images.npy", IMAGES)
    images = np.lib.format.open_memmap(tmp_path / "images.npy", mode="r")
    np.testing.assert_array_equal(images, IMAGES)
    assert resident_bytes(tmp_path / "images.npy") >= IMAGES.nbytes
    release_pages(view(images))
    assert resident_bytes(tmp_path / "images.npy") == 0
    np.testing.assert_array_equal(images, IMAGES)


@pytest.mark.parametrize("mode", ["r+", "c"])
def test_changes_of_a_writable_array_are_kept(tmp_path, mode):
    np.save(tmp_path / "images.npy", IMAGES)
    images = np.load(tmp_path / "images.npy", mmap_mode=mode)
    images[5] = 7
    release_pages(images)
    assert (images[5] == 7).all()
    np.testing.assert_array_equal(images[:5], IMAGES[:5])


@pytest.mark.parametrize("images", [IMAGES, IMAGES[:0], np.frombuffer(b"abcd", np.uint8)])
def test_arrays_in_memory_stay_as_they_are(images):
    before = images.copy()
    release_pages(images)
    np.testing.assert_array_equal(images, before)
