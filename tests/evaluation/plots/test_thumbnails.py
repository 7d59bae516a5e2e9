"""The image of thumbnails, by its pixels."""

import numpy as np
import pytest

from siamese_tf.evaluation.plots.thumbnails import FRAME, LAYER, THUMBNAIL, thumbnail_layer

HALF = THUMBNAIL // 2
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.5], [1.0, 0.5]])  # left below, right below, left and right above
FOUR = ["#FF0000", "#00FF00", "#0000FF", "#000000"]


def full(count, value=255, shape=(24, 24, 1), rim=0):
    images = np.full((count, *shape), value, np.uint8)
    images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1] = (rim,) * 4
    return images


def pixels(*arguments):
    layer, extent = thumbnail_layer(*arguments)
    return np.array(layer), extent


def test_every_image_is_at_its_position():
    drawn, (left, right, bottom, top) = pixels(CORNERS, full(4), FOUR)
    height, width, _ = drawn.shape
    assert (width, height) == (LAYER, (LAYER - THUMBNAIL) // 2 + THUMBNAIL)
    assert drawn[-HALF, HALF].tolist() == [255, 0, 0]
    assert drawn[-HALF, -HALF].tolist() == [0, 255, 0]
    assert drawn[HALF, HALF].tolist() == [0, 0, 255]
    assert drawn[HALF, -HALF].tolist() == [0, 0, 0]
    unit = 1 / (LAYER - THUMBNAIL)
    np.testing.assert_allclose([left, right], [-HALF * unit, 1 + HALF * unit])
    np.testing.assert_allclose([bottom, top], [-HALF * unit, 0.5 + HALF * unit])


def test_grey_images_are_ink_on_white_whatever_their_background():
    dark_ground, _ = pixels(CORNERS, full(4, 255, rim=0), FOUR)
    light_ground, _ = pixels(CORNERS, full(4, 0, rim=255), FOUR)
    np.testing.assert_array_equal(dark_ground, light_ground)
    assert dark_ground[0, 0].tolist() == [255, 255, 255]  # the rim
    half_ink, _ = pixels(CORNERS[:1], full(1, 128), ["#000000"])
    assert half_ink[HALF, HALF].tolist() == [127, 127, 127]


def test_colour_images_stand_in_a_frame():
    drawn, _ = pixels(CORNERS[:1], np.full((1, 8, 8, 3), [10, 20, 30], np.uint8), ["#FF0000"])
    assert drawn.shape == (THUMBNAIL, THUMBNAIL, 3)
    assert drawn[0, 0].tolist() == drawn[FRAME - 1, HALF].tolist() == [255, 0, 0]
    assert drawn[FRAME, FRAME].tolist() == drawn[HALF, HALF].tolist() == [10, 20, 30]


def test_images_that_are_not_square_keep_their_shape():
    drawn, _ = pixels(CORNERS[:1], np.full((1, 4, 16, 3), 7, np.uint8), ["#FF0000"])
    rows = np.flatnonzero((drawn == 7).all(axis=2).any(axis=1))
    columns = np.flatnonzero((drawn == 7).all(axis=2).any(axis=0))
    assert len(columns) == THUMBNAIL - 2 * FRAME == 4 * len(rows)
    ink, _ = pixels(CORNERS[:1], full(1, 255, (24, 8, 1)), ["#000000"])
    tall = (ink < 255).any(axis=2)
    assert tall.any(axis=1).sum() > 2.5 * tall.any(axis=0).sum()


def test_where_images_would_cover_each_other_the_first_is_drawn():
    near = CORNERS[[0, 1, 0, 1]] + [[0, 0], [0, 0], [0.5 * THUMBNAIL / LAYER, 0], [-THUMBNAIL / LAYER, 0]]
    drawn, _ = pixels(near, full(4), FOUR)
    found = {tuple(color) for color in drawn.reshape(-1, 3)}
    assert (0, 0, 255) not in found  # half under the first
    assert (0, 0, 0) in found  # beside the second


@pytest.mark.parametrize("count", [1, 4])
def test_images_all_in_one_place(count):
    drawn, (left, right, bottom, top) = pixels(np.zeros((count, 2)), full(count), FOUR[:count])
    assert drawn.shape == (THUMBNAIL, THUMBNAIL, 3)
    assert drawn[HALF, HALF].tolist() == [255, 0, 0]
    assert left < 0 < right
    assert bottom < 0 < top
