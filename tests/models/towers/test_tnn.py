import numpy as np
import pytest

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.tnn import tnn, tnn_parameters


def test_it_has_the_parameters_of_the_original():
    # Conv 128: 7*7*1*128 + 128 = 6,400. Conv 256: 5*5*128*256 + 256 = 819,456. 28 - 6 = 22, pooled to 11, - 4 = 7,
    # pooled to 3: 3*3*256 = 2,304; Dense: 2,304*128 + 128 = 295,040.
    assert 6_400 + 819_456 + 295_040 == 1_120_896
    assert tnn((28, 28, 1), 128).count_params() == 1_120_896


@pytest.mark.parametrize("dimensions", [1, 7])
@pytest.mark.parametrize("size", [(18, 19, 1), (29, 40, 3)])
def test_its_parameters_are_counted_without_it(size, dimensions):
    assert tnn(size, dimensions).count_params() == tnn_parameters(size, dimensions)


def test_pixels_are_standardized_by_the_mean_and_the_deviation_of_mnist():
    # (0.1307 - 0.1307) / 0.3081 = 0, (0.4388 - 0.1307) / 0.3081 = 1, (1 - 0.1307) / 0.3081 = 2.8215
    tower = tnn((18, 18, 1), 3)
    pixels = np.full((1, 18, 18, 1), 0.1307, np.float32)
    pixels[0, 0, :3, 0] = 0, 0.4388, 1
    standardized = np.asarray(tower.get_layer("normalization")(pixels))
    np.testing.assert_allclose(standardized[0, 0, :4, 0], [-0.4242, 1, 2.8215, 0], atol=5e-5)
    # Biases start at 0, so the embedding of the mean image is 0 if the convolutions read the standardized pixels.
    constant = np.full((2, 18, 18, 1), 0.1307, np.float32)
    constant[1] = 0
    mean, black = np.abs(tower(constant, training=False))
    assert mean.max() < 1e-6 < 1e-3 < black.max()


@pytest.mark.parametrize("size", [(18, 18, 1), (28, 28, 1), (30, 20, 1), (112, 112, 3)])
def test_an_image_becomes_an_embedding(check_embeddings, size):
    check_embeddings(tnn, size)


@pytest.mark.parametrize(("size", "sides"), [((17, 17, 1), "17x17"), ((28, 17, 3), "28x17")])
def test_images_too_small_are_refused(size, sides):
    with pytest.raises(ConfigError, match=f"tnn needs images of at least 18x18 pixels; got {sides}"):
        tnn(size, 4)


def test_the_smallest_images_work(images):
    assert tnn((18, 18, 1), 3)(images((18, 18, 1))).shape == (2, 3)


def test_a_network_too_large_for_memory_is_refused_before_it_is_built():
    # 2,048 - 6 = 2,042 -> 1,021 pooled - 4 = 1,017 -> 508 pooled, 256 channels, 4,096 dimensions: 1,082 GB.
    with pytest.raises(ConfigError, match="tower tnn must have .*; got 270,599,716,864 .* Use the tower small_cnn"):
        tnn((2048, 2048, 1), 4096)
