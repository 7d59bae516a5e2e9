import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from siamese_tf.data.images.perceptual import (
    DETAIL,
    ORIENTATIONS,
    SIDE,
    correlation,
    describe_image,
    descriptor_of,
    orient_descriptors,
    orient_pixels,
    window_pixels,
)


def smooth(seed: int = 0) -> np.ndarray:
    """Returns a smooth random picture, (32, 32, 3) uint8."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8))
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def test_the_descriptor_is_the_low_frequencies_of_the_gray_levels():
    pixels = smooth()
    low = dctn(pixels @ np.array([0.299, 0.587, 0.114]), norm="ortho")[:8, :8].ravel()[1:]
    descriptor = descriptor_of(pixels)
    assert (descriptor.shape, descriptor.dtype) == ((63,), np.float32)
    np.testing.assert_allclose(descriptor, low / np.linalg.norm(low), atol=1e-5)


@pytest.mark.parametrize(("turns", "mirrored"), ORIENTATIONS)
def test_oriented_descriptors_are_those_of_oriented_pixels(turns, mirrored):
    pictures = [smooth(seed) for seed in range(3)]
    expected = np.stack([descriptor_of(np.ascontiguousarray(orient_pixels(one, turns, mirrored))) for one in pictures])
    found = orient_descriptors(np.stack([descriptor_of(one) for one in pictures]), turns, mirrored)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_eight_orientations_are_different():
    pixels = smooth()
    assert len({orient_pixels(pixels, *orientation).tobytes() for orientation in ORIENTATIONS}) == 8


def test_quarter_turns_by_hand():
    pixels = np.arange(4).reshape(2, 2, 1)
    assert orient_pixels(pixels, 1, False)[:, :, 0].tolist() == [[1, 3], [0, 2]]
    assert orient_pixels(pixels, 0, True)[:, :, 0].tolist() == [[1, 0], [3, 2]]
    assert orient_pixels(pixels, 1, True)[:, :, 0].tolist() == [[0, 2], [1, 3]]


@pytest.mark.parametrize("level", [0, 255])
def test_an_image_without_contrast_has_no_descriptor(level):
    pixels = np.full((SIDE, SIDE, 3), level, np.uint8)
    assert not descriptor_of(pixels).any()
    assert correlation(pixels, smooth()) == 0.0


def test_correlations():
    pixels = smooth()
    assert correlation(pixels, pixels) == pytest.approx(1.0)
    assert correlation(pixels, 255 - pixels) == pytest.approx(-1.0)
    assert abs(correlation(pixels, smooth(1))) < 0.6


@pytest.mark.parametrize(("mode", "size"), [("RGB", (200, 90)), ("L", (1, 1)), ("RGBA", (31, 33)), ("P", (40, 500))])
def test_any_image_is_described(tmp_path, mode, size):
    Image.new(mode, size, 0).save(tmp_path / "a.png")
    described = describe_image(tmp_path / "a.png")
    assert (described.pixels.shape, described.pixels.dtype, described.size) == ((SIDE, SIDE, 3), np.uint8, size)
    assert (described.detail.shape, described.detail.dtype) == ((DETAIL, DETAIL, 3), np.uint8)


def test_a_window_is_a_part_of_the_image():
    rows, columns = np.mgrid[:DETAIL, :DETAIL]
    detail = np.stack([4 * rows, 4 * columns, 0 * rows], axis=2).astype(np.uint8)
    window = window_pixels(detail, (0.5, 0.25, 0.5, 0.5))
    np.testing.assert_allclose(window[:, :, 0], 4 * (DETAIL // 4 + np.arange(SIDE))[:, np.newaxis] + np.zeros(SIDE))
    np.testing.assert_allclose(window[0, :, 1], 4 * (DETAIL // 2 + np.arange(SIDE)))
