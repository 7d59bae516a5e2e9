import re

import h5py
import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.errors import ConfigError, ModelFileError
from siamese_tf.models.pretrained.import_imagenet import import_imagenet
from siamese_tf.models.towers.imagenet import mobilenet_v2, resnet50
from siamese_tf.models.towers.reference import reference
from siamese_tf.models.weights import plain_names


@pytest.fixture(scope="module")
def tower() -> keras.Model:
    return mobilenet_v2((32, 32, 3), 2)


def arrays_for(tower) -> dict[str, np.ndarray]:
    """Arrays by their names in the published files, for all layers except the last."""
    rng, arrays = np.random.default_rng(3), {}
    for layer in tower.layers[:-1]:
        for name, weight in zip(plain_names(layer.weights), layer.weights, strict=True):
            if name == "kernel" and "depthwise" in layer.name:
                name = "depthwise_kernel"
            arrays[f"{layer.name}/{layer.name}/{name}:0"] = rng.random(tuple(weight.shape), np.float32)
    return arrays


@pytest.fixture(scope="module")
def arrays(tower):
    return arrays_for(tower)


@pytest.fixture
def write(arrays, tmp_path):
    """A function that writes the arrays with changes to a file, below a group; None omits an array."""

    def write_file(changes=None, below="", arrays=arrays):
        with h5py.File(tmp_path / "weights.h5", "w") as file:
            for name, array in {**arrays, **(changes or {})}.items():
                if array is not None:
                    file[below + name] = array
        return tmp_path / "weights.h5"

    return write_file


CLASSES = {"predictions/predictions/kernel:0": np.zeros((1280, 5)), "predictions/predictions/bias:0": np.zeros(5)}


@pytest.mark.parametrize(("below", "more"), [("", {}), ("", CLASSES), ("model_weights/", CLASSES)])
def test_every_weight_but_those_of_the_last_layer_is_set(tower, arrays, write, below, more):
    for layer in tower.layers[:-1]:
        layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    last = tower.layers[-1].get_weights()
    import_imagenet(tower, write(more, below))
    for name, array in arrays.items():
        layer = tower.get_layer(name.split("/")[0])
        position = plain_names(layer.weights).index(name.split("/")[-1].split(":")[0].replace("depthwise_", ""))
        np.testing.assert_array_equal(layer.get_weights()[position], array)
    for before, after in zip(last, tower.layers[-1].get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_resnet50_gets_its_colours_turned_round(write):
    tower = resnet50((32, 32, 3), 2)
    arrays = arrays_for(tower)
    import_imagenet(tower, write(arrays=arrays))
    kernels = [tower.get_layer(name).get_weights()[0] for name in ("conv1_conv", "conv2_block1_0_conv")]
    np.testing.assert_array_equal(kernels[0], arrays["conv1_conv/conv1_conv/kernel:0"][:, :, ::-1])
    np.testing.assert_array_equal(kernels[1], arrays["conv2_block1_0_conv/conv2_block1_0_conv/kernel:0"])


KERNEL, GAMMA = "Conv1/Conv1/kernel:0", "bn_Conv1/bn_Conv1/gamma:0"


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({GAMMA: None}, "1 missing ['bn_Conv1/gamma'], 0 unknown []"),
        ({"more/kernel:0": np.zeros(2)}, "0 missing [], 1 unknown ['more/kernel']"),
        ({"Conv1/again/kernel:0": np.zeros(2)}, "'Conv1/kernel' occurs twice"),
        ({GAMMA: np.zeros(33)}, "bn_Conv1/gamma must have shape (32,); got (33,)"),
        ({KERNEL: np.zeros((3, 3, 1, 32))}, "Conv1/kernel must have shape (3, 3, 3, 32); got (3, 3, 1, 32)"),
        ({GAMMA: np.full(32, np.inf)}, "bn_Conv1/gamma must hold finite numbers"),
        ({GAMMA: np.full(32, 1e300)}, "bn_Conv1/gamma must hold finite numbers"),
        ({GAMMA: np.full(32, 1e38)}, "bn_Conv1/gamma must hold numbers from"),
        ({GAMMA.replace("gamma", "moving_variance"): np.full(32, -1.0)}, "must hold variances >= 0; got -1"),
        ({GAMMA: np.zeros(32, complex)}, "bn_Conv1/gamma must be a floating-point array stored in this file"),
        ({GAMMA: h5py.SoftLink("/bn_Conv1/bn_Conv1/beta:0")}, "1 missing ['bn_Conv1/gamma']"),
        ({GAMMA: h5py.ExternalLink("other.h5", "gamma")}, "1 missing ['bn_Conv1/gamma']"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_and_change_nothing(tower, write, changes, finding):
    before = tower.get_weights()
    with pytest.raises(ModelFileError, match=re.escape(finding)) as caught:
        import_imagenet(tower, write(changes))
    assert "weights.h5 does not hold the ImageNet weights of mobilenet_v2: " in str(caught.value)
    for one, other in zip(before, tower.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_numbers_that_stand_in_another_file_are_refused(tower, arrays, write, tmp_path):
    path = write({GAMMA: None})
    (tmp_path / "secret").write_bytes(b"\0" * 128)
    with h5py.File(path, "a") as file:
        file.create_dataset(GAMMA, (32,), "f4", external=[(str(tmp_path / "secret"), 0, 128)])
    with pytest.raises(
        ModelFileError, match="bn_Conv1/gamma must be a floating-point array stored in this file; it is"
    ):
        import_imagenet(tower, path)


def test_what_is_no_file_of_weights_is_refused(tower, tmp_path):
    (tmp_path / "text.h5").write_text("weights")
    for name in ("gone.h5", "text.h5", ""):
        with pytest.raises(ModelFileError, match="cannot be read as a weights file: .* Check the path"):
            import_imagenet(tower, tmp_path / name)


def test_the_weights_file_of_keras_3_does_not_name_its_layers_and_is_refused(tower, tmp_path):
    reference((8, 8, 1), 2).save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(ModelFileError, match="Use an .h5 file of keras.applications"):
        import_imagenet(tower, tmp_path / "a.weights.h5")


def test_another_tower_is_refused():
    with pytest.raises(
        ConfigError, match="tower must be one of mobilenet_v2, resnet50 for ImageNet weights; got 'reference'"
    ):
        import_imagenet(reference((8, 8, 1), 2), "weights.h5")
