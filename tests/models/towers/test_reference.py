import pytest

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.reference import reference, reference_parameters


def test_it_has_the_parameters_of_the_original():
    # Conv 8: 3*3*1*8 + 8 = 80. Conv 16: 3*3*8*16 + 16 = 1,168. 24x24 pooled to 12x12x16 = 2,304; Dense: 2,304*32 + 32.
    assert 80 + 1_168 + 73_760 == 75_008
    assert reference((28, 28, 1), 32).count_params() == 75_008


@pytest.mark.parametrize("dimensions", [1, 7])
@pytest.mark.parametrize("size", [(6, 7, 1), (9, 28, 3)])
def test_its_parameters_are_counted_without_it(size, dimensions):
    assert reference(size, dimensions).count_params() == reference_parameters(size, dimensions)


@pytest.mark.parametrize("size", [(8, 8, 1), (8, 8, 3), (18, 18, 1), (28, 28, 1), (30, 20, 1), (112, 112, 3)])
def test_an_image_becomes_an_embedding(check_embeddings, size):
    check_embeddings(reference, size)


def test_images_too_small_are_refused():
    with pytest.raises(
        ConfigError, match="reference needs images of at least 6x6 pixels; got 5x30. Use larger images$"
    ):
        reference((5, 30, 1), 4)


def test_the_smallest_images_work(images):
    assert reference((6, 6, 1), 3)(images((6, 6, 1))).shape == (2, 3)


def test_a_network_too_large_for_memory_is_refused_before_it_is_built():
    # 2,048 -> 2,044 after the convolutions -> 1,022 pooled, 16 channels, 4,096 dimensions: 274 GB of float32.
    with pytest.raises(
        ConfigError, match="tower reference must have .*; got 68,451,303,424 .* Use the tower small_cnn"
    ):
        reference((2048, 2048, 1), 4096)
