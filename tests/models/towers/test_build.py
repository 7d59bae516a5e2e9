import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import TOWERS
from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.build import build_tower


@pytest.mark.parametrize("name", TOWERS)
def test_the_builder_of_a_row_is_a_function_of_that_name(name):
    assert load_builder(TOWERS[name].builder).__name__ == name


@pytest.mark.parametrize("name", ["small_cnn", "reference"])
def test_a_tower_is_built_by_name(name):
    tower = build_tower(name, (8, 9, 1), 5)
    assert (tower.name, tower.input_shape, tower.output_shape) == (name, (None, 8, 9, 1), (None, 5))


def test_bfloat16_is_the_precision_of_the_computations_alone():
    tower = build_tower("small_cnn", (8, 8, 1), 5, "bfloat16")
    assert tower.get_layer("block1_conv").compute_dtype == "bfloat16"
    assert tower.get_layer("embedding").compute_dtype == "float32"
    assert {np.dtype(weight.dtype) for weight in tower.get_weights()} == {np.dtype("float32")}
    assert build_tower("small_cnn", (8, 8, 1), 5).get_layer("block1_conv").compute_dtype == "float32"


def test_a_custom_tower_is_returned_as_it_is():
    image = keras.Input((8, 8, 1))
    tower = keras.Model(image, keras.layers.Dense(4)(keras.layers.Flatten()(image)))
    assert build_tower(tower, (8, 8, 1), 9) is tower


def test_what_is_no_tower_is_refused():
    with pytest.raises(ConfigError, match=r"tower must be one of small_cnn, .*, or a keras\.Model; got 'vgg'"):
        build_tower("vgg", (8, 8, 1), 4)
    with pytest.raises(ConfigError, match=r"for a custom tower, .*\. Use load_model\(path, tower=\.\.\.\)"):
        build_tower("custom", (8, 8, 1), 4)
    with pytest.raises(ConfigError, match=r"tower must be a keras\.Model"):
        build_tower(None, (8, 8, 1), 4)
