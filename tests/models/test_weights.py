import re

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.errors import ModelFileError
from siamese_tf.models.heads import build_head
from siamese_tf.models.towers.reference import reference
from siamese_tf.models.weights import check_values, has_inner_layers, named_weights, read_weights, write_weights

HEAD = {"head.scale", "head.bias"}


def own_weight_model() -> keras.Model:
    """A subclassed model with a weight outside its layers."""

    class Scaled(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)
            self.factor = self.add_weight(name="factor", shape=(3,), initializer="ones")

        def call(self, x):
            return self.dense(x) * self.factor

    return Scaled()


def nested_tower() -> keras.Model:
    """Nested models, one of them subclassed, and layers with many weights."""
    inner = keras.Sequential([keras.Input((6, 4)), keras.layers.LSTM(2, return_sequences=True), keras.layers.Flatten()])
    image = keras.Input((4, 6, 1))
    x = keras.layers.Reshape((6, 4))(keras.layers.BatchNormalization()(image))
    x = keras.layers.MultiHeadAttention(1, 2)(x, x)
    x = own_weight_model()(inner(keras.layers.Dropout(0.5)(x)))
    return keras.Model(image, keras.layers.Dense(5)(x))


def stored(tower: keras.Model, head: keras.layers.Layer) -> dict[str, np.ndarray]:
    store = {}
    write_weights(tower, head, store)
    return store


@pytest.fixture
def parts() -> tuple[keras.Model, keras.layers.Layer]:
    return reference((8, 8, 1), 4), build_head("euclidean", 4)


def test_the_names_are_ours_and_the_same_on_every_stack(parts):
    tower, head = parts
    layers = [f"tower.{position:02d}.{name}" for position in range(3) for name in ("kernel", "bias")]
    assert set(named_weights(tower, head)) == {*HEAD, *layers}
    layers += [f"head.{position:02d}.{name}" for position in range(3) for name in ("kernel", "bias")]
    assert set(named_weights(tower, build_head("concat", 4))) == {*HEAD, *layers}


def test_so_are_those_of_a_tower_of_many_parts(parts):
    names = named_weights(nested_tower(), parts[1])
    expected = {
        "tower.00": ["gamma", "beta", "moving_mean", "moving_variance"],
        "tower.01": [f"{name}.{number}" for number in range(4) for name in ("kernel", "bias")],
        "tower.02": ["kernel", "recurrent_kernel", "bias"],
        "tower.03": ["kernel", "bias"],
        "tower.04": ["factor"],
        "tower.05": ["kernel", "bias"],
    }
    assert set(names) == HEAD | {f"{layer}.{name}" for layer, ends in expected.items() for name in ends}


def test_so_are_those_of_depthwise_convolutions(parts):
    """Layers whose weights have different names in Keras 2 and 3."""
    layers = [keras.layers.DepthwiseConv2D(3, use_bias=False), keras.layers.SeparableConv2D(2, 3)]
    tower = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    separable = ["depthwise_kernel", "pointwise_kernel", "bias"]
    expected = {"tower.00.kernel", *(f"tower.01.{name}" for name in separable)}
    assert set(named_weights(tower, parts[1])) == HEAD | expected


def test_every_weight_has_one_name(parts):
    tower = nested_tower()
    named = [id(weight) for weight in named_weights(tower, parts[1]).values()]
    assert len(set(named)) == len(named)
    assert set(named) == {id(weight) for weight in [*tower.weights, *parts[1].weights]}


@pytest.mark.parametrize("build", [nested_tower, lambda: reference((8, 8, 1), 4)], ids=["nested", "reference"])
def test_what_is_written_is_read_again(build, parts):
    tower, head, rng = build(), parts[1], np.random.default_rng(1)
    tower.set_weights([rng.random(weight.shape, dtype=np.float32) for weight in tower.get_weights()])
    store = stored(tower, head)
    assert all(array.dtype == np.float32 for array in store.values())
    other = build()
    read_weights(other, head, store)
    for ours, theirs in zip(tower.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_that_are_whole_numbers_come_back_as_such(parts):
    """`Normalization` has a counter of its samples."""
    first, second = (
        keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Normalization(), keras.layers.Flatten()])
        for _ in range(2)
    )
    first.layers[0].adapt(np.arange(40, dtype=np.float32).reshape(10, 2, 2, 1))
    store = stored(first, parts[1])
    assert all(array.dtype == np.float32 for array in store.values())
    read_weights(second, parts[1], store)
    for ours, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


@pytest.mark.parametrize(
    ("name", "value", "finding"),
    [
        ("head.scale", 0.0, "head.scale must be a number above 0; got 0"),
        ("head.scale", -5.0, "head.scale must be a number above 0; got -5"),
        ("head.bias", np.nan, "head.bias must hold finite numbers"),
        ("tower.01.kernel", np.inf, "tower.01.kernel must hold finite numbers"),
    ],
)
def test_what_would_not_be_read_is_not_written(parts, name, value, finding):
    weight = named_weights(*parts)[name]
    weight.assign(np.full(weight.shape, value, np.float32))
    store = {}
    with pytest.raises(ModelFileError, match=re.escape(finding)):
        write_weights(*parts, store)
    assert store == {}


