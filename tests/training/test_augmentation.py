import math

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import AUGMENTATIONS
from siamese_tf.training.augmentation import augment

KINDS = ["none", *AUGMENTATIONS, "shift-flip", "affine-shift-erase", "vflip-color-shift"]
# No pixel is black, and no image is another one moved or mirrored.
IMAGES = np.random.default_rng(0).uniform(0.1, 1.0, (200, 20, 31, 3)).astype(np.float32)
MAX_DOWN, MAX_RIGHT = 2, 3  # a tenth of 20 and of 31


def changed(kind, seed=(1, 2), images=IMAGES):
    return augment(tf.constant(images), kind, tf.constant(seed, tf.int32)).numpy()


def moved(image, down, right):
    """The twin: content moved by so many pixels, black moving in."""
    result = np.zeros_like(image)
    height, width = image.shape[:2]
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                result[row, column] = image[row - down, column - right]
    return result


def shift_between(before, after):
    """By how much (down, right) `after` is `before` moved; None when it is nothing of the kind."""
    for down in range(-MAX_DOWN, MAX_DOWN + 1):
        for right in range(-MAX_RIGHT, MAX_RIGHT + 1):
            inside = after[max(down, 0) : 20 + min(down, 0), max(right, 0) : 31 + min(right, 0)]
            original = before[max(-down, 0) : 20 + min(-down, 0), max(-right, 0) : 31 + min(-right, 0)]
            if np.array_equal(inside, original) and np.array_equal(after, moved(before, down, right)):
                return down, right
    return None


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_function_of_a_row_makes_its_change(name):
    after = load_builder(AUGMENTATIONS[name].function)(tf.constant(IMAGES), tf.constant((1, 2), tf.int32))
    np.testing.assert_array_equal(after, changed(name))
    assert not np.array_equal(after, IMAGES)


def test_none_changes_nothing():
    np.testing.assert_array_equal(changed("none"), IMAGES)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_function_of_the_seed(kind):
    first = changed(kind)
    tf.random.set_seed(3)
    np.testing.assert_array_equal(changed(kind), first)
    if kind != "none":
        for other in ((1, 3), (2, 2), (2, 1)):
            assert not np.array_equal(changed(kind, other), first)


@pytest.mark.parametrize("kind", KINDS)
def test_shape_and_dtype_stay_and_are_known_when_the_step_is_traced(kind):
    traced = tf.function(lambda images, seed: augment(images, kind, seed)).get_concrete_function(
        tf.TensorSpec((None, 20, 31, 3), tf.float32), tf.TensorSpec((2,), tf.int32)
    )
    (result,) = tf.nest.flatten(traced.structured_outputs)
    assert result.shape.as_list()[1:] == [20, 31, 3]
    assert changed(kind, images=IMAGES[:7]).shape == (7, 20, 31, 3)
    assert changed(kind).dtype == np.float32


def test_flip_mirrors_left_and_right_about_half_of_the_images():
    after = changed("flip")
    mirrored = np.array([np.array_equal(after[i], IMAGES[i, :, ::-1]) for i in range(200)])
    same = np.array([np.array_equal(after[i], IMAGES[i]) for i in range(200)])
    assert (mirrored != same).all()
    assert 70 <= mirrored.sum() <= 130  # 100 expected, standard deviation 7


def test_vflip_turns_about_half_of_the_images_upside_down_and_not_those_that_flip_mirrors():
    after = changed("vflip")
    turned = np.array([np.array_equal(after[i], IMAGES[i, ::-1]) for i in range(200)])
    same = np.array([np.array_equal(after[i], IMAGES[i]) for i in range(200)])
    assert (turned != same).all()
    assert 70 <= turned.sum() <= 130  # 100 expected, standard deviation 7
    mirrored = (changed("flip") != IMAGES).any(axis=(1, 2, 3))
    assert 30 <= (turned & mirrored).sum() <= 70  # drawn apart: 50 expected, standard deviation 6
    both = changed("vflip-flip")
    for image, before, upside_down, aside in zip(both, IMAGES, turned, mirrored, strict=True):
        before = before[::-1] if upside_down else before
        np.testing.assert_array_equal(image, before[:, ::-1] if aside else before)


def test_shift_moves_each_image_in_its_own_way_by_at_most_a_tenth_and_fills_with_black():
    after = changed("shift")
    shifts = [shift_between(IMAGES[i], after[i]) for i in range(200)]
    assert None not in shifts
    assert {down for down, _ in shifts} == {-2, -1, 0, 1, 2}
    assert {right for _, right in shifts} == {-3, -2, -1, 0, 1, 2, 3}
    assert len(set(shifts)) > 30  # of 35: down and right are drawn independently
    most_black = max((after[i] == 0).all(axis=-1).sum() for i in range(200))
    assert most_black == 20 * 31 - 18 * 28


