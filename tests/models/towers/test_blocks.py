import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.blocks import (
    BATCH_NORM_MOMENTUM,
    MAX_DENSE_WEIGHTS,
    SMALLEST_OF_ALL,
    check_size,
    convolution,
    embedding,
    flat,
    residual,
)

EPSILON = 1e-3  # of Keras' batch normalisation


def network(size, block, *arguments, **options):
    image = keras.Input(size)
    return keras.Model(image, block(image, *arguments, **options))


def images(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def layer_names(model):
    return {layer.name for layer in model.layers[1:]}


@pytest.mark.parametrize(
    ("least", "cure"),
    [(SMALLEST_OF_ALL, "Take larger images"), (SMALLEST_OF_ALL + 2, "Take larger images, or another tower")],
)
def test_images_too_small_are_refused_and_another_tower_is_named_where_one_may_take_them(least, cure):
    check_size("mine", (least, least + 9, 3), least)
    for size in ((least - 1, 30, 1), (30, least - 1, 3)):
        with pytest.raises(ConfigError) as caught:
            check_size("mine", size, least)
        assert str(caught.value) == (
            f"tower mine needs images of at least {least}x{least} pixels; got {size[0]}x{size[1]}. {cure}"
        )


def test_flat_is_one_row_for_an_image():
    pixels = images(2, 3, 4, 5)
    np.testing.assert_array_equal(network((3, 4, 5), flat, 7, "mine")(pixels), pixels.reshape(2, 60))


def test_more_dense_weights_than_a_machine_can_hold_are_refused():
    most = MAX_DENSE_WEIGHTS // 128  # pixels for 128 dimensions
    assert network((most // 512, 512, 1), flat, 128, "mine").output_shape == (None, most)
    with pytest.raises(ConfigError, match="tower mine would need 42,008,576 weights for these images and 128 dim"):
        network((most // 512 + 1, 512, 1), flat, 128, "mine")


def test_a_convolution_is_normalised_and_rectified():
    """One pixel of two channels. 3 * 2 + 1 * -1 = 5; normalised by mean 1 and variance 4, times 0.5, plus -0.25."""
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


def test_a_convolution_may_leave_the_signs_alone_and_halve():
    model = network((5, 4, 2), convolution, 3, 3, "block", strides=2, activation=False)
    assert layer_names(model) == {"block_conv", "block_norm"}
    out = np.asarray(model(images(2, 5, 4, 2), training=False))
    assert out.shape == (2, 3, 2, 3)
    assert out.min() < 0 < out.max()


def silent(model, name):
    """The convolutions beside the shortcut give nothing."""
    norm = model.get_layer(f"{name}_2_norm")
    norm.set_weights([np.zeros_like(norm.get_weights()[0]), *norm.get_weights()[1:]])
    return model


def test_the_shortcut_of_a_block_that_keeps_the_shape_is_what_came():
    model = silent(network((3, 3, 4), residual, 4, "block"), "block")
    pixels = images(2, 3, 3, 4)
    np.testing.assert_array_equal(model(pixels, training=False), np.maximum(pixels, 0))
    assert not [name for name in layer_names(model) if "shortcut" in name or "average" in name]
    assert "block" in layer_names(model)


def test_the_shortcut_of_a_block_that_halves_is_averaged_and_projected():
    """Four pixels become their mean; at an odd edge, of those there are."""
    model = silent(network((2, 3, 1), residual, 2, "block", strides=2), "block")
    model.get_layer("block_shortcut_conv").set_weights([np.array([1.0, -1.0]).reshape(1, 1, 1, 2)])
    pixels = np.array([[1, 2, 5], [3, 6, 9]], np.float32).reshape(1, 2, 3, 1)
    expected = np.array([[3, 0], [7, 0]]) / np.sqrt(1 + EPSILON)  # (1 + 2 + 3 + 6) / 4, (5 + 9) / 2
    np.testing.assert_allclose(np.asarray(model(pixels, training=False))[0, 0], expected, rtol=1e-5)


@pytest.mark.parametrize(("filters", "strides"), [(4, 2), (6, 1)])
def test_a_shortcut_has_only_what_it_needs(filters, strides):
    names = layer_names(network((4, 4, 4), residual, filters, "block", strides=strides))
    assert ("block_average" in names) is (strides == 2)
    assert ("block_shortcut_conv" in names) is (filters == 6)


def test_a_block_adds_its_convolutions_to_the_shortcut():
    """One pixel, one channel: 2 + 3 * relu(0.5 * 2), and relu of it; for -2 nothing gets through."""
    model = network((1, 1, 1), residual, 1, "block")
    for number, weight in ((1, 0.5), (2, 3.0)):
        kernel = np.zeros((3, 3, 1, 1))
        kernel[1, 1] = weight * np.sqrt(1 + EPSILON)
        model.get_layer(f"block_{number}_conv").set_weights([kernel])
    pixels = np.array([2, -2], np.float32).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(np.ravel(model(pixels, training=False)), [5, 0], rtol=1e-5)


def test_an_embedding_is_float32_whatever_comes_before():
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = network((2, 2, 1), lambda image: embedding(flat(convolution(image, 1, 3, "a"), 3, "mine"), 3))
        rectified = network((4,), embedding, 3, activation="relu")
    finally:
        keras.mixed_precision.set_global_policy(before)
    assert model.get_layer("a_conv").compute_dtype == "bfloat16"
    assert model(images(2, 2, 2, 1)).dtype == "float32"
    assert {np.dtype(weight.dtype) for weight in model.get_weights()} == {np.dtype("float32")}
    out = np.asarray(rectified(images(9, 4)))
    assert out.min() == 0 < out.max()
