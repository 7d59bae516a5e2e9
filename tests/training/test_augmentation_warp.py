"""`warp` and `elastic`, which move the pixels of an image."""

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.training.augmentation import augment, elastic, warp

SEED = tf.constant((1, 2), tf.int32)


def dots(count, places, side=65):
    """Images with a dot of 3 x 3 pixels at each place (right, down) relative to the center."""
    images = np.zeros((count, side, side, len(places)), np.float32)
    for channel, (right, down) in enumerate(places):
        row, column = side // 2 + down, side // 2 + right
        images[:, row - 1 : row + 2, column - 1 : column + 2, channel] = 1.0
    return images


def places_of(images):
    """Mean place (right, down) of each channel relative to the center, (n, channels, 2)."""
    images, middle = np.asarray(images), images.shape[1] // 2
    weight = images.sum(axis=(1, 2))
    right = np.einsum("nhwc,w->nc", images, np.arange(images.shape[2]) - middle) / weight
    down = np.einsum("nhwc,h->nc", images, np.arange(images.shape[1]) - middle) / weight
    return np.stack([right, down], axis=-1)


def test_warp_is_an_affine_map_of_the_documented_size():
    """Three dots determine the map from before to after; its inverse is what was drawn."""
    before = np.array([(0, 0), (10, 0), (0, 10)])
    after = places_of(warp(tf.constant(dots(400, before)), SEED))
    shift = after[:, 0]
    matrix = np.stack([after[:, 1] - shift, after[:, 2] - shift], axis=-1) / 10  # columns: images of x and y
    inverse = np.linalg.inv(matrix)
    assert 0.9 * 5 < np.abs(shift).max() < 5 * 1.8
    wide, high = (1 / np.linalg.norm(inverse[:, row], axis=1) for row in (0, 1))
    for factor in (wide, high):
        assert 0.6 < factor.min() < 0.85
        assert 1.1 < factor.max() < 1.3
    assert abs(np.corrcoef(wide, high)[0, 1]) < 0.2  # independent: anisotropic
    angles = np.degrees(np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    assert -23 < angles.min() < -10
    assert 10 < angles.max() < 23


def test_warp_without_any_draw_changes_nothing(monkeypatch):
    images = tf.constant(np.random.default_rng(0).random((3, 9, 9, 2), np.float32))
    monkeypatch.setattr(tf.random, "stateless_uniform", lambda shape, *_: tf.zeros(shape))
    np.testing.assert_allclose(warp(images, SEED), images, atol=1e-6)
    np.testing.assert_allclose(elastic(images, SEED), images, atol=1e-6)


def displaced(image, rows, columns):
    """Samples an image at (rows, columns) bilinearly, pixel by pixel; black outside."""
    height, width = image.shape
    framed = np.pad(image, 1)
    result = np.zeros_like(image)
    for place in np.ndindex(height, width):
        row, column = np.clip(rows[place], -1, height), np.clip(columns[place], -1, width)
        top, left = min(int(np.floor(row)), height - 1), min(int(np.floor(column)), width - 1)
        down, right = row - top, column - left
        corners = framed[top + 1 : top + 3, left + 1 : left + 3]
        result[place] = np.array([1 - down, down]) @ corners @ np.array([1 - right, right])
    return result


@pytest.mark.parametrize("size", [(12, 9), (5, 16)])
def test_elastic_equals_the_slow_version(monkeypatch, size):
    rng = np.random.default_rng(0)
    images = rng.random((2, *size, 1)).astype(np.float32)
    grid = rng.uniform(-0.5, 0.5, (2, 5, 5, 2)).astype(np.float32)  # larger than drawn: reaches outside
    monkeypatch.setattr(tf.random, "stateless_uniform", lambda *_: tf.constant(grid))
    moved = tf.image.resize(grid, size).numpy() * size
    rows, columns = np.mgrid[: size[0], : size[1]]
    expected = [
        displaced(one[..., 0], rows + by[..., 0], columns + by[..., 1]) for one, by in zip(images, moved, strict=True)
    ]
    np.testing.assert_allclose(elastic(tf.constant(images), SEED)[..., 0], expected, atol=1e-5)


def test_elastic_moves_neighbors_alike_by_at_most_a_sixteenth():
    before = np.array([(0, 0), (4, 0), (-20, 0)])
    moved = places_of(augment(tf.constant(dots(300, before)), "elastic", SEED)) - before
    assert 2.5 < np.abs(moved).max() <= 65 / 16 + 0.5
    near, far = (np.abs(moved[:, 0] - moved[:, other]).mean() for other in (1, 2))
    assert near < far / 2
