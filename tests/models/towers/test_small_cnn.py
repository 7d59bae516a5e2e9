import re

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.small_cnn import small_cnn, small_cnn_parameters, small_cnn_v2

both = pytest.mark.parametrize("build", [small_cnn, small_cnn_v2])


@both
def test_it_has_the_parameters_its_docstring_says(build):
    stated = int(re.search(r"([\d,]+) parameters for 128 dimensions", small_cnn.__doc__)[1].replace(",", ""))
    assert build((28, 28, 1), 128).count_params() == pytest.approx(stated, rel=0.01)


@both
@pytest.mark.parametrize("dimensions", [1, 7])
@pytest.mark.parametrize("size", [(8, 9, 1), (57, 60, 3)])
def test_its_parameters_are_counted_without_it(build, size, dimensions):
    assert build(size, dimensions).count_params() == small_cnn_parameters(size, dimensions)


@both
@pytest.mark.parametrize(
    "size", [(8, 8, 1), (8, 8, 3), (18, 18, 1), (28, 28, 1), (30, 20, 1), (112, 112, 3), (160, 225, 1)]
)
def test_an_image_becomes_an_embedding(check_embeddings, build, size):
    check_embeddings(build, size)


@both
def test_an_embedding_does_not_depend_on_the_rest_of_the_batch(images, build):
    tower, stack = build((8, 8, 1), 5), images((8, 8, 1), count=4)
    alone = np.concatenate([tower(stack[i : i + 1], training=False) for i in range(4)])
    np.testing.assert_allclose(tower(stack, training=False), alone, atol=1e-5)


@both
def test_large_images_are_halved_by_the_first_layers(build):
    """First convolution at full, half, and half resolution with a pool after it."""
    sides = {size: build((size, size, 1), 4).get_layer("block2_conv").output.shape[1] for size in (19, 20, 55, 56)}
    assert sides == {19: 19, 20: 10, 55: 28, 56: 14}


def test_the_second_version_pools_before_it_normalizes(images):
    """A max-pool of increasing functions is one of their arguments, so they differ in training only."""
    first, second = small_cnn((57, 60, 3), 4), small_cnn_v2((57, 60, 3), 4)
    kinds = [
        [type(layer) for layer in tower.layers if isinstance(layer, keras.layers.MaxPooling2D | keras.layers.ReLU)]
        for tower in (first, second)
    ]
    pool, relu = keras.layers.MaxPooling2D, keras.layers.ReLU
    assert kinds == [[relu, pool] * 3 + [relu], [pool, relu] * 3 + [relu]]
    second.set_weights(first.get_weights())
    stack = images((57, 60, 3), count=8)
    np.testing.assert_allclose(second(stack, training=False), first(stack, training=False), atol=1e-5)
    assert np.abs(second(stack, training=True) - first(stack, training=True)).max() > 0.01


@both
@pytest.mark.parametrize(("size", "sides"), [((7, 7, 1), "7x7"), ((28, 7, 3), "28x7")])
def test_images_too_small_are_refused(build, size, sides):
    with pytest.raises(ConfigError, match=f"{build.__name__} needs images of at least 8x8 pixels; got {sides}"):
        build(size, 4)


@both
def test_the_smallest_images_work(images, build):
    assert build((8, 8, 1), 3)(images((8, 8, 1))).shape == (2, 3)
