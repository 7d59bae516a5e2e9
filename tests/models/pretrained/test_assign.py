import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.errors import ModelFileError
from siamese_tf.models.pretrained.assign import assign_state_dict, torch_names


@pytest.fixture
def tower():
    image = keras.Input((4, 5, 2))
    x = keras.layers.Conv2D(3, (1, 2), name="conv")(image)
    x = keras.layers.DepthwiseConv2D((2, 3), use_bias=False, name="depthwise")(x)
    x = keras.layers.BatchNormalization(name="bn")(x)
    return keras.Model(image, keras.layers.Dense(4, name="last")(keras.layers.Flatten()(x)))


@pytest.fixture
def arrays():
    """PyTorch arrays of the tower: (out, in, height, width), for depthwise kernels (channels, 1, height, width)."""
    shapes = {"conv.weight": (3, 2, 1, 2), "conv.bias": (3,), "depthwise.weight": (3, 1, 2, 3), "last.weight": (4, 18)}
    shapes |= {f"bn.{name}": (3,) for name in ("weight", "bias", "running_mean", "running_var")} | {"last.bias": (4,)}
    rng = np.random.default_rng(0)
    return {name: rng.uniform(0.5, 1.5, shape).astype(np.float32) for name, shape in shapes.items()}


def test_kernels_are_transposed(tower, arrays):
    assign_state_dict(tower, arrays | {"bn.num_batches_tracked": np.array(5)})
    kernels = {name: np.asarray(variable) for name, variable in torch_names(tower).items()}
    assert kernels["conv.weight"][0, 1, 1, 2] == arrays["conv.weight"][2, 1, 0, 1]
    assert kernels["depthwise.weight"][1, 2, 0, 0] == arrays["depthwise.weight"][0, 0, 1, 2]
    np.testing.assert_array_equal(kernels["last.weight"], arrays["last.weight"].T)
    np.testing.assert_array_equal(kernels["bn.running_var"], arrays["bn.running_var"])


def test_layers_are_renamed_and_other_arrays_ignored(tower, arrays):
    renamed = {f"net.{name}": array for name, array in arrays.items()} | {"top.weight": np.zeros(2)}
    assign_state_dict(tower, renamed, ignored=("top.weight",), torch_layer=lambda name: f"net.{name}")
    np.testing.assert_array_equal(np.asarray(torch_names(tower)["conv.bias"]), arrays["conv.bias"])


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"more.weight": np.zeros(2)}, "missing none; unknown 1 .'more.weight'.. Pass .* with names like conv.weight"),
        ({"depthwise.weight": np.zeros((1, 3, 2, 3))}, r"depthwise.weight must have shape \(3, 1, 2, 3\); got"),
        ({"bn.running_var": np.full(3, -1.0)}, "variances"),
    ],
)
def test_arrays_that_do_not_fit_change_nothing(tower, arrays, change, finding):
    before = tower.get_weights()
    with pytest.raises(ModelFileError, match=finding):
        assign_state_dict(tower, arrays | change)
    assert all((now == then).all() for now, then in zip(tower.get_weights(), before, strict=True))
