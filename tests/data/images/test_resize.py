import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images.format import RESIZES
from siamese_tf.data.images.resize import center_strokes, resize_image
from siamese_tf.errors import ImageError


def resized(values, height, width, how):
    return np.asarray(resize_image(Image.fromarray(np.array(values, np.uint8)), height, width, how))


WIDE = [[0, 50, 100, 150]] * 2  # 2 high, 4 wide


def test_by_hand():
    """2x4 to 2x2: pad halves it to 1x2 and puts a black row below; crop cuts the middle; stretch halves the width.

    Halving is a triangle of two source pixels to either side: weights 1/8, 3/8, 3/8, 1/8, at the border 3/7, 3/7, 1/7.
    """
    halved = [round((3 * 0 + 3 * 50 + 100) / 7), round((50 + 3 * 100 + 3 * 150) / 7)]
    assert resized(WIDE, 2, 2, "pad").tolist() == [halved, [0, 0]]
    assert resized(WIDE, 2, 2, "crop").tolist() == [[50, 100]] * 2
    assert resized(WIDE, 2, 2, "stretch").tolist() == [halved] * 2


@pytest.mark.parametrize("how", RESIZES)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_image_of_the_requested_size_is_unchanged(how, mode):
    image = Image.effect_noise((9, 6), 50).convert(mode)
    assert resize_image(image, 6, 9, how) is image


@pytest.mark.parametrize("how", RESIZES)
@pytest.mark.parametrize("size", [(1, 1), (1, 1000), (1000, 1), (3, 5), (64, 48)])
@pytest.mark.parametrize("target", [(1, 1), (8, 8), (5, 12)])
def test_a_uniform_image_stays_uniform(how, size, target):
    found = resized(np.full(size, 200), *target, how)
    assert found.shape == target
    assert set(np.unique(found)) <= ({200, 0} if how == "pad" else {200})
    assert (found == 200).any()


def test_crop_cuts_both_sides_equally():
    values = np.zeros((4, 12), np.uint8)
    values[:, :4], values[:, 4:8], values[:, 8:] = 10, 20, 30
    assert (resized(values, 4, 4, "crop") == 20).all()
    assert (resized(values.T, 4, 4, "crop") == 20).all()


def test_an_unknown_resize_mode_is_refused():
    with pytest.raises(ImageError, match="resize must be one of pad, crop, stretch; got 'fill'"):
        resized(WIDE, 2, 2, "fill")


@pytest.mark.parametrize("how", RESIZES)
@pytest.mark.parametrize(("height", "width"), [(0, 2), (2, 0), (-1, 2)])
def test_a_side_below_1_is_refused(how, height, width):
    with pytest.raises(ImageError, match=f"height and width must be 1 or more; got {height} x {width} pixels"):
        resized(WIDE, height, width, how)


def strokes(height, width, box, mode="L"):
    """White strokes that fill a box (left, top, right, bottom) of a black image."""
    image = Image.new(mode, (width, height))
    image.paste("white", box)
    return image


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_strokes_are_cropped_scaled_to_eighty_percent_and_centered(mode):
    """A box of 30 x 12 becomes 24 x 10 on a canvas of 40 x 30: 80% of the shorter side."""
    centered = center_strokes(strokes(100, 80, (7, 50, 37, 62), mode), 30, 40)
    assert (centered.size, centered.mode) == ((40, 30), mode)
    assert centered.getbbox() == (8, 10, 32, 20)
    assert centered.getpixel((20, 15)) == (255 if mode == "L" else (255, 255, 255))


def test_strokes_are_enlarged_too_and_position_does_not_matter():
    small, moved = (strokes(64, 64, box) for box in ((1, 2, 6, 12), (40, 50, 45, 60)))
    assert center_strokes(small, 20, 20).tobytes() == center_strokes(moved, 20, 20).tobytes()
    assert center_strokes(small, 20, 20).getbbox() == (6, 2, 14, 18)


def test_an_image_without_strokes_is_unchanged():
    dark = Image.new("L", (9, 7), 127)
    assert center_strokes(dark, 5, 5) is dark


def test_a_line_of_one_pixel_keeps_one_pixel():
    assert center_strokes(strokes(100, 100, (10, 50, 90, 51)), 10, 10).getbbox() == (1, 4, 9, 5)
