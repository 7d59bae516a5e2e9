import hashlib

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.config.catalog import TOWER_DEFAULTS
from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.inception_resnet_v1 import MIN_SIZE, inception_resnet_v1


@pytest.fixture(scope="module")
def tower() -> keras.Model:
    """For the smallest colour images; what a layer is does not depend on the size of an image."""
    tower = inception_resnet_v1((MIN_SIZE, MIN_SIZE, 3), 512)
    rng = np.random.default_rng(0)
    for layer in tower.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.get_weights()[0].shape
            statistics = rng.normal(0, 0.1, count), rng.uniform(0.8, 1.2, count)
            layer.set_weights([rng.uniform(0.8, 1.2, count), rng.normal(0, 0.1, count), *statistics])
    return tower


@pytest.fixture(scope="module")
def seen(tower):
    """What each layer gives for three images, by its name."""
    pixels = np.random.default_rng(1).random((3, MIN_SIZE, MIN_SIZE, 3), np.float32)
    outputs = keras.Model(tower.input, {layer.name: layer.output for layer in tower.layers[1:]})(pixels, training=False)
    return {"image": pixels} | {name: np.asarray(output) for name, output in outputs.items()}


def test_it_has_the_parameters_of_facenet(tower):
    assert TOWER_DEFAULTS["inception_resnet_v1"].embedding_dim == 512
    assert sum(int(np.prod(weight.shape)) for weight in tower.trainable_weights) == 23_482_624
    statistics = sum(int(np.prod(weight.shape)) for weight in tower.non_trainable_weights)
    assert tower.count_params() == 23_482_624 + statistics == 23_512_224


def test_an_image_becomes_an_embedding(tower, seen):
    assert tower.input_shape == (None, MIN_SIZE, MIN_SIZE, 3)
    assert seen["unit"].shape == (3, 512)
    assert seen["unit"].dtype == np.float32
    assert np.ptp(seen["unit"], axis=0).min() > 0
    alone = np.asarray(tower(seen["image"][:1], training=False))
    np.testing.assert_allclose(seen["unit"][:1], alone, atol=1e-5)


def test_an_embedding_is_of_length_one(seen):
    lengths = np.linalg.norm(seen["last_bn"], axis=1, keepdims=True)
    assert np.abs(lengths - 1).min() > 0.1
    np.testing.assert_allclose(seen["unit"], seen["last_bn"] / lengths, atol=1e-6)


def test_pixels_are_brought_to_where_the_weights_were_trained(seen):
    expected = (255.0 * seen["image"] - 127.5) / 128.0
    np.testing.assert_allclose(seen["standardisation"], expected, atol=1e-6)


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
def test_a_block_adds_a_share_of_its_branches_to_what_came(tower, seen, before, block, scale, branches):
    joined = np.concatenate([seen[f"{block}.{branch}.relu"] for branch in branches], axis=-1)
    kernel, bias = tower.get_layer(f"{block}.conv2d").get_weights()
    expected = seen[before] + scale * (joined @ kernel[0, 0] + bias)
    assert expected.min() < 0
    if block == "block8":  # the last one does not rectify
        assert "block8" not in seen
        np.testing.assert_allclose(seen["block8.sum"], expected, atol=1e-3)
    else:
        np.testing.assert_allclose(seen[block], np.maximum(expected, 0), atol=1e-3)


def test_a_reduction_sets_its_branches_before_the_pool(seen):
    ends = {"mixed_6a": ["branch0", "branch1.2"], "mixed_7a": ["branch0.1", "branch1.1", "branch2.2"]}
    for name, branches in ends.items():
        joined = [*(seen[f"{name}.{branch}.relu"] for branch in branches), seen[f"{name}.pool"]]
        np.testing.assert_array_equal(seen[name], np.concatenate(joined, axis=-1))


def test_the_embedding_is_the_normalised_mean_brought_to_its_dimensions(tower, seen):
    mean = seen["block8.sum"].mean(axis=(1, 2))
    gamma, beta, average, variance = tower.get_layer("last_bn").get_weights()
    linear = mean @ tower.get_layer("last_linear").get_weights()[0]
    expected = gamma * (linear - average) / np.sqrt(variance + 1e-3) + beta
    np.testing.assert_allclose(seen["last_bn"], expected, atol=1e-3)


def test_the_order_of_its_weights_in_a_model_file_is_the_same_on_every_stack(tower):
    """A file numbers the layers, whose order Keras chooses where branches stand side by side."""
    names = [layer.name for layer in tower.layers if layer.weights]
    assert len(names) == 245
    assert hashlib.sha256("\n".join(names).encode()).hexdigest().startswith("c50e1687fcaa62ac")


def test_images_too_small_are_refused():
    for size in ((74, 75, 3), (160, 74, 1)):
        with pytest.raises(ConfigError, match="inception_resnet_v1 needs images of at least 75x75 pixels"):
            inception_resnet_v1(size, 4)
