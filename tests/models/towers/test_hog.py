import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.models.towers.hog import EvenContrast, OrientedGradients, hog, hog_parameters


def gradients(images, deviation=1.0):
    return np.asarray(OrientedGradients(deviation, max_radius=99, name="gradients")(tf.constant(images)))


def test_it_has_the_parameters_its_docstring_says():
    # 112 / 8 = 14 pixels a cell, so 8 x 7 cells of 8 directions, and a bias for each of 128.
    assert hog((112, 92, 1), 128).count_params() == 8 * 7 * 8 * 128 + 128 == 57_472
    assert "57,472 parameters for 112x92 images and 128 dimensions" in " ".join(hog.__doc__.split())


@pytest.mark.parametrize("size", [(8, 9, 1), (57, 33, 1), (112, 92, 3)])
def test_its_parameters_are_counted_without_it(size):
    for dimensions in (1, 7):
        assert hog(size, dimensions).count_params() == hog_parameters(size, dimensions)


@pytest.mark.parametrize("size", [(8, 8, 1), (8, 8, 3), (18, 18, 1), (28, 28, 1), (30, 20, 1), (112, 112, 3)])
def test_an_image_becomes_an_embedding(check_embeddings, size):
    check_embeddings(hog, size)


def test_only_the_last_layer_has_weights():
    tower = hog((20, 16, 1), 4)
    assert [tuple(weight.shape) for weight in tower.weights] == [tuple(w.shape) for w in tower.layers[-1].weights]


@pytest.mark.parametrize("direction", range(8))
def test_each_channel_is_the_derivative_in_its_direction(direction):
    """The gradient of a slope is constant; directions are clockwise from the right, since y grows downward."""
    y, x = np.mgrid[-10:11, -10:11]
    angle = np.radians(45 * direction)
    slope = 0.5 + 0.01 * (np.cos(angle) * x + np.sin(angle) * y)
    found = gradients(slope[np.newaxis, ..., np.newaxis].astype(np.float32))[0, 10, 10]
    expected = np.cos(np.radians(45 * (np.arange(8) - direction))).clip(0)
    np.testing.assert_allclose(found / found.max(), expected, atol=0.02)


def test_an_edge_from_black_to_white_is_one_and_a_constant_image_is_zero():
    image = np.zeros((1, 15, 15, 1), np.float32)
    image[:, :, 8:] = 1.0
    found = gradients(image)
    assert found.max() == pytest.approx(1.0, abs=0.05)
    assert (
        not gradients(np.full((1, 9, 9, 1), 0.7, np.float32)).round(5).any()
    )  # nor are the borders of the image edges


def test_color_is_reduced_to_gray():
    color = np.random.default_rng(0).random((2, 9, 9, 3), np.float32)
    gray = color @ np.float32([0.2989, 0.5870, 0.1140])
    np.testing.assert_allclose(gradients(color), gradients(gray[..., np.newaxis]), atol=1e-6)


@pytest.mark.parametrize("channels", [2, 4])
def test_other_channels_are_reduced_to_their_mean(channels):
    images = np.random.default_rng(0).random((2, 9, 9, channels), np.float32)
    np.testing.assert_allclose(gradients(images), gradients(images.mean(axis=-1, keepdims=True)), atol=1e-6)


def test_contrast_is_that_of_the_cells_around():
    cells = np.zeros((1, 9, 9, 2), np.float32)
    cells[:, :, 5:] = 3.0, 4.0  # of length 5; black left of it
    found = np.asarray(EvenContrast()(tf.constant(cells)))
    np.testing.assert_allclose(found[0, :, 7:, :], np.broadcast_to([0.6, 0.8], (9, 2, 2)), atol=1e-3)
    np.testing.assert_allclose(found[0, 4, 5], np.array([0.6, 0.8]) / np.sqrt(3 / 5), atol=1e-3)  # 3 of 5 columns
    assert not found[0, :, :5].any()


@pytest.mark.parametrize("change", [lambda image: 0.5 * image, lambda image: 0.25 + 0.5 * image])
def test_light_changes_little(change):
    images = np.random.default_rng(1).random((3, 32, 24, 1), np.float32)
    tower = hog((32, 24, 1), 16)
    before, after = np.asarray(tower(images)), np.asarray(tower(change(images)))
    assert np.abs(after - before).max() < 0.02 * np.abs(before).max()


def test_a_narrow_image_limits_the_radius_of_the_filters():
    assert hog((640, 8, 1), 3)(tf.zeros((1, 640, 8, 1))).shape == (1, 3)
