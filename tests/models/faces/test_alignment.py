import numpy as np
import pytest

from siamese_tf.models.faces.alignment import SIZE, TEMPLATE, align_face, similarity_transform
from siamese_tf.models.faces.detection import Face


def test_a_shift_a_scale_and_a_quarter_turn_by_hand():
    matrix, shift = similarity_transform(np.array([[0, 0], [1, 0], [0, 1]]), np.array([[5, 5], [5, 7], [3, 5]]))
    np.testing.assert_allclose(matrix, [[0, -2], [2, 0]], atol=1e-12)
    np.testing.assert_allclose(shift, [5, 5], atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_random_similarities_are_found(seed):
    rng = np.random.default_rng(seed)
    angle, scale, shift = rng.uniform(-3, 3), rng.uniform(0.1, 5), rng.normal(0, 50, 2)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = rng.normal(0, 30, (3, 2))
    found = similarity_transform(points, points @ matrix.T + shift)
    np.testing.assert_allclose(found[0], matrix, atol=1e-9)
    np.testing.assert_allclose(found[1], shift, atol=1e-9)


def test_the_error_is_the_smallest_of_all_similarities():
    """Points that no similarity maps exactly: small changes of the solution are worse; a reflection is not taken."""
    rng = np.random.default_rng(0)
    source, target = rng.normal(0, 10, (3, 2)), rng.normal(0, 10, (3, 2))
    matrix, shift = similarity_transform(source, target)

    def error(matrix, shift):
        return np.sum((source @ matrix.T + shift - target) ** 2)

    assert np.linalg.det(matrix) > 0
    turn = np.array([[np.cos(0.01), -np.sin(0.01)], [np.sin(0.01), np.cos(0.01)]])
    for changed in (1.01 * matrix, 0.99 * matrix, turn @ matrix, turn.T @ matrix):
        new_shift = target.mean(0) - changed @ source.mean(0)
        assert error(matrix, shift) < error(changed, new_shift)
    assert error(matrix, shift) < error(matrix, shift + 0.1)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0, 11.0])
@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_eyes_and_nose_come_to_their_positions(scale, angle):
    """A bright spot in red, green and blue at eyes and nose of a rotated face of any size."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (TEMPLATE - 75) @ turn.T * scale + 150 * scale
    rows, columns = np.mgrid[: round(300 * scale), : round(300 * scale)]
    squares = [(columns - x) ** 2 + (rows - y) ** 2 for x, y in points]
    image = np.stack([255 * np.exp(-square / (2 * (4 * scale) ** 2)) for square in squares], axis=2)
    face = Face((0.0, 0.0, 1.0, 1.0), 1.0, *(tuple(point) for point in points))
    aligned = align_face(image.round().astype(np.uint8), face).astype(float)
    assert aligned.shape == (SIZE, SIZE, 3)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for channel, (x, y) in enumerate(TEMPLATE):
        weights = aligned[:, :, channel]
        center = np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()
        np.testing.assert_allclose(center, [x, y], atol=0.1)


def test_positions_outside_the_image_are_black():
    face = Face((0.0, 0.0, 1.0, 1.0), 1.0, (0.0, 0.0), (53.0, 0.0), (26.5, 31.0))
    aligned = align_face(np.full((100, 100, 3), 200, np.uint8), face)
    assert (aligned[:40, :40] == 0).all()
    assert (aligned[80:, 80:140] == 200).all()
