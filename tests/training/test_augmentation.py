import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.config import AUGMENTATIONS
from siamese_tf.training.augmentation import augment

KINDS = [kind for kind in AUGMENTATIONS if kind != "auto"]  # `settle` turns auto into one of these
# No pixel is black, and no image is another one moved or mirrored.
IMAGES = np.random.default_rng(0).uniform(0.1, 1.0, (200, 20, 31, 3)).astype(np.float32)
MOST_DOWN, MOST_RIGHT = 2, 3  # a tenth of 20 and of 31


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
    for down in range(-MOST_DOWN, MOST_DOWN + 1):
        for right in range(-MOST_RIGHT, MOST_RIGHT + 1):
            inside = after[max(down, 0) : 20 + min(down, 0), max(right, 0) : 31 + min(right, 0)]
            original = before[max(-down, 0) : 20 + min(-down, 0), max(-right, 0) : 31 + min(-right, 0)]
            if np.array_equal(inside, original) and np.array_equal(after, moved(before, down, right)):
                return down, right
    return None


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


def test_images_too_small_to_move_stay():
    small = IMAGES[:, :4, :4]  # a tenth of 4 rounds to 0
    np.testing.assert_array_equal(changed("shift", images=small), small)


def test_a_batch_of_one_moves_as_the_twin_says():
    before = np.arange(1, 101, dtype=np.float32).reshape(1, 10, 10, 1)
    afters = [changed("shift", (0, seed), before)[0] for seed in range(12)]
    twins = [moved(before[0], down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    assert all(any(np.array_equal(after, twin) for twin in twins) for after in afters)
    assert len({after.tobytes() for after in afters}) > 3
