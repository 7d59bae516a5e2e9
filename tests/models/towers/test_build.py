import re

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.config.catalog import TOWER_NAMES
from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.build import TOWERS, reference, resnet, small_cnn, tnn


def images(size: tuple[int, int, int], count: int = 2) -> np.ndarray:
    return np.random.default_rng(1).random((count, *size), dtype=np.float32)


def test_the_config_knows_every_tower():
    assert tuple(TOWERS) == TOWER_NAMES


def test_reference_has_the_parameters_of_the_original():
    # Conv 8: 3*3*1*8 + 8 = 80. Conv 16: 3*3*8*16 + 16 = 1,168. 24x24 pooled to 12x12x16 = 2,304; Dense: 2,304*32 + 32.
    assert 80 + 1_168 + 73_760 == 75_008
    assert reference((28, 28, 1), 32).count_params() == 75_008


@pytest.mark.parametrize("tower", [small_cnn, resnet])
def test_a_tower_has_the_parameters_its_docstring_says(tower):
    said = int(re.search(r"([\d,]+) parameters at 128 dimensions", tower.__doc__)[1].replace(",", ""))
    assert tower((28, 28, 1), 128).count_params() == pytest.approx(said, rel=0.01)


def test_resnet_has_the_parameters_of_its_blocks():
    def convolution(size, before, after):  # no bias; four numbers of batch normalisation for every channel
        return size * size * before * after + 4 * after

    same = [2 * convolution(3, filters, filters) for filters in (16, 32, 64)]
    wider = [
        sum(convolution(size, *sizes) for size, sizes in ((3, (n, 2 * n)), (3, (2 * n, 2 * n)), (1, (n, 2 * n))))
        for n in (16, 32)
    ]
    expected = convolution(3, 1, 16) + 3 * same[0] + wider[0] + 2 * same[1] + wider[1] + 2 * same[2] + 64 * 128 + 128
    assert resnet((28, 28, 1), 128).count_params() == expected == 281_424


def test_tnn_has_the_parameters_of_the_original():
    # Conv 128: 7*7*1*128 + 128 = 6,400. Conv 256: 5*5*128*256 + 256 = 819,456. 28 - 6 = 22, pooled to 11, - 4 = 7,
    # pooled to 3: 3*3*256 = 2,304; Dense: 2,304*128 + 128 = 295,040.
    assert 6_400 + 819_456 + 295_040 == 1_120_896
    assert tnn((28, 28, 1), 128).count_params() == 1_120_896


def test_tnn_brings_pixels_to_the_mean_and_the_deviation_of_mnist():
    # (0.1307 - 0.1307) / 0.3081 = 0, (0.4388 - 0.1307) / 0.3081 = 1, (1 - 0.1307) / 0.3081 = 2.8215
    tower = tnn((18, 18, 1), 3)
    pixels = np.full((1, 18, 18, 1), 0.1307, np.float32)
    pixels[0, 0, :3, 0] = 0, 0.4388, 1
    normal = np.asarray(tower.get_layer("normalisation")(pixels))
    np.testing.assert_allclose(normal[0, 0, :4, 0], [-0.4242, 1, 2.8215, 0], atol=5e-5)
    # Biases begin at 0, so an image of nothing but the mean becomes 0, if it is the normal pixels that are convolved.
    plain = np.full((2, 18, 18, 1), 0.1307, np.float32)
    plain[1] = 0
    mean, black = np.abs(tower(plain, training=False))
    assert mean.max() < 1e-6 < 1e-3 < black.max()


SIZES = [(8, 8, 1), (8, 8, 3), (18, 18, 1), (28, 28, 1), (30, 20, 1), (112, 112, 3)]
OWN_TESTS = {"koch", "inception_resnet_v1", "mobilenet_v2", "resnet50"}
HERE = [tower for name, tower in TOWERS.items() if name not in OWN_TESTS]
TAKEN = [(tower, size) for tower in HERE for size in SIZES if tower is not tnn or min(size[:2]) >= 18]
TAKEN += [(tower, (160, 225, 1)) for tower in (small_cnn, resnet)]


@pytest.mark.parametrize(("tower", "size"), TAKEN, ids=lambda value: getattr(value, "__name__", str(value)))
def test_an_image_becomes_an_embedding(tower, size):
    model, rng = tower(size, 5), np.random.default_rng(2)
    model.set_weights([rng.uniform(0, 0.1, weight.shape) for weight in model.get_weights()])
    embeddings = np.asarray(model(images(size), training=False))
    assert model.input_shape == (None, *size)
    assert embeddings.shape == (2, 5)
    assert embeddings.dtype == np.float32
    assert np.isfinite(embeddings).all()
    assert embeddings.min() > 0
    assert np.ptp(embeddings, axis=0).min() > 0


