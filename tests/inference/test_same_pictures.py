import itertools

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images.perceptual import DETAIL, ORIENTATIONS, describe_pixels, orient_pixels
from siamese_tf.inference import same_pictures as module
from siamese_tf.inference.same_pictures import same_pictures


def detail(seed: int) -> np.ndarray:
    """Returns a smooth random picture, (64, 64, 3) uint8."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    return np.asarray(small.resize((DETAIL, DETAIL), Image.Resampling.BICUBIC))


def describe(pixels: np.ndarray, size: tuple[int, int] = (100, 100)):
    return describe_pixels(np.ascontiguousarray(pixels), size)


@pytest.mark.parametrize("block", [1, 3, 100])
def test_all_pairs_are_compared_in_blocks_of_any_size(monkeypatch, block):
    monkeypatch.setattr(module, "BLOCK", block)
    images = [describe(orient_pixels(detail(n % 4), n % 4, n % 2 == 1)) for n in range(11)]
    expected = [(i, j) for i, j in itertools.combinations(range(11), 2) if i % 4 == j % 4]
    assert [(pair.first, pair.second) for pair in same_pictures(images)] == expected


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_orientation_turns_the_second_into_the_first(orientation):
    turned = orient_pixels(detail(0), *orientation)
    (pair,) = same_pictures([describe(turned), describe(detail(0))])
    assert ((pair.turns, pair.mirrored), pair.kind) == (orientation, "same picture")
    assert pair.score == pytest.approx(1.0, abs=1e-3)


def test_proportions_must_agree_in_the_orientation_that_fits():
    pixels, turned = detail(0), orient_pixels(detail(0), 1, False)
    for first, second, sizes, count in [
        (pixels, pixels, ((200, 100), (100, 50)), 1),
        (pixels, pixels, ((200, 100), (100, 100)), 0),
        (pixels, pixels, ((200, 100), (50, 100)), 0),
        (pixels, turned, ((200, 100), (50, 100)), 1),
    ]:
        images = [describe(first, sizes[0]), describe(second, sizes[1])]
        assert len(list(same_pictures(images))) == count


def test_other_colors_and_no_contrast_are_other_pictures():
    darker = (detail(0).astype(int) * 3 // 4).astype(np.uint8)
    images = [detail(0), darker, detail(0)[:, :, ::-1], np.zeros_like(darker), np.zeros_like(darker)]
    assert list(same_pictures([describe(pixels) for pixels in images])) == []
