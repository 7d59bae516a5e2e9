import hashlib

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.blocks import BATCH_NORM_MOMENTUM
from siamese_tf.models.towers.imagenet import mobilenet_v2, mobilenet_v2_parameters, resnet50, resnet50_parameters

DIMENSIONS = 3
# Parameters before the last layer, its input features, number of layers with weights, hash of their names.
FACTS = {
    mobilenet_v2: (2_257_984, 1_280, 105, "b64dc2e4a79a6fb2"),
    resnet50: (23_587_712, 2_048, 107, "fa00711f69884d5d"),
}
VARIANCES = {
    mobilenet_v2: (0.02, 0.04),
    resnet50: (0.8, 1.2),
}  # with which the signal of an image reaches the last layer


@pytest.fixture(
    scope="module",
    params=[mobilenet_v2, pytest.param(resnet50, marks=pytest.mark.slow)],
    ids=lambda build: build.__name__,
)
def built(request):
    """A tower and its numbers; its moving statistics are random instead of 0 and 1."""
    keras.utils.set_random_seed(0)
    tower = request.param((32, 40, 3), DIMENSIONS)
    rng = np.random.default_rng(0)
    for layer in tower.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.get_weights()[0].shape
            scale, variance = rng.uniform(0.8, 1.2, count), rng.uniform(*VARIANCES[request.param], count)
            layer.set_weights([scale, *rng.normal(0, 0.1, (2, *count)), variance])
    return tower, FACTS[request.param]


def test_it_has_the_parameters_its_docstring_says(built):
    tower, (parameters, features, *_) = built
    assert tower.count_params() == parameters + (features + 1) * DIMENSIONS
    count = {"mobilenet_v2": mobilenet_v2_parameters, "resnet50": resnet50_parameters}[tower.name]
    assert count((32, 40, 3), DIMENSIONS) == tower.count_params()
    docstring = {"mobilenet_v2": mobilenet_v2, "resnet50": resnet50}[tower.name].__doc__
    assert f"{features:,} pooled features: {parameters:,} parameters before that layer" in docstring


def test_an_image_becomes_an_embedding(built):
    tower, _ = built
    pixels = np.random.default_rng(1).random((3, 32, 40, 3), np.float32)
    embeddings = np.asarray(tower(pixels, training=False))
    assert tower.input_shape == (None, 32, 40, 3)
    assert (embeddings.shape, embeddings.dtype) == ((3, DIMENSIONS), np.float32)
    assert np.isfinite(embeddings).all()
    assert np.ptp(embeddings, axis=0).min() > 0.01 * np.abs(embeddings).max()


def test_pixels_are_preprocessed_as_in_the_training_of_the_weights(built):
    """Like `preprocess_input` of `keras.applications`, except for the order of the channels."""
    tower, _ = built
    pixels = np.random.default_rng(2).integers(0, 256, (1, 32, 40, 3)).astype(np.float32)
    if tower.name == "resnet50":
        expected = keras.applications.resnet50.preprocess_input(pixels.copy())[..., ::-1]
    else:
        expected = keras.applications.mobilenet_v2.preprocess_input(pixels.copy())
    np.testing.assert_allclose(tower.get_layer("normalization")(pixels / 255), expected, atol=1e-4)


def test_statistics_follow_in_short_runs_too(built):
    momenta = {layer.momentum for layer in built[0].layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta == {BATCH_NORM_MOMENTUM}


def test_the_order_of_its_weights_in_a_model_file_is_the_same_on_every_stack(built):
    """The names in a model file number the layers, and Keras chooses the order of parallel branches."""
    tower, (_, _, count, digest) = built
    names = [layer.name for layer in tower.layers if layer.weights]
    assert len(names) == count
    assert hashlib.sha256("\n".join(names).encode()).hexdigest().startswith(digest)


@pytest.mark.parametrize("build", FACTS)
def test_images_too_small_or_gray_are_refused(build):
    with pytest.raises(ConfigError, match=f"tower {build.__name__} needs images of at least 32x32 pixels; got 31x40"):
        build((31, 40, 3), 2)
    with pytest.raises(ConfigError, match=f"tower {build.__name__} needs color images with 3 channels; got 1"):
        build((32, 32, 1), 2)