def test_shift_and_flip_together_do_both():
    after = changed("shift-flip")
    straight = [shift_between(IMAGES[i], after[i]) for i in range(60)]
    mirrored = [shift_between(IMAGES[i, :, ::-1], after[i]) for i in range(60)]
    assert all((one is None) != (other is None) for one, other in zip(straight, mirrored, strict=True))
    assert 12 <= sum(one is None for one in straight) <= 48
    assert len({one or other for one, other in zip(straight, mirrored, strict=True)}) > 15


def test_the_order_of_the_names_does_not_matter():
    """Noise that erases is not moved or mirrored."""
    np.testing.assert_array_equal(changed("erase-shift-affine-flip"), changed("flip-affine-shift-erase"))
    erased = changed("erase") != IMAGES
    np.testing.assert_array_equal(changed("flip-shift-erase")[erased], changed("erase")[erased])


def test_images_too_small_to_move_stay():
    small = IMAGES[:, :4, :4]  # a tenth of 4 rounds to 0
    np.testing.assert_array_equal(changed("shift", images=small), small)


def test_a_batch_of_one_moves_as_the_twin_says():
    before = np.arange(1, 101, dtype=np.float32).reshape(1, 10, 10, 1)
    afters = [changed("shift", (0, seed), before)[0] for seed in range(12)]
    twins = [moved(before[0], down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    assert all(any(np.array_equal(after, twin) for twin in twins) for after in afters)
    assert len({after.tobytes() for after in afters}) > 3


# Brighter, darker, paler.

FAINT = np.random.default_rng(1).uniform(0.4, 0.6, (300, 6, 7, 3)).astype(np.float32)  # nothing of it is cut off


def recoloured(images, seed=(1, 2)):
    """The twin, before what is outside [0, 1] is cut off, pixel by pixel; and what was drawn."""
    count = len(images)
    draws = tf.random.stateless_uniform([3, count, 1, 1, 1], [seed[0], seed[1] + 7], -1.0, 1.0).numpy()
    draws = draws.reshape(3, count).astype(float)
    result = images.astype(float)
    for image, brighter, contrast, saturation in zip(result, *draws, strict=True):
        if image.shape[-1] == 3:
            grey = (0.299 * image[..., 0] + 0.587 * image[..., 1] + 0.114 * image[..., 2])[..., np.newaxis]
            image[:] = grey + 1.3**saturation * (image - grey)
        image[:] = image.mean() + 1.3**contrast * (image - image.mean()) + 0.2 * brighter
    return result, draws


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_color_is_its_twin(channels):
    images = IMAGES[:50, ..., :channels]
    expected, _ = recoloured(images)
    assert expected.min() < 0
    assert expected.max() > 1
    np.testing.assert_allclose(changed("color", images=images), np.clip(expected, 0, 1), atol=1e-5)


def test_color_keeps_every_value_between_black_and_white():
    for images in (IMAGES, np.zeros_like(IMAGES), np.ones_like(IMAGES), IMAGES > 0.5):
        after = changed("color", images=np.asarray(images, np.float32))
        assert after.min() >= 0
        assert after.max() <= 1


def test_the_mean_moves_with_the_brightness_by_at_most_a_fifth_and_with_nothing_else():
    """For a grey image; saturation moves the mean of the channels of a colour image a little, too."""
    grey = FAINT[..., :1]
    moved_by = changed("color", images=grey).mean((1, 2, 3)) - grey.mean((1, 2, 3))
    np.testing.assert_allclose(moved_by, 0.2 * recoloured(grey)[1][0], atol=1e-5)
    assert -0.2 <= moved_by.min() < -0.17
    assert 0.17 < moved_by.max() <= 0.2
    assert len(set(moved_by.tolist())) > 290  # each image in its own way


def test_contrast_spreads_or_narrows_by_at_most_three_tenths_in_either_way():
    grey = FAINT[..., :1]
    factors = changed("color", images=grey).std((1, 2, 3)) / grey.std((1, 2, 3))
    assert 1 / 1.3 - 1e-4 < factors.min() < 0.8
    assert 1.27 < factors.max() < 1.3 + 1e-4
    assert 120 <= (factors > 1).sum() <= 180  # 150 expected, standard deviation 9


def test_images_without_colour_get_none():
    """Of one channel or of three alike, they change alike, and by brightness and contrast alone."""
    grey = IMAGES[..., :1]
    alike = changed("color", images=grey.repeat(3, axis=-1))
    np.testing.assert_allclose(alike, changed("color", images=grey).repeat(3, axis=-1), atol=1e-5)


def test_saturation_moves_colours_towards_their_grey_or_away():
    after = changed("color", images=FAINT)
    before, after = (np.ptp(images, axis=-1).mean((1, 2)) for images in (FAINT, after))
    _, (_, contrast, saturation) = recoloured(FAINT)
    np.testing.assert_allclose(after / before, 1.3 ** (contrast + saturation), rtol=1e-3)


@pytest.mark.parametrize("kind", ["shift-color", "affine-color"])
def test_what_moves_in_is_black_however_bright_the_rest_becomes(kind):
    light = np.ones((100, 20, 20, 1), np.float32)
    brighter = changed("color", images=light)[:, 0, 0, 0]
    after = changed(kind, images=light)
    assert (after == 0).any(axis=(1, 2, 3)).mean() > 0.7
    np.testing.assert_allclose(after[:, 10, 10, 0], brighter, atol=1e-5)
    np.testing.assert_array_equal(after == 0, changed(kind.removesuffix("-color"), images=light) == 0)


@pytest.mark.parametrize("kind", ["vflip", "color"])
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float32, tf.float64])
def test_the_dtype_of_the_images_stays(kind, dtype):
    images = tf.cast(IMAGES[:5], dtype)
    after = augment(images, kind, tf.constant((1, 2)))
    assert after.dtype == dtype
    assert after.shape == images.shape
    assert 0 <= float(tf.reduce_min(after)) < float(tf.reduce_max(after)) <= 1


