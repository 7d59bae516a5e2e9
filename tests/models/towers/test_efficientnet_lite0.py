import numpy as np
import pytest

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.efficientnet_lite0 import efficientnet_lite0, efficientnet_lite0_parameters


@pytest.mark.parametrize(("dimensions", "last"), [(1280, "average"), (16, "embedding")])
def test_images_become_embeddings(dimensions, last):
    tower = efficientnet_lite0((40, 32, 3), dimensions)
    assert tower.layers[-1].name == last
    embeddings = np.asarray(tower(np.random.default_rng(0).random((2, 40, 32, 3), np.float32)))
    assert (embeddings.shape, embeddings.dtype) == ((2, dimensions), np.float32)
    assert np.isfinite(embeddings).all()
    assert tower.count_params() == efficientnet_lite0_parameters((40, 32, 3), dimensions)


def test_its_docstring_has_its_number_of_parameters():
    assert f"{efficientnet_lite0_parameters((224, 224, 3), 1280):,} parameters" in efficientnet_lite0.__doc__


def test_pixels_are_scaled_to_the_input_range_of_the_weights():
    scaled = efficientnet_lite0((32, 32, 3), 4).get_layer("normalization")(np.array([[[[0.0, 0.5, 1.0]]]]))
    np.testing.assert_allclose(np.asarray(scaled), [[[[-127 / 128, 0.5 / 128, 1.0]]]], atol=1e-6)


@pytest.mark.parametrize(("size", "finding"), [((31, 40, 3), "at least 32x32"), ((32, 32, 1), "color images")])
def test_other_images_are_refused(size, finding):
    with pytest.raises(ConfigError, match=finding):
        efficientnet_lite0(size, 4)