def test_a_weight_that_float32_cannot_hold_is_not_written(parts):
    layers = [keras.layers.Flatten(), keras.layers.Dense(4, dtype="float64")]
    tower = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    tower.layers[-1].set_weights([np.full((64, 4), 1e60), np.zeros(4)])
    with pytest.raises(ModelFileError, match="tower.00.kernel must hold finite numbers"):
        write_weights(tower, parts[1], {})


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"tower.02.bias": None}, "missing ['tower.02.bias'], unknown none"),
        ({"tower.03.bias": np.zeros(4)}, "missing none, unknown ['tower.03.bias']"),
        ({"head.bias": None, "head.00.bias": np.zeros(4)}, "missing ['head.bias'], unknown ['head.00.bias']"),
        ({"tower.02.bias": np.zeros(5)}, "tower.02.bias must have shape (4,); got (5,)"),
        ({"tower.02.bias": np.zeros((4, 1))}, "tower.02.bias must have shape (4,); got (4, 1)"),
        ({"head.scale": np.zeros(1)}, "head.scale must have shape (); got (1,)"),
        ({"tower.02.bias": np.array([0, np.nan, 0, 0])}, "tower.02.bias must hold finite numbers"),
        ({"tower.02.bias": np.array([0, 0, 0, -np.inf])}, "tower.02.bias must hold finite numbers"),
        ({"tower.02.bias": np.zeros(4, complex)}, "tower.02.bias must hold finite numbers"),
        ({"tower.02.bias": np.array(["a", "b", "c", "d"])}, "tower.02.bias must hold finite numbers"),
        ({"tower.02.bias": np.array([None] * 4)}, "tower.02.bias must hold finite numbers"),
    ],
)
def test_a_store_that_does_not_fit_is_refused_and_changes_nothing(parts, change, finding):
    tower, head = parts
    before = stored(tower, head)
    changed = {name: array + 1 for name, array in before.items()} | change
    store = {name: array for name, array in changed.items() if array is not None}
    with pytest.raises(ModelFileError, match=re.escape(finding)):
        read_weights(tower, head, store)
    for name, array in stored(tower, head).items():
        np.testing.assert_array_equal(array, before[name])


class Pair(keras.layers.Layer):
    """A layer with two layers in a list named `layers`, whose weights have separate names in files."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def build(self, shape):
        for layer in self.layers:
            layer.build(shape)
        self.built = True

    def call(self, x):
        return x


@pytest.mark.parametrize("layers", [3, "two", {"a": 1}, (1, 2), None])
def test_an_attribute_called_layers_does_not_make_a_layer_of_layers(layers):
    image = keras.Input((8, 8, 1))
    with_attribute = keras.layers.Flatten()
    with_attribute.layers = layers
    assert not has_inner_layers(with_attribute)
    tower = keras.Model(image, keras.layers.Dense(4)(with_attribute(image)))
    assert list(named_weights(tower, build_head("cosine", 4)))[2:] == ["tower.00.kernel", "tower.00.bias"]


def test_a_list_of_layers_keeps_the_names_it_has_in_files():
    image = keras.Input((8, 8, 1))
    pair = Pair([keras.layers.Dense(64), keras.layers.Dense(3)])
    assert has_inner_layers(pair)
    tower = keras.Model(image, keras.layers.Dense(4)(pair(keras.layers.Flatten()(image))))
    names = [f"tower.{position:02d}.{name}" for position in range(3) for name in ("kernel", "bias")]
    assert list(named_weights(tower, build_head("cosine", 4)))[2:] == names


@pytest.mark.parametrize(
    ("name", "value", "finding"),
    [
        ("tower.01.moving_variance", -1e-3, "must hold variances >= 0; got -0.001"),
        ("tower.01.moving_variance.2", -1.0, "must hold variances >= 0"),
        ("tower.00.variance", -1.0, "must hold variances >= 0"),
        ("last_bn.running_var", -1.0, "must hold variances >= 0"),
        ("head.scale", 0.0, "head.scale must be a number above 0; got 0"),
        ("head.scale", -5.0, "head.scale must be a number above 0; got -5"),
        ("head.bias", np.nan, "head.bias must hold finite numbers"),
        ("tower.00.kernel", 1e38, "must hold numbers from -1.8e+19 to 1.8e+19; got 1e+38 to 1e+38"),
        ("tower.00.kernel", -1e38, "must hold numbers from -1.8e+19"),
    ],
)
def test_values_that_score_all_pairs_alike_are_refused(name, value, finding):
    with pytest.raises(ModelFileError, match=re.escape(finding)):
        check_values(name, np.full((2, 2), value, np.float32))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tower.01.moving_variance", 0.0),
        ("tower.01.moving_mean", -3.0),
        ("head.scale", 5e-4),  # calibrated on uninformative pairs
        ("head.bias", -70.0),
        ("tower.00.count", 4e9),
        ("tower.00.empty", []),
        ("tower.00.log_variance", -3.0),  # of a custom layer
    ],
)
def test_unusual_values_are_not(name, value):
    check_values(name, np.asarray(value, np.float32))


def test_a_model_with_a_negative_variance_is_refused_and_changes_nothing():
    image = keras.Input((2, 2, 1))
    layers = [keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(2)]
    tower, head = keras.Sequential([image, *layers]), build_head("cosine", 2)
    store = stored(tower, head)
    store["tower.00.moving_variance"] = -store["tower.00.moving_variance"]
    with pytest.raises(ModelFileError, match="tower.00.moving_variance must hold variances >= 0; got -1"):
        read_weights(tower, head, store)
    assert tower.layers[0].moving_variance.numpy() == 1
