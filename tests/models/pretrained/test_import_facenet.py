"""Compares the import with facenet-pytorch: its names and shapes, and its embeddings.

`fixtures/facenet_pytorch.json` lists the arrays of its `state_dict`, without the counters; EXPECTED is what its network
gives for `waves()` with the arrays of `drawn()`.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from siamese_tf.errors import ModelFileError
from siamese_tf.models.pretrained.assign import assign_state_dict, torch_names
from siamese_tf.models.pretrained.import_facenet import import_facenet
from siamese_tf.models.siamese_model import SiameseModel

pytestmark = pytest.mark.slow  # a network of 23 million parameters

SHAPES = json.loads((Path(__file__).parents[1] / "fixtures" / "facenet_pytorch.json").read_text(encoding="utf-8"))
EXPECTED = [  # the first six of the 512 numbers of each embedding, L2-normalised
    [-0.033317, 0.054174, -0.005235, -0.002374, -0.036376, 0.101325],
    [-0.032477, 0.048380, -0.006165, -0.008305, -0.032230, 0.101013],
    [-0.032431, 0.041152, -0.005904, -0.006342, -0.036888, 0.100520],
    [-0.036603, 0.043097, 0.000693, -0.008362, -0.038470, 0.091810],
]


def drawn() -> dict[str, np.ndarray]:
    """Weights and statistics by PyTorch names, scaled so that different images have different embeddings."""
    rng, arrays = np.random.default_rng(11), {}
    for name, shape in SHAPES.items():
        if len(shape) > 1:
            array = rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)
        elif name.endswith(("running_var", "weight")):
            array = rng.uniform(0.8, 1.2, shape)
        else:
            array = rng.normal(0, 0.1, shape)
        arrays[name] = array.astype(np.float32)
    return arrays


def waves() -> np.ndarray:
    """Four 160x160 images of color waves, (4, 160, 160, 3) uint8, computed without random numbers."""
    row, column = np.mgrid[:160, :160][..., np.newaxis]
    angles = [row * (0.05 + 0.03 * n) + column * (0.19 - 0.04 * n) + n + np.arange(3) for n in range(4)]
    return np.uint8(np.round(127.5 + 127.5 * np.sin(angles)))


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return drawn()


@pytest.fixture(scope="module")
def path(arrays, tmp_path_factory) -> Path:
    """A file as saved by facenet-pytorch, including counters and the classification layer."""
    path = tmp_path_factory.mktemp("facenet") / "weights.npz"
    counters = {name.replace("running_var", "num_batches_tracked"): np.array(7) for name in SHAPES if "_var" in name}
    np.savez(path, **arrays, **counters, **{"logits.weight": np.zeros((3, 512)), "logits.bias": np.zeros(3)})
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def model(path) -> SiameseModel:
    return import_facenet(path)


def test_the_embeddings_are_those_of_facenet_pytorch(model):
    np.testing.assert_allclose(model.embed(waves())[:, :6], EXPECTED, atol=1e-5)


def test_it_is_a_model_like_any_other(model, path):
    assert (model.tower_name, model.input_size, model.embedding_dim) == ("inception_resnet_v1", (160, 160, 3), 512)
    assert (model.head_name, model.threshold) == ("cosine", 0.5)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert model.record == {"tower": "inception_resnet_v1", "imported": {"file": "weights.npz", "sha256": sha256}}


def test_every_weight_has_the_name_and_the_shape_it_has_in_pytorch(model):
    names = torch_names(model.tower)
    assert set(names) == set(SHAPES)
    assert len(names) == len(model.tower.weights) == 602
    for name, variable in names.items():
        assert sorted(variable.shape) == sorted(SHAPES[name]), name


def test_every_array_stands_in_its_own_place(model, arrays):
    for name, variable in torch_names(model.tower).items():
        array = arrays[name]
        turned = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
        np.testing.assert_array_equal(np.asarray(variable), turned)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"last_bn.bias": None}, "missing 1 ('last_bn.bias'); unknown none"),
        ({"a.weight": np.zeros(2)}, "missing none; unknown 1 ('a.weight')"),
        ({"a\n\x1b[2J" + 99 * "b": np.zeros(2)}, r"unknown 1 ('a\n\x1b[2J" + 49 * "b" + "). Pass"),
        (
            dict.fromkeys(("last_bn.bias", "last_bn.weight", "conv2d_1a.bn.bias", "conv2d_1a.bn.weight")),
            "missing 4 ('conv2d_1a.bn.bias', 'conv2d_1a.bn.weight', 'last_bn.bias', ...)",
        ),
        ({"conv2d_1a.conv.weight": np.zeros((32, 1, 3, 3))}, "must have shape (32, 3, 3, 3); got (32, 1, 3, 3)"),
        ({"repeat_2.0.branch1.1.conv.weight": np.zeros((128, 128, 7, 1))}, "(128, 128, 1, 7); got (128, 128, 7, 1)"),
        ({"last_linear.weight": np.zeros((1792, 512))}, "must have shape (512, 1792); got (1792, 512)"),
        ({"last_bn.bias": np.zeros((512, 1))}, "last_bn.bias must have shape (512,); got (512, 1)"),
        ({"last_bn.bias": np.full(512, np.nan)}, "last_bn.bias must hold finite numbers; it does not"),
        ({"last_bn.bias": np.full(512, 1e300)}, "last_bn.bias must hold finite numbers; it does not"),
        ({"last_bn.running_var": np.full(512, -1.0)}, "last_bn.running_var must hold variances >= 0; got -1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_and_change_nothing(model, arrays, change, finding):
    changed = {name: array + 1 for name, array in arrays.items()} | change
    with pytest.raises(ModelFileError) as caught:
        assign_state_dict(model.tower, {name: array for name, array in changed.items() if array is not None})
    assert finding in str(caught.value)
    for name in ("conv2d_1a.conv.weight", "last_bn.running_mean"):
        variable = np.asarray(torch_names(model.tower)[name])
        np.testing.assert_array_equal(variable.ravel()[0], arrays[name].ravel()[0])


@pytest.mark.parametrize("shape", [(0, 1792), (5000, 1792), (512,)])
def test_a_last_layer_no_embedding_comes_from_is_refused(tmp_path, shape):
    np.savez(tmp_path / "a.npz", **{"last_linear.weight": np.zeros(shape, np.float16)})
    with pytest.raises(ModelFileError, match=r"a.npz: last_linear.weight must have shape \(d, 1792\), d from 1 to"):
        import_facenet(tmp_path / "a.npz")
