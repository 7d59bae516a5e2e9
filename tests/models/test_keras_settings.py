from pathlib import Path

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.config.catalog import HEADS, TOWERS
from siamese_tf.models.heads import build_head
from siamese_tf.models.keras_settings import keras_settings
from siamese_tf.models.model_file import load_model
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.towers.build import build_tower

SHIPPED = Path(__file__).parents[2] / "model" / "mnist" / "seven" / "siamese.keras"
OTHER_WORK = {
    "channels_first": lambda: keras.backend.set_image_data_format("channels_first"),
    "float16": lambda: keras.backend.set_floatx("float16"),
    "float64": lambda: keras.backend.set_floatx("float64"),
    "mixed_float16": lambda: keras.mixed_precision.set_global_policy("mixed_float16"),
    "mixed_bfloat16": lambda: keras.mixed_precision.set_global_policy("mixed_bfloat16"),
    "policy float64": lambda: keras.mixed_precision.set_global_policy("float64"),
}


def now():
    return keras.backend.image_data_format(), keras.backend.floatx(), keras.mixed_precision.global_policy().name


@pytest.fixture(params=OTHER_WORK)
def other_work(request):
    """Global Keras settings of a user that differ from the required ones."""
    with keras_settings():
        OTHER_WORK[request.param]()
        if request.param in ("float16", "float64"):  # as keras.json has it, which is read before a policy is made
            keras.mixed_precision.set_global_policy(request.param)
        yield


def test_settings_are_those_asked_for_and_afterwards_those_of_before(other_work):
    before = now()
    assert before != ("channels_last", "float32", "float32")
    with keras_settings():
        assert now() == ("channels_last", "float32", "float32")
    assert now() == before
    with keras_settings("mixed_bfloat16"):
        assert now() == ("channels_last", "float32", "mixed_bfloat16")
    assert now() == before

    @keras_settings()
    def decorated():
        return now()

    assert decorated() == ("channels_last", "float32", "float32")
    assert now() == before

    @keras_settings()
    def failing():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert now() == before


@pytest.fixture(scope="module")
def digits():
    images = np.random.default_rng(0).integers(0, 255, (6, 28, 28, 1), np.uint8)
    return images, load_model(SHIPPED).score(images[:3], images[3:])


def test_a_shipped_model_scores_the_same_whatever_keras_is_set_to(other_work, digits):
    images, expected = digits
    model = load_model(SHIPPED)
    np.testing.assert_array_equal(model.score(images[:3], images[3:]), expected)
    np.testing.assert_allclose(model((images[:3], images[3:])), expected, atol=1e-5)


QUICK = ("small_cnn", "small_cnn_v2", "reference", "hog")
LARGER_IMAGES = {"dlib_face": (103, 103, 3)}  # than 32x32
SMALL_ENOUGH = [name for name in TOWERS if name not in ("koch", "inception_resnet_v1")]


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SMALL_ENOUGH]
)
def test_a_tower_by_name_is_the_same_whatever_keras_is_set_to(other_work, name):
    size = LARGER_IMAGES.get(name, (32, 32, 3))
    built = build_tower(name, size, 16)
    with keras_settings():
        expected = build_tower(name, size, 16)
    assert built.output_shape == (None, 16)
    shapes = [[(tuple(weight.shape), str(weight.dtype)) for weight in one.weights] for one in (built, expected)]
    assert shapes[0] == shapes[1]
    assert {layer.compute_dtype for layer in built.layers} == {"float32"}


@pytest.mark.parametrize("head", HEADS)
def test_a_head_computes_in_float32(other_work, head):
    assert build_head(head, 4).compute_dtype == "float32"


def test_bfloat16_is_what_a_tower_computes_in_where_it_is_asked_for(other_work):
    tower = build_tower("reference", (8, 8, 1), 4, "bfloat16")
    assert {layer.compute_dtype for layer in tower.layers if layer.weights} == {"bfloat16", "float32"}
    assert {np.asarray(weight).dtype.name for weight in tower.weights} == {"float32"}


def test_a_new_model_embeds_in_float32(other_work):
    model = SiameseModel((8, 8, 1), "small_cnn", 4)
    assert model.compute_dtype == "float32"
    assert model.embed(np.zeros((8, 8, 1), np.uint8)).dtype == np.float32
