import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.errors import ImageError
from siamese_tf.models.pixels import TOLERANCE, as_pixels, scale_pixels, valid_images

INTEGERS = ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", ">i4", ">u2"]


def test_pencil():
    np.testing.assert_allclose(scale_pixels(np.uint8([0, 51, 255])), [0, 0.2, 1])
    np.testing.assert_allclose(scale_pixels(np.float32([0, 0.2, 1])), [0, 0.2, 1])
    np.testing.assert_array_equal(as_pixels(np.array([0, 51, 127])), np.uint8([0, 51, 127]))
    np.testing.assert_array_equal(as_pixels(np.array([False, True])), np.uint8([0, 255]))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_of_every_width_are_0_to_255(dtype):
    images = np.array([0, 1, 100, 127], dtype)
    pixels = as_pixels(images)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, [0, 1, 100, 127])
    if images.dtype.isnative:
        np.testing.assert_array_equal(scale_pixels(images), scale_pixels(np.uint8([0, 1, 100, 127])))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, tf.bfloat16.as_numpy_dtype])
def test_floats_of_every_width_are_0_to_1(dtype):
    pixels = as_pixels(np.array([0, 0.25, 1], dtype))
    assert pixels.dtype == np.float32
    np.testing.assert_array_equal(pixels, [0, 0.25, 1])


@pytest.mark.parametrize(
    ("values", "dtype", "found"),
    [
        ([0, 256], "int32", "got int32 values from 0 to 256"),
        ([0, 65535], "uint16", "from 0 to 65535. Divide by 257 if they have 16 bits"),
        ([-1, 5], "int64", "from -1 to 5. Scale them"),
        ([-128, 127], "int8", "from -128 to 127"),
    ],
)
def test_integers_beyond_8_bits_are_refused(values, dtype, found):
    with pytest.raises(ImageError, match=r"integer images must lie in 0 to 255; .*convert them to uint8") as caught:
        as_pixels(np.array(values, dtype))
    assert found in str(caught.value)


@pytest.mark.parametrize("value", [255.0, 1.5, 1 + 2 * TOLERANCE, -2 * TOLERANCE, -0.5, np.nan, np.inf, -np.inf])
def test_floats_that_cannot_be_pixels_are_refused(value):
    with pytest.raises(ImageError, match=r"must lie in \[0, 1\]; got values from .*Divide by 255, or pass uint8"):
        as_pixels(np.array([0.5, value]))


def test_a_rounding_error_beyond_0_to_1_is_cut_off():
    np.testing.assert_array_equal(
        as_pixels(np.array([-TOLERANCE / 2, 0.5, 1 + TOLERANCE / 2])), np.float32([0, 0.5, 1])
    )


@pytest.mark.parametrize("dtype", [complex, object, "<U3", "datetime64[s]"])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(ImageError, match=r"integers \(0 to 255\) or floats \(0 to 1\); got the dtype .*Convert them"):
        as_pixels(np.zeros(3, np.uint8).astype(dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64, bool])
def test_no_pixels_at_all_are_fine(dtype):
    assert as_pixels(np.zeros((0, 8, 8, 1), dtype)).shape == (0, 8, 8, 1)


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("uint8", [0, 255], []),
        ("bool", [False, True], []),
        ("int32", [0, 255], [-1, 256, 2**31 - 1]),
        ("uint16", [0, 255], [256, 65535]),
        ("float32", [0, 1, 1 + TOLERANCE / 2], [1.5, 255, -0.5, np.nan, np.inf]),
        ("float64", [0, 1], [1.5, np.nan]),
    ],
)
def test_which_images_are_valid(dtype, good, bad):
    """Each value is in a separate image, with all other pixels 0, in graph mode."""
    images = np.zeros((len(good) + len(bad), 2, 2, 1), dtype)
    images[:, 1, 0, 0] = [*good, *bad]
    found = tf.function(valid_images)(tf.constant(images)).numpy()
    assert found.tolist() == [True] * len(good) + [False] * len(bad)
