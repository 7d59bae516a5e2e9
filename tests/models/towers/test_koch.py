import numpy as np
import pytest

from siamese_tf.config.catalog import TOWERS
from siamese_tf.errors import ConfigError
from siamese_tf.models.towers import koch as module
from siamese_tf.models.towers.koch import MIN_SIZE, koch, koch_parameters


def test_the_published_network_has_the_parameters_of_its_layers():
    # 105 - 9 = 96, pooled 48, - 6 = 42, pooled 21, - 3 = 18, pooled 9, - 3 = 6: 6 * 6 * 256 = 9,216 features.
    convolutions = (10 * 10 * 1 + 1) * 64 + (7 * 7 * 64 + 1) * 128 + (4 * 4 * 128 + 1) * 128 + (4 * 4 * 128 + 1) * 256
    assert convolutions == 1_194_816
    assert convolutions + (9_216 + 1) * 4_096 == 38_947_648
    assert koch_parameters((105, 105, 1), 4_096) == 38_947_648


def test_the_published_network_may_be_built(monkeypatch):
    """All layers except the last, which would take 160 MiB."""
    assert TOWERS["koch"].embedding_dim == 4_096
    monkeypatch.setattr(module, "embedding", lambda x, *_, **__: x)
    assert koch((105, 105, 1), 4_096).output_shape == (None, 9_216)


@pytest.mark.parametrize(("size", "dimensions"), [((65, 65, 1), 1), ((66, 97, 3), 3), ((112, 92, 1), 2)])
def test_its_parameters_are_counted_without_it(size, dimensions):
    assert koch(size, dimensions).count_params() == koch_parameters(size, dimensions)


def test_an_image_becomes_an_embedding_between_0_and_1():
    tower = koch((MIN_SIZE, 70, 3), 5)
    pixels = np.random.default_rng(1).random((3, MIN_SIZE, 70, 3), np.float32)
    embeddings = np.asarray(tower(pixels, training=False))
    assert tower.input_shape == (None, MIN_SIZE, 70, 3)
    assert (embeddings.shape, embeddings.dtype) == ((3, 5), np.float32)
    assert 0 < embeddings.min() < embeddings.max() < 1
    assert np.ptp(embeddings, axis=0).min() > 0
    alone = np.concatenate([tower(pixels[i : i + 1], training=False) for i in range(3)])
    np.testing.assert_allclose(embeddings, alone, atol=1e-6)


def test_the_last_layer_has_a_sigmoid_and_the_others_rectify():
    tower = koch((MIN_SIZE, MIN_SIZE, 1), 2)
    tower.set_weights([np.zeros_like(weight) for weight in tower.get_weights()])
    kernel, bias = tower.get_layer("embedding").get_weights()
    tower.get_layer("embedding").set_weights([np.ones_like(kernel), np.array([0, np.log(3)])])
    tower.get_layer("conv4").set_weights([tower.get_layer("conv4").get_weights()[0], np.full(256, -1.0)])
    np.testing.assert_allclose(tower(np.zeros((1, MIN_SIZE, MIN_SIZE, 1))), [[0.5, 0.75]], rtol=1e-6)
    assert bias.shape == (2,)


def test_the_initial_weights_are_those_of_the_original():
    tower = koch((MIN_SIZE, MIN_SIZE, 1), 64)
    for layer in tower.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            deviation = 0.2 if layer.name == "embedding" else 0.01
            assert (kernel.mean(), kernel.std()) == pytest.approx((0, deviation), abs=0.1 * deviation)
            assert (bias.mean(), bias.std()) == pytest.approx((0.5, 0.01), abs=0.005)
            assert len(np.unique(kernel)) > kernel.size / 2
    conv2, conv3 = (tower.get_layer(name).get_weights()[1] for name in ("conv2", "conv3"))
    assert not np.array_equal(conv2, conv3)


@pytest.mark.parametrize("size", [(64, 65, 1), (105, 64, 3)])
def test_images_too_small_are_refused(size):
    with pytest.raises(ConfigError, match=f"koch needs images of at least 65x65 pixels; got {size[0]}x{size[1]}"):
        koch(size, 4)


def test_a_network_too_large_for_memory_is_refused_before_it_is_built():
    # 256 - 9 = 247 -> 123 - 6 = 117 -> 58 - 3 = 55 -> 27 - 3 = 24: 24 * 24 * 256 * 4,096 weights.
    with pytest.raises(
        ConfigError,
        match="koch must have at most 41,943,040 .*; got 603,979,776 .* Use the tower small_cnn, or smaller",
    ):
        koch((256, 256, 1), 4_096)
