import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images.perceptual import DETAIL, correlation, describe_pixels, window_pixels
from siamese_tf.inference import crops
from siamese_tf.inference.crops import MIN_CORRELATION, cropped_pictures, fit_window


def photo(seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8))
    return small.resize((400, 400), Image.Resampling.BICUBIC)


def describe(image: Image.Image):
    detail = np.asarray(image.resize((DETAIL, DETAIL), Image.Resampling.BOX))
    return describe_pixels(detail, image.size)


CROPS = [(40, 0, 400, 360), (20, 20, 380, 380), (0, 0, 360, 400), (31, 12, 390, 355)]


@pytest.mark.parametrize("box", CROPS)
@pytest.mark.parametrize("order", [1, -1])
def test_a_crop_is_found_in_any_order(box, order):
    images = [describe(photo()), describe(photo().crop(box))][::order]
    (pair,) = cropped_pictures(images)
    assert (pair.first, pair.second, pair.kind) == (0, 1, "cropped")
    assert MIN_CORRELATION <= pair.score <= 1.0


@pytest.mark.parametrize("block", [1, 100])
def test_only_crops_are_found_among_other_pictures(monkeypatch, block):
    monkeypatch.setattr(crops, "BLOCK", block)
    images = [describe(photo(seed)) for seed in range(8)] + [describe(photo(3).crop(CROPS[0]))]
    assert [(pair.first, pair.second) for pair in cropped_pictures(images)] == [(3, 8)]


def test_a_small_part_another_color_and_no_contrast_are_no_crops():
    brighter = Image.fromarray((np.asarray(photo()).astype(int) // 2 + 120).astype(np.uint8))
    gray = Image.new("RGB", (400, 400), "gray")
    images = [photo(), photo().crop((0, 0, 200, 200)), brighter.crop(CROPS[0]), gray, gray]
    assert list(cropped_pictures([describe(image) for image in images])) == []


def test_a_window_moves_to_where_the_crop_was():
    whole, crop = describe(photo()), describe(photo().crop((31, 12, 390, 355)))
    first = max(crops.WINDOWS, key=lambda window: correlation(window_pixels(whole.detail, window), crop.pixels))
    fitted = fit_window(whole.detail, crop.pixels, first)
    assert correlation(window_pixels(whole.detail, first), crop.pixels) < 0.95 < 0.98 < fitted


def test_a_stretched_image_is_no_crop_of_itself():
    whole = describe(photo())
    assert all(fit_window(whole.detail, whole.pixels, window) is None for window in crops.WINDOWS)


def test_windows_stay_inside_the_image():
    for window in (*crops.WINDOWS, (0.0, 0.0, 1.0, 1.0), (0.3, 0.3, 0.7, 0.7)):
        for left, top, width, height in crops._neighbors(window, 0.025):
            assert min(left, top) >= 0
            assert max(left + width, top + height) <= 1 + 1e-9
            assert min(width, height) >= crops.MIN_SIZE - 1e-9
