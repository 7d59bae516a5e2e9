import hashlib

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.config.catalog import TOWERS
from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.inception_resnet_v1 import (
    MIN_SIZE,
    inception_resnet_v1,
    inception_resnet_v1_parameters,
)

pytestmark = pytest.mark.slow  # a network of 23 million parameters


@pytest.fixture(scope="module")
def tower() -> keras.Model:
    """A tower for the smallest color images; its layers do not depend on the size of an image."""
    tower = inception_resnet_v1((MIN_SIZE, MIN_SIZE, 3), 512)
    rng = np.random.default_rng(0)
    for layer in tower.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.get_weights()[0].shape
            statistics = rng.normal(0, 0.1, count), rng.uniform(0.8, 1.2, count)
            layer.set_weights([rng.uniform(0.8, 1.2, count), rng.normal(0, 0.1, count), *statistics])
    return tower


@pytest.fixture(scope="module")
def outputs(tower):
    """Outputs of the layers for three images, by layer name."""
    pixels = np.random.default_rng(1).random((3, MIN_SIZE, MIN_SIZE, 3), np.float32)
    by_name = keras.Model(tower.input, {layer.name: layer.output for layer in tower.layers[1:]})(pixels, training=False)
    return {"image": pixels} | {name: np.asarray(output) for name, output in by_name.items()}


def test_it_has_the_parameters_of_facenet(tower):
    assert TOWERS["inception_resnet_v1"].embedding_dim == 512
    assert sum(int(np.prod(weight.shape)) for weight in tower.trainable_weights) == 23_482_624
    statistics = sum(int(np.prod(weight.shape)) for weight in tower.non_trainable_weights)
    assert tower.count_params() == 23_482_624 + statistics == 23_512_224
    assert inception_resnet_v1_parameters((160, 160, 3), 512) == 23_512_224


def test_an_image_becomes_an_embedding(tower, outputs):
    assert tower.input_shape == (None, MIN_SIZE, MIN_SIZE, 3)
    assert outputs["unit"].shape == (3, 512)
    assert outputs["unit"].dtype == np.float32
    assert np.ptp(outputs["unit"], axis=0).min() > 0
    alone = np.asarray(tower(outputs["image"][:1], training=False))
    np.testing.assert_allclose(outputs["unit"][:1], alone, atol=1e-5)


def test_an_embedding_has_length_one(outputs):
    lengths = np.linalg.norm(outputs["last_bn"], axis=1, keepdims=True)
    assert np.abs(lengths - 1).min() > 0.1
    np.testing.assert_allclose(outputs["unit"], outputs["last_bn"] / lengths, atol=1e-6)


def test_pixels_are_scaled_as_in_the_training_of_the_weights(outputs):
    expected = (255.0 * outputs["image"] - 127.5) / 128.0
    np.testing.assert_allclose(outputs["standardization"], expected, atol=1e-6)


def test_the_sides_shrink_as_published(tower):
    """75 pixels: 37, 35, 17, 15, 7, 3 and 1; 160 would have 79, 77, 38, 36, 17, 8 and 3."""
    convolutions = ("conv2d_1a.relu", "conv2d_2a.relu", "maxpool_3a", "conv2d_4a.relu", "conv2d_4b.relu")
    layers = [*convolutions, "mixed_6a", "mixed_7a"]
    shapes = [tuple(tower.get_layer(name).output.shape[1:]) for name in layers]
    sides, channels = [37, 35, 17, 15, 7, 3, 1], [32, 32, 64, 192, 256, 896, 1792]
    assert shapes == [(side, side, count) for side, count in zip(sides, channels, strict=True)]


@pytest.mark.parametrize(
    ("before", "block", "scale", "branches"),
    [
        ("conv2d_4b.relu", "repeat_1.0", 0.17, ("branch0", "branch1.1", "branch2.2")),
        ("repeat_1.3", "repeat_1.4", 0.17, ("branch0", "branch1.1", "branch2.2")),
        ("repeat_2.8", "repeat_2.9", 0.10, ("branch0", "branch1.2")),
        ("repeat_3.3", "repeat_3.4", 0.20, ("branch0", "branch1.2")),
        ("repeat_3.4", "block8", 1.0, ("branch0", "branch1.2")),
    ],
)
def test_a_block_adds_its_scaled_branches_to_its_input(tower, outputs, before, block, scale, branches):
    joined = np.concatenate([outputs[f"{block}.{branch}.relu"] for branch in branches], axis=-1)
    kernel, bias = tower.get_layer(f"{block}.conv2d").get_weights()
    expected = outputs[before] + scale * (joined @ kernel[0, 0] + bias)
    assert expected.min() < 0
    if block == "block8":  # the last one has no ReLU
        assert "block8" not in outputs
        np.testing.assert_allclose(outputs["block8.sum"], expected, atol=1e-3)
    else:
        np.testing.assert_allclose(outputs[block], np.maximum(expected, 0), atol=1e-3)


def test_a_reduction_concatenates_its_branches_before_the_pool(outputs):
    ends = {"mixed_6a": ["branch0", "branch1.2"], "mixed_7a": ["branch0.1", "branch1.1", "branch2.2"]}
    for name, branches in ends.items():
        joined = [*(outputs[f"{name}.{branch}.relu"] for branch in branches), outputs[f"{name}.pool"]]
        np.testing.assert_array_equal(outputs[name], np.concatenate(joined, axis=-1))


def test_the_embedding_is_the_projected_and_normalized_mean(tower, outputs):
    mean = outputs["block8.sum"].mean(axis=(1, 2))
    gamma, beta, average, variance = tower.get_layer("last_bn").get_weights()
    linear = mean @ tower.get_layer("last_linear").get_weights()[0]
    expected = gamma * (linear - average) / np.sqrt(variance + 1e-3) + beta
    np.testing.assert_allclose(outputs["last_bn"], expected, atol=1e-3)


def test_the_order_of_its_weights_in_a_model_file_is_the_same_on_every_stack(tower):
    """The names in a model file number the layers, and Keras chooses the order of parallel branches."""
    names = [layer.name for layer in tower.layers if layer.weights]
    assert len(names) == 245
    assert hashlib.sha256("\n".join(names).encode()).hexdigest().startswith("c50e1687fcaa62ac")


def test_images_too_small_are_refused():
    for size in ((74, 75, 3), (160, 74, 1)):
        with pytest.raises(ConfigError, match="inception_resnet_v1 needs images of at least 75x75 pixels"):
            inception_resnet_v1(size, 4)