@pytest.mark.parametrize("kind", ["vflip", "color"])
@pytest.mark.parametrize("shape", [(0, 20, 31, 3), (5, 1, 1, 1), (1, 1, 1, 3)])
def test_no_image_at_all_or_one_of_a_single_pixel_is_no_trouble(kind, shape):
    after = changed(kind, images=np.full(shape, 0.5, np.float32))
    assert after.shape == shape
    assert np.isfinite(after).all()


# Turned, slanted and stretched.


def transforms(count, seed=(1, 2)):
    """The twin's: what takes a place in the result, as seen from the centre, to its place in the image; (n, 2, 2)."""
    draws = tf.random.stateless_uniform([4, count], [seed[0], seed[1] + 3], -1.0, 1.0).numpy().astype(float)
    angle, slant = np.radians(12) * draws[0], 0.2 * draws[1]
    one, none = np.ones(count), np.zeros(count)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[one, slant], [none, one]])
    stretch = np.array([[1.15 ** draws[2], none], [none, 1.15 ** draws[3]]])
    return np.einsum("ijn,jkn,kln->nil", stretch, turn, shear)


def transformed(image, matrix):
    """The twin: each pixel looked up where it comes from, between the four pixels around that place; black outside."""
    height, width = image.shape[:2]
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    framed = np.pad(image, ((9, 9), (9, 9), (0, 0)))
    result = np.empty_like(image)
    for row in range(height):
        for column in range(width):
            x, y = matrix @ ((column, row) - centre) + centre + 9
            left, top = math.floor(x), math.floor(y)
            right, down = x - left, y - top
            upper = (1 - right) * framed[top, left] + right * framed[top, left + 1]
            lower = (1 - right) * framed[top + 1, left] + right * framed[top + 1, left + 1]
            result[row, column] = (1 - down) * upper + down * lower
    return result


def test_affine_is_its_twin():
    after = changed("affine")
    for number, matrix in enumerate(transforms(200)[:8]):
        np.testing.assert_allclose(after[number], transformed(IMAGES[number], matrix), atol=1e-4)