@pytest.mark.parametrize("build", [small_cnn, resnet])
def test_an_embedding_does_not_depend_on_its_neighbours(build):
    tower, stack = build((8, 8, 1), 5), images((8, 8, 1), count=4)
    alone = np.concatenate([tower(stack[i : i + 1], training=False) for i in range(4)])
    np.testing.assert_allclose(tower(stack, training=False), alone, atol=1e-5)


def test_small_cnn_halves_large_images_before_they_cost():
    """First convolution at full, half, and half resolution with a pool after it."""
    sides = {size: small_cnn((size, size, 1), 4).get_layer("block2_conv").output.shape[1] for size in (19, 20, 55, 56)}
    assert sides == {19: 19, 20: 10, 55: 28, 56: 14}


@pytest.mark.parametrize(
    ("size", "sides"),
    [(28, (28, 14, 7)), (55, (55, 28, 14)), (56, (28, 14, 7)), (111, (56, 28, 14)), (112, (28, 14, 7))],
)
def test_resnet_halves_large_images_before_they_cost(size, sides):
    """Three blocks each at full, half and quarter resolution of what the stem leaves."""
    tower = resnet((size + 20, size, 1), 4)
    for stage, (side, filters) in enumerate(zip(sides, (16, 32, 64), strict=True), start=1):
        for block in (1, 2, 3):
            assert tuple(tower.get_layer(f"stage{stage}_block{block}").output.shape[2:]) == (side, filters)


@pytest.mark.parametrize("size", [(8, 8, 1), (56, 60, 3)])
def test_a_loss_reaches_every_weight_of_resnet(size):
    tower, rng = resnet(size, 5), np.random.default_rng(3)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tower(images(size, count=4), training=True) * rng.normal(size=(4, 5)).astype(np.float32))
    gradients = tape.gradient(loss, tower.trainable_variables)
    assert len(gradients) == 3 * (1 + 18 + 2) + 2
    for gradient, variable in zip(gradients, tower.trainable_variables, strict=True):
        assert np.isfinite(gradient).all(), variable.name
        assert np.abs(gradient).max() > 0, variable.name


@pytest.mark.parametrize(
    ("tower", "size", "least"),
    [
        (small_cnn, (7, 7, 1), "8x8 pixels; got 7x7"),
        (small_cnn, (28, 7, 3), "8x8 pixels; got 28x7"),
        (resnet, (7, 28, 1), "8x8 pixels; got 7x28"),
        (reference, (5, 30, 1), "6x6 pixels; got 5x30"),
        (tnn, (17, 17, 1), "18x18 pixels; got 17x17"),
        (tnn, (28, 17, 3), "18x18 pixels; got 28x17"),
    ],
)
def test_images_too_small_are_refused(tower, size, least):
    with pytest.raises(ConfigError, match=f"{tower.__name__} needs images of at least {least}"):
        tower(size, 4)


def test_the_smallest_images_work():
    assert reference((6, 6, 1), 3)(images((6, 6, 1))).shape == (2, 3)
    assert small_cnn((8, 8, 1), 3)(images((8, 8, 1))).shape == (2, 3)
    assert resnet((8, 8, 1), 3)(images((8, 8, 1))).shape == (2, 3)
    assert tnn((18, 18, 1), 3)(images((18, 18, 1))).shape == (2, 3)


@pytest.mark.parametrize(
    ("tower", "weights"),
    [
        # 2,048 -> 2,044 after the convolutions -> 1,022 pooled, 16 channels, 4,096 dimensions: 274 GB of float32.
        (reference, "68,451,303,424"),
        # 2,048 - 6 = 2,042 -> 1,021 pooled - 4 = 1,017 -> 508 pooled, 256 channels, 4,096 dimensions: 1,082 GB.
        (tnn, "270,599,716,864"),
    ],
)
def test_a_network_no_memory_can_hold_is_refused_before_it_is_made(tower, weights):
    expected = f"tower {tower.__name__} would need {weights} weights .* Use the tower small_cnn"
    with pytest.raises(ConfigError, match=expected):
        tower((2048, 2048, 1), 4096)
