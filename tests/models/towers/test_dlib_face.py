import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers import dlib_face as module
from siamese_tf.models.towers.dlib_face import MIN_SIZE, dlib_face, dlib_face_parameters


def test_images_become_embeddings():
    tower = dlib_face((MIN_SIZE, MIN_SIZE, 3), 8)
    embeddings = np.asarray(tower(np.random.default_rng(0).random((2, MIN_SIZE, MIN_SIZE, 3), np.float32)))
    assert (embeddings.shape, embeddings.dtype) == ((2, 8), np.float32)
    assert np.isfinite(embeddings).all()


def test_its_docstring_has_its_number_of_parameters():
    assert f"{dlib_face_parameters((150, 150, 3), 128):,} parameters" in dlib_face.__doc__


def test_it_has_29_convolutions():
    layers = dlib_face((150, 150, 3), 128).layers
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in layers) == 29


def test_the_minimum_is_the_smallest_size_with_an_output(monkeypatch):
    monkeypatch.setattr(module, "MIN_SIZE", 1)
    with pytest.raises(Exception, match="(?i)negative"):
        dlib_face((MIN_SIZE - 1, MIN_SIZE - 1, 3), 8)


@pytest.mark.parametrize(("size", "finding"), [((150, 102, 3), "at least 103x103"), ((150, 150, 1), "color images")])
def test_other_images_are_refused(size, finding):
    with pytest.raises(ConfigError, match=finding):
        dlib_face(size, 8)


def test_a_halving_block_adds_zeros_below_on_the_right_and_as_channels():
    """A convolution of zeros leaves the shortcut, averaged and with twice as many channels."""
    image = keras.Input((8, 8, 2))
    block = keras.Model(image, module._residual(image, 4, "block", halves=True))
    block.set_weights([np.zeros(weight.shape) for weight in block.get_weights()])
    pixels = np.random.default_rng(0).random((1, 8, 8, 2), np.float32)
    expected = pixels.reshape(1, 4, 2, 4, 2, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(np.asarray(block(pixels)), np.concatenate([expected, 0 * expected], -1), rtol=1e-6)
    ones = [np.zeros(weight.shape) if weight.ndim == 4 else np.ones(weight.shape) for weight in block.get_weights()]
    block.set_weights(ones)
    added = np.asarray(block(0 * pixels))[0, :, :, 0]
    np.testing.assert_array_equal(added, [[1, 1, 1, 0]] * 3 + [[0, 0, 0, 0]])