def test_affine_turns_by_up_to_twelve_degrees_and_stretches_and_slants_a_little():
    """Of an image whose brightness grows along one side, the growth along both sides is a row of the matrix."""
    towards = np.linspace(-1, 1, 21, dtype=np.float32)
    across = np.broadcast_to(0.5 + 0.25 * towards[:, np.newaxis], (21, 21)).T  # brighter to the right
    images = np.stack([across, across.T], axis=-1)[np.newaxis].repeat(300, axis=0)
    after = changed("affine", images=images)
    inner = after[:, 8:13, 8:13]
    growth = np.stack([np.diff(inner, axis=2)[:, :4].mean((1, 2)), np.diff(inner, axis=1)[:, :, :4].mean((1, 2))], -1)
    matrix = growth / 0.025  # (n, 2, 2), of 0.025 a pixel
    length, area = np.linalg.norm(matrix[:, :, 0], axis=1), np.linalg.det(matrix)
    assert 0.86 < length.min() < 0.9 < 1.1 < length.max() < 1.16
    assert 1.15**-2 - 0.01 < area.min() < 0.85 < 1.18 < area.max() < 1.15**2 + 0.01
    turned = np.degrees(np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    assert -16 < turned.min() < -8  # stretching unlike in height and width turns a little, too
    assert 8 < turned.max() < 16
    np.testing.assert_allclose(after[:, 10, 10], 0.5, atol=1e-5)  # the centre stays


def test_affine_keeps_a_digit_between_black_and_white_and_lets_black_in():
    white = changed("affine", images=np.ones((100, 28, 28, 1), np.float32))
    assert white.min() == 0
    assert white.max() <= 1 + 1e-6
    assert (white[:, 9:19, 9:19] > 1 - 1e-6).all()
    assert ((white[:, 0, 0] < 0.5) | (white[:, -1, 0] < 0.5) | (white[:, 0, -1] < 0.5)).mean() > 0.5
    np.testing.assert_array_equal(changed("affine", images=np.zeros((9, 28, 28, 1), np.float32)), 0)
    assert len({image.tobytes() for image in white}) == 100


# Erased.

SIDE = 28
GREY = np.full((600, SIDE, SIDE, 3), 2.0, np.float32)  # of a value that noise cannot have


@pytest.fixture(scope="module")
def erased():
    """(600, 28, 28): which pixels of grey images were covered."""
    after = changed("erase", images=GREY)
    where = (after != 2).any(axis=-1)
    np.testing.assert_array_equal(where, (after != 2).all(axis=-1))  # every channel of a pixel
    assert after[where].min() >= 0
    assert after[where].max() < 1
    assert after[where].mean() == pytest.approx(0.5, abs=0.01)
    return where


def test_a_rectangle_is_erased_from_about_half_of_the_images(erased):
    some = erased.any(axis=(1, 2))
    assert 240 <= some.sum() <= 360  # 300 expected, standard deviation 12
    for where in erased[some]:
        rows, columns = where.any(axis=1), where.any(axis=0)
        assert where.sum() == rows.sum() * columns.sum()
        assert np.abs(np.diff(rows.astype(int))).sum() <= 2  # one piece
        assert np.abs(np.diff(columns.astype(int))).sum() <= 2


def test_how_much_is_erased(erased):
    """A side of h pixels covers h - 1 to h + 1 of them."""
    erased = erased[erased.any(axis=(1, 2))]
    high, wide = erased.any(axis=2).sum(axis=1), erased.any(axis=1).sum(axis=1)
    pixels = SIDE * SIDE
    assert ((high + 1) * (wide + 1) >= 0.02 * pixels).all()
    assert ((high - 1) * (wide - 1) <= 0.33 * pixels).all()
    share = high * wide / pixels
    assert share.min() < 0.04
    assert share.max() > 0.3
    assert share.mean() == pytest.approx((0.02 + 0.33) / 2, abs=0.02)
    assert ((high - 1) <= 3.3 * (wide + 1)).all()
    assert ((wide - 1) <= 3.3 * (high + 1)).all()
    assert (high > 2.2 * wide).any()
    assert (wide > 2.2 * high).any()
    assert erased.any(axis=(0, 1)).all()  # up to both edges
    assert erased.any(axis=(0, 2)).all()


@pytest.mark.parametrize("size", [(8, 8), (20, 31), (60, 9)])
def test_whatever_the_size_something_is_left(size):
    share = (changed("erase", images=np.full((300, *size, 1), 2.0, np.float32)) != 2).mean(axis=(1, 2, 3))
    assert 0.25 < share.max() < 0.45
    assert 0.3 < (share > 0).mean() < 0.6  # of 8x8 pixels, a small one may fall between them


def test_other_pixels_are_left_as_they_are():
    after = changed("erase")
    same = (after == IMAGES).all(axis=-1)
    assert 0.4 < same.all(axis=(1, 2)).mean() < 0.6
    assert same.mean() == pytest.approx(1 - 0.5 * 0.175, abs=0.03)
    noise = [image[~left] for image, left in zip(after, same, strict=True) if not left.all()]
    assert len({patch.tobytes() for patch in noise}) == len(noise)  # each its own
