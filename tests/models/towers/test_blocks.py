import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.blocks import (
    BATCH_NORM_MOMENTUM,
    MAX_DENSE_WEIGHTS,
    SMALLEST_MIN_SIZE,
    check_size,
    convolution,
    convolution_parameters,
    embedding,
    flatten,
    residual,
)

EPSILON = 1e-3  # of Keras' batch normalization


def network(size, block, *arguments, **options):
    image = keras.Input(size)
    return keras.Model(image, block(image, *arguments, **options))


def images(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def layer_names(model):
    return {layer.name for layer in model.layers[1:]}


@pytest.mark.parametrize(
    ("min_size", "hint"),
    [(SMALLEST_MIN_SIZE, "Use larger images"), (SMALLEST_MIN_SIZE + 2, "Use larger images, or another tower")],
)
def test_images_too_small_are_refused_and_another_tower_is_suggested_if_one_may_accept_them(min_size, hint):
    check_size("mine", (min_size, min_size + 9, 3), min_size)
    for size in ((min_size - 1, 30, 1), (30, min_size - 1, 3)):
        with pytest.raises(ConfigError) as caught:
            check_size("mine", size, min_size)
        assert str(caught.value) == (
            f"tower mine needs images of at least {min_size}x{min_size} pixels; got {size[0]}x{size[1]}. {hint}"
        )


def test_flatten_gives_one_row_per_image():
    pixels = images(2, 3, 4, 5)
    np.testing.assert_array_equal(network((3, 4, 5), flatten, 7, "mine")(pixels), pixels.reshape(2, 60))


def test_too_many_dense_weights_are_refused():
    pixels = MAX_DENSE_WEIGHTS // 128  # for 128 dimensions
    assert network((pixels // 512, 512, 1), flatten, 128, "mine").output_shape == (None, pixels)
    with pytest.raises(
        ConfigError, match="tower mine must have at most 41,943,040 weights in its last layer; got 42,008,576 for"
    ):
        network((pixels // 512 + 1, 512, 1), flatten, 128, "mine")


def test_a_convolution_is_normalized_and_rectified():
    """One pixel of two channels. 3 * 2 + 1 * -1 = 5; normalized by mean 1 and variance 4, times 0.5, plus -0.25."""
    model = network((1, 1, 2), convolution, 1, 1, "block")
    assert layer_names(model) == {"block_conv", "block_norm", "block_relu"}
    norm = model.get_layer("block_norm")
    assert norm.momentum == BATCH_NORM_MOMENTUM
    assert not model.get_layer("block_conv").use_bias
    model.get_layer("block_conv").set_weights([np.array([3.0, 1.0]).reshape(1, 1, 2, 1)])
    norm.set_weights([np.array([number]) for number in (0.5, -0.25, 1.0, 4.0)])
    pixels = np.array([[2.0, -1.0], [-2.0, 1.0]], np.float32).reshape(2, 1, 1, 2)
    expected = 0.5 * (5 - 1) / np.sqrt(4 + EPSILON) - 0.25
    np.testing.assert_allclose(np.ravel(model(pixels, training=False)), [expected, 0], rtol=1e-5)


def test_the_weights_of_a_convolution_are_counted_without_it():
    assert network((5, 4, 2), convolution, 3, 4, "block").count_params() == convolution_parameters(4, 2, 3) == 108


def test_a_convolution_may_be_strided_and_without_relu():
    model = network((5, 4, 2), convolution, 3, 3, "block", strides=2, activation=False)
    assert layer_names(model) == {"block_conv", "block_norm"}
    out = np.asarray(model(images(2, 5, 4, 2), training=False))
    assert out.shape == (2, 3, 2, 3)
    assert out.min() < 0 < out.max()


def without_residual(model, name):
    """The model with a residual branch that returns 0."""
    norm = model.get_layer(f"{name}_2_norm")
    norm.set_weights([np.zeros_like(norm.get_weights()[0]), *norm.get_weights()[1:]])
    return model


def test_the_shortcut_of_a_block_that_preserves_the_shape_is_its_input():
    model = without_residual(network((3, 3, 4), residual, 4, "block"), "block")
    pixels = images(2, 3, 3, 4)
    np.testing.assert_array_equal(model(pixels, training=False), np.maximum(pixels, 0))
    assert not [name for name in layer_names(model) if "shortcut" in name or "average" in name]
    assert "block" in layer_names(model)


def test_the_shortcut_of_a_strided_block_is_averaged_and_projected():
    """Each output pixel is the mean of up to four pixels, fewer at an odd edge."""
    model = without_residual(network((2, 3, 1), residual, 2, "block", strides=2), "block")
    model.get_layer("block_shortcut_conv").set_weights([np.array([1.0, -1.0]).reshape(1, 1, 1, 2)])
    pixels = np.array([[1, 2, 5], [3, 6, 9]], np.float32).reshape(1, 2, 3, 1)
    expected = np.array([[3, 0], [7, 0]]) / np.sqrt(1 + EPSILON)  # (1 + 2 + 3 + 6) / 4, (5 + 9) / 2
    np.testing.assert_allclose(np.asarray(model(pixels, training=False))[0, 0], expected, rtol=1e-5)


@pytest.mark.parametrize(("filters", "strides"), [(4, 2), (6, 1)])
def test_a_shortcut_has_only_the_layers_it_needs(filters, strides):
    names = layer_names(network((4, 4, 4), residual, filters, "block", strides=strides))
    assert ("block_average" in names) is (strides == 2)
    assert ("block_shortcut_conv" in names) is (filters == 6)


def test_a_block_adds_its_convolutions_to_the_shortcut():
    """One pixel, one channel: 2 + 3 * relu(0.5 * 2), and relu of it; for -2 the sum is negative."""
    model = network((1, 1, 1), residual, 1, "block")
    for number, weight in ((1, 0.5), (2, 3.0)):
        kernel = np.zeros((3, 3, 1, 1))
        kernel[1, 1] = weight * np.sqrt(1 + EPSILON)
        model.get_layer(f"block_{number}_conv").set_weights([kernel])
    pixels = np.array([2, -2], np.float32).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(np.ravel(model(pixels, training=False)), [5, 0], rtol=1e-5)


def test_an_embedding_is_float32_under_any_precision():
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = network((2, 2, 1), lambda image: embedding(flatten(convolution(image, 1, 3, "a"), 3, "mine"), 3))
        rectified = network((4,), embedding, 3, activation="relu")
    finally:
        keras.mixed_precision.set_global_policy(before)
    assert model.get_layer("a_conv").compute_dtype == "bfloat16"
    assert model(images(2, 2, 2, 1)).dtype == "float32"
    assert {np.dtype(weight.dtype) for weight in model.get_weights()} == {np.dtype("float32")}
    out = np.asarray(rectified(images(9, 4)))
    assert out.min() == 0 < out.max()
