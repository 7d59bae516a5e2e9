import numpy as np
import tensorflow as tf

from siamese_tf.training.rotated_classes import ROTATED_SHARE, rotate_parts

IMAGES = np.random.default_rng(0).random((6, 5, 5, 2)).astype(np.float32)


def symmetries(image):
    """The eight symmetries of a square image."""
    turned = [np.rot90(image, quarter) for quarter in range(4)]
    return [*turned, *(one[:, ::-1] for one in turned)]


def drawn(seed, parts=2):
    """Number of the symmetry of each image."""
    rotated = rotate_parts(tf.constant(IMAGES), parts, tf.constant(seed, tf.int32)).numpy()
    return [
        next(number for number, one in enumerate(symmetries(image)) if np.array_equal(one, after))
        for image, after in zip(IMAGES, rotated, strict=True)
    ]


def test_all_images_of_a_part_change_alike_and_the_parts_independently():
    several = [drawn((seed, 3)) for seed in range(20)]
    assert all(len(set(one[:3])) == len(set(one[3:])) == 1 for one in several)
    assert any(one[0] != one[3] for one in several)
    assert all(len(set(drawn((seed, 3), parts=1))) == 1 for seed in range(5))


def test_every_symmetry_occurs_and_the_share_of_changed_parts_is_as_documented():
    numbers = [number for seed in range(300) for number in drawn((seed, 0), parts=6)]
    shares = np.bincount(numbers, minlength=8) / len(numbers)
    assert abs(shares[0] - (1 - ROTATED_SHARE)) < 0.04
    assert np.all(np.abs(shares[1:] - ROTATED_SHARE / 7) < 0.02)


def test_it_depends_on_the_seed_alone():
    assert drawn((1, 2), parts=6) == drawn((1, 2), parts=6)
    assert drawn((1, 2), parts=6) != drawn((1, 3), parts=6)
