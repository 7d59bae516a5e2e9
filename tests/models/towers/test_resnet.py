import re

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.resnet import resnet, resnet_parameters


def test_it_has_the_parameters_its_docstring_says():
    stated = int(re.search(r"([\d,]+) parameters for 128 dimensions", resnet.__doc__)[1].replace(",", ""))
    assert resnet((28, 28, 1), 128).count_params() == pytest.approx(stated, rel=0.01)


def test_it_has_the_parameters_of_its_blocks():
    def convolution(size, before, after):  # no bias; four values of batch normalization for every channel
        return size * size * before * after + 4 * after

    same = [2 * convolution(3, filters, filters) for filters in (16, 32, 64)]
    wider = [
        sum(convolution(size, *sizes) for size, sizes in ((3, (n, 2 * n)), (3, (2 * n, 2 * n)), (1, (n, 2 * n))))
        for n in (16, 32)
    ]
    expected = convolution(3, 1, 16) + 3 * same[0] + wider[0] + 2 * same[1] + wider[1] + 2 * same[2] + 64 * 128 + 128
    assert resnet((28, 28, 1), 128).count_params() == expected == 281_424


@pytest.mark.parametrize("dimensions", [1, 7])
@pytest.mark.parametrize("size", [(8, 8, 1), (60, 64, 3)])
def test_its_parameters_are_counted_without_it(size, dimensions):
    assert resnet(size, dimensions).count_params() == resnet_parameters(size, dimensions)


@pytest.mark.parametrize(
    "size", [(8, 8, 1), (8, 8, 3), (18, 18, 1), (28, 28, 1), (30, 20, 1), (112, 112, 3), (160, 225, 1)]
)
def test_an_image_becomes_an_embedding(check_embeddings, size):
    check_embeddings(resnet, size)


def test_an_embedding_does_not_depend_on_the_rest_of_the_batch(images):
    tower, stack = resnet((8, 8, 1), 5), images((8, 8, 1), count=4)
    alone = np.concatenate([tower(stack[i : i + 1], training=False) for i in range(4)])
    np.testing.assert_allclose(tower(stack, training=False), alone, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "sides"),
    [(28, (28, 14, 7)), (55, (55, 28, 14)), (56, (28, 14, 7)), (111, (56, 28, 14)), (112, (28, 14, 7))],
)
def test_large_images_are_halved_by_the_first_layers(size, sides):
    """Three blocks each at full, half and quarter resolution of the output of the stem."""
    tower = resnet((size + 20, size, 1), 4)
    for stage, (side, filters) in enumerate(zip(sides, (16, 32, 64), strict=True), start=1):
        for block in (1, 2, 3):
            assert tuple(tower.get_layer(f"stage{stage}_block{block}").output.shape[2:]) == (side, filters)


@pytest.mark.parametrize("size", [(8, 8, 1), (56, 60, 3)])
def test_a_loss_reaches_every_weight(images, size):
    tower, rng = resnet(size, 5), np.random.default_rng(3)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tower(images(size, count=4), training=True) * rng.normal(size=(4, 5)).astype(np.float32))
    gradients = tape.gradient(loss, tower.trainable_variables)
    assert len(gradients) == 3 * (1 + 18 + 2) + 2
    for gradient, variable in zip(gradients, tower.trainable_variables, strict=True):
        assert np.isfinite(gradient).all(), variable.name
        assert np.abs(gradient).max() > 0, variable.name


def test_images_too_small_are_refused():
    with pytest.raises(ConfigError, match="resnet needs images of at least 8x8 pixels; got 7x28"):
        resnet((7, 28, 1), 4)


def test_the_smallest_images_work(images):
    assert resnet((8, 8, 1), 3)(images((8, 8, 1))).shape == (2, 3)
