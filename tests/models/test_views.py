import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import VIEWS
from siamese_tf.models.views import make_views, rotation_about_center


def draw_images(count=3, height=9, width=9, channels=1):
    return np.random.default_rng(0).random((count, height, width, channels), np.float32)


def test_the_function_of_a_row_makes_its_views():
    images = tf.constant(draw_images())
    for name, row in VIEWS.items():
        np.testing.assert_array_equal(load_builder(row.function)(images), make_views(images, name))


@pytest.mark.parametrize(("kind", "count"), [("one", 1), ("mirror", 2), ("turn", 3), ("shift", 10), ("affine", 9)])
def test_the_first_view_is_the_image_itself_and_all_have_its_shape(kind, count):
    images = draw_images(4, 10, 7, 3)
    views = make_views(tf.constant(images), kind)
    assert [tuple(view.shape) for view in views] == [images.shape] * count
    np.testing.assert_array_equal(views[0], images)


def test_the_mirror_image_is_reversed_along_its_rows():
    images = draw_images()
    np.testing.assert_array_equal(make_views(tf.constant(images), "mirror")[1], images[:, :, ::-1])


def test_shifts_are_a_thirty_second_of_the_longer_side_in_four_directions_with_reflection():
    images = draw_images(2, 64, 40)
    views = [np.asarray(view) for view in make_views(tf.constant(images), "shift")]
    inside = images[:, 2:-2, 2:-2]  # not reached by a shift of 64 / 32 = 2 pixels
    moved = [views[k][:, 2:-2, 2:-2] for k in range(5)]
    np.testing.assert_array_equal(moved[0], inside)
    for view, rows, columns in zip(moved[1:], (-2, 2, 0, 0), (0, 0, -2, 2), strict=True):
        source = images[:, 2 + rows : 62 + rows, 2 + columns : 38 + columns]
        np.testing.assert_array_equal(view, source)
    np.testing.assert_array_equal(views[1][:, :2], images[:, 1::-1])
    for view, mirrored in zip(views[:5], views[5:], strict=True):
        np.testing.assert_array_equal(mirrored, view[:, :, ::-1])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (6, 1), (200, 3)])
def test_a_shift_is_at_most_the_size_of_a_small_image(height, width):
    assert {view.shape[1:3] for view in make_views(tf.ones((1, height, width, 1)), "shift")} == {(height, width)}


def test_turn_rotates_by_twelve_degrees_to_either_side_about_the_center():
    """A dot 10 pixels right of the center moves 10 sin(12) = 2.1 pixels up and down."""
    image = np.zeros((1, 41, 41, 1), np.float32)
    image[0, 19:22, 29:32] = 1.0
    heights = []
    for view in make_views(tf.constant(image), "turn")[1:]:
        weight = np.asarray(view)[0, :, :, 0]
        assert weight.sum() == pytest.approx(9, abs=0.1)
        heights.append(weight.sum(axis=1) @ np.arange(41) / weight.sum() - 20)
        assert weight.sum(axis=0) @ np.arange(41) / weight.sum() - 20 == pytest.approx(
            10 * np.cos(np.radians(12)), abs=0.1
        )
    assert sorted(heights) == pytest.approx([-10 * np.sin(np.radians(12)), 10 * np.sin(np.radians(12))], abs=0.1)


def test_a_map_about_the_center_gives_the_source_of_each_pixel():
    """The first image is rotated by 90 degrees clockwise, (x, y) from (y, -x); the second is not changed."""
    images = draw_images(2)
    x_from = tf.constant([0.0, 1.0]), tf.constant([1.0, 0.0])
    y_from = tf.constant([-1.0, 0.0]), tf.constant([0.0, 1.0])
    mapped = np.asarray(rotation_about_center(tf.constant(images), x_from, y_from))
    np.testing.assert_allclose(mapped[0], np.rot90(images[0], -1), atol=1e-6)
    np.testing.assert_allclose(mapped[1], images[1], atol=1e-6)


def test_the_border_is_black():
    images = tf.ones((1, 5, 5, 1))
    half = tf.constant([2.0])
    mapped = np.asarray(rotation_about_center(images, (half, 0 * half), (0 * half, half)))
    assert mapped[0, 2, 2, 0] == 1.0
    assert mapped[0, 0, 0, 0] == 0.0


def test_affine_variants_are_rotated_sheared_and_stretched():
    """A dot 10 pixels right of the center and 5 above it."""
    image = np.zeros((1, 41, 41, 1), np.float32)
    image[0, 14:17, 29:32] = 1.0
    places = []
    for view in make_views(tf.constant(image), "affine")[1:]:
        weight = np.asarray(view)[0, :, :, 0]
        right = weight.sum(axis=0) @ np.arange(41) / weight.sum() - 20
        up = 20 - weight.sum(axis=1) @ np.arange(41) / weight.sum()
        places.append((right, up))
    cosine, sine = np.cos(np.radians(8)), np.sin(np.radians(8))
    expected = [
        *((10 * cosine - 5 * sine, 5 * cosine + 10 * sine), (10 * cosine + 5 * sine, 5 * cosine - 10 * sine)),
        *((10 + 0.15 * 5, 5), (10 - 0.15 * 5, 5)),
        *((10 / 1.12, 5), (10 * 1.12, 5), (10, 5 / 1.12), (10, 5 * 1.12)),
    ]
    np.testing.assert_allclose(places, expected, atol=0.1)
