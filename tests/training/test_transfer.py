from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError, ModelFileError
from siamese_tf.models.model_file import save_model
from siamese_tf.models.pretrained.packages import pretrained_model
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.towers.build import build_tower
from siamese_tf.training.optimizer import build_optimizer
from siamese_tf.training.pipeline import training_batches
from siamese_tf.training.trainer import Trainer
from siamese_tf.training.transfer import (
    freeze_all_but_last,
    load_initial_weights,
    lr_multipliers,
    with_tower_of_weights,
)

pytestmark = pytest.mark.train

SIZE = (8, 8, 1)
CONFIG = TrainConfig(objective="bce", batch_pairs=16, embedding_dim=4, epochs=4, learning_rate=0.05)


def small_model(head="euclidean"):
    return SiameseModel(SIZE, "small_cnn", 4, head)


def tower_of(*layers):
    image = keras.Input(SIZE)
    x = keras.layers.Flatten()(image)
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x)


def same(weights, others):
    return [np.array_equal(one, other) for one, other in zip(weights, others, strict=True)]


# Initial weights.


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A model in which every array of the tower differs from its initial value, and its file."""
    model, rng = small_model(), np.random.default_rng(0)
    model.tower.set_weights([rng.uniform(0.5, 1.5, one.shape) for one in model.tower.get_weights()])
    path = tmp_path_factory.mktemp("earlier") / "earlier.keras"
    save_model(model, path)
    return model, str(path)


@pytest.fixture(scope="module")
def tower():
    return build_tower("small_cnn", SIZE, 4)


def test_weights_of_the_former_default_tower_are_loaded_into_it(earlier, tmp_path):
    """`--init-weights` with a model of an earlier release, as typed then."""
    _, path = earlier
    assert with_tower_of_weights(TrainConfig(start_from=path)).tower == "small_cnn"
    for config in (TrainConfig(), TrainConfig(start_from=path, tower="resnet"), TrainConfig(start_from="a.h5")):
        assert with_tower_of_weights(config) is config
    new = tmp_path / "new.keras"
    save_model(SiameseModel(SIZE, "small_cnn_v2", 4), new)
    assert with_tower_of_weights(TrainConfig(start_from=str(new))).tower == "small_cnn_v2"


def test_a_tower_starts_with_all_weights_of_the_one_in_a_model_file(earlier, tower):
    model, path = earlier
    assert not any(same(tower.get_weights(), model.tower.get_weights()))
    load_initial_weights(tower, path)
    assert len(tower.get_weights()) == 4 * 5 + 2  # the statistics of batch normalization, too
    assert all(same(tower.get_weights(), model.tower.get_weights()))


@pytest.mark.parametrize(
    ("name", "size", "dimensions", "words"),
    [
        ("reference", SIZE, 4, r"reference \(8, 8, 1\) -> 4"),
        ("small_cnn", SIZE, 5, r"small_cnn \(8, 8, 1\) -> 5"),
        ("small_cnn", (9, 8, 1), 4, r"small_cnn \(9, 8, 1\) -> 4"),
        ("small_cnn", (8, 8, 3), 4, r"small_cnn \(8, 8, 3\) -> 4"),
    ],
)
def test_a_tower_of_another_name_or_form_is_refused(earlier, name, size, dimensions, words):
    """With global average pooling, 9x8 images give the same shapes, although the tower was not trained on them."""
    other, path = build_tower(name, size, dimensions), earlier[1]
    before = other.get_weights()
    with pytest.raises(ConfigError) as caught:
        load_initial_weights(other, path)
    assert caught.match(
        rf"start_from must be a model with the tower {words}; got small_cnn \(8, 8, 1\) -> 4 from {path}"
    )
    assert caught.match(r"Use the same --tower, --embedding-dim and image size")
    assert all(same(before, other.get_weights()))


@pytest.mark.parametrize("name", ["weights.npz", "earlier.KERAS", "folder", "", "model.keras.zip"])
def test_a_file_of_another_kind_is_refused(tower, name):
    with pytest.raises(ConfigError) as caught:
        load_initial_weights(tower, name)
    assert str(caught.value) == (
        "start_from must be a model (.keras), one of dlib-face, imagenet, or ImageNet weights of keras.applications"
        f" (.h5); got {name!r}"
    )


def test_published_weights_are_loaded_by_their_name():
    tower = build_tower("dlib_face", (150, 150, 3), 128)
    load_initial_weights(tower, "dlib-face")
    expected = pretrained_model("faces").tower.get_weights()
    assert all(same(expected, tower.get_weights()))


def test_a_missing_file_is_named(tower, tmp_path):
    with pytest.raises(ModelFileError, match=r"cannot read the model .*nowhere\.keras: No such file.*Check the path"):
        load_initial_weights(tower, str(tmp_path / "nowhere.keras"))


def test_a_file_that_is_no_model_is_refused(tower, tmp_path):
    (tmp_path / "text.keras").write_text("not a model")
    with pytest.raises(ModelFileError, match=r"text\.keras is not a model this version can load: it is not a zip"):
        load_initial_weights(tower, str(tmp_path / "text.keras"))


def test_a_model_with_a_custom_tower_is_refused(tower, tmp_path):
    """Even one with the same name: the file does not describe its layers."""
    own = tower_of(keras.layers.Dense(4))
    save_model(SiameseModel(SIZE, keras.Model(own.input, own.output, name="small_cnn")), tmp_path / "own.keras")
    with pytest.raises(ModelFileError, match=r"own\.keras is not a model .*: tower must be passed for a custom tower"):
        load_initial_weights(tower, str(tmp_path / "own.keras"))


@pytest.mark.parametrize("name", ["imagenet.h5", "imagenet.weights.h5"])
def test_imagenet_weights_are_for_their_towers_alone(tower, name):
    with pytest.raises(ConfigError, match="tower must be one of .* for ImageNet weights; got 'small_cnn'"):
        load_initial_weights(tower, name)


# Frozen layers.

LAYERS = [f"block{number}_{kind}" for number in range(1, 5) for kind in ("conv", "norm")] + ["embedding"]


@pytest.mark.parametrize(("count", "layers"), [(1, 1), (2, 3), (3, 5), (5, 9)])
def test_the_last_layers_are_trained_and_the_head(count, layers):
    """A convolution and its normalization count as one."""
    model = small_model()
    freeze_all_but_last(model, count)
    trained = [weight for name in LAYERS[-layers:] for weight in model.tower.get_layer(name).trainable_weights]
    expected = [id(one) for one in (*trained, model.head.scale, model.head.bias)]
    assert [id(one) for one in model.trainable_variables] == expected
    assert not [name for name in LAYERS[:-layers] if model.tower.get_layer(name).trainable_weights]


def test_more_layers_than_there_are_are_refused():
    model = small_model()
    with pytest.raises(ConfigError) as caught:
        freeze_all_but_last(model, 6)
    assert str(caught.value) == ("train_last must be at most 5, the number of layers or blocks of the tower; got 6")


def nested_tower():
    """Builds Dense 6, a nested network of Dense 5 and a normalization, then Dense 4."""
    inside = keras.Sequential([keras.Input((6,)), keras.layers.Dense(5), keras.layers.BatchNormalization()])
    return tower_of(keras.layers.Dense(6), inside, keras.layers.Dropout(0.1), keras.layers.Dense(4))


@pytest.mark.parametrize(("count", "widths"), [(1, [4, 4]), (2, [5, 5, 5, 5, 4, 4]), (3, [6, 6, 5, 5, 5, 5, 4, 4])])
def test_layers_of_a_network_inside_are_counted_one_by_one(count, widths):
    model = SiameseModel(SIZE, nested_tower())
    freeze_all_but_last(model, count)
    assert [variable.shape[-1] for variable in model.tower.trainable_variables] == widths


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("settings", [{}, {"optimizer": "sgd", "weight_decay": 0.1, "l2": 0.1, "layer_decay": 0.5}])
def test_what_is_frozen_does_not_move_and_the_rest_does(quarters, run_of, average, settings):
    """In the model and in its moving average, the statistics of batch normalization included."""
    config = replace(CONFIG, average=average, train_last=2, **settings)
    model, ema_model = small_model(), small_model()
    before = model.get_weights()
    for one in (model, ema_model):
        freeze_all_but_last(one, 2)
    trainer = Trainer(model, ema_model, config)
    trainer.compile(optimizer=build_optimizer(config, model, 10), jit_compile=False)
    step = tf.function(trainer.train_step)
    for batch in training_batches(run_of(quarters), config, range(1)).take(3):
        step(batch)
    frozen = [name for name in LAYERS[:-3] for _ in model.tower.get_layer(name).weights]
    assert len(frozen) == 3 * 5
    with trainer.ema_weights():
        for after in (model.get_weights(), ema_model.get_weights()):
            assert same(before, after) == [True] * 15 + [False] * (5 + 2 + 2)
    assert all(same(model.get_weights(), [one.numpy() for one in trainer.ema_variables])) is (average == 0)


# Lower learning rates for early layers.


def multipliers_of(model, layer_decay):
    """Returns the multipliers of the tower by layer name, and those of the head."""
    multipliers = lr_multipliers(model, replace(CONFIG, layer_decay=layer_decay))
    by_variable = {id(one): multiplier for one, multiplier in zip(model.trainable_variables, multipliers, strict=True)}
    by_layer = {
        layer.name: {by_variable[id(weight)] for weight in layer.trainable_weights}
        for layer in model.tower.layers
        if layer.trainable_weights
    }
    return by_layer, {by_variable[id(weight)] for weight in model.head.trainable_weights}


@pytest.mark.parametrize("head", ["euclidean", "concat"])
def test_each_layer_learns_at_half_the_rate_of_the_one_after_it(head):
    """A normalization has the multiplier of the convolution before it."""
    by_layer, of_head = multipliers_of(small_model(head), 0.5)
    assert by_layer == {
        "block1_conv": {0.0625},
        "block1_norm": {0.0625},
        "block2_conv": {0.125},
        "block2_norm": {0.125},
        "block3_conv": {0.25},
        "block3_norm": {0.25},
        "block4_conv": {0.5},
        "block4_norm": {0.5},
        "embedding": {1.0},
    }
    assert of_head == {1.0}


@pytest.mark.parametrize(
    ("name", "size", "names"),
    [
        (
            "resnet",
            (8, 8, 3),
            ["stem_conv", *(f"stage{n // 3 + 1}_block{n % 3 + 1}_1_conv" for n in range(9)), "embedding"],
        ),
        (
            "mobilenet_v2",
            (32, 32, 3),
            ["Conv1", "expanded_conv_depthwise", "expanded_conv_project"]
            + [f"block_{n}_expand" for n in range(1, 17)]
            + ["Conv_1", "embedding"],
        ),
        pytest.param(
            "resnet50",
            (32, 32, 3),
            ["conv1_conv"]
            + [f"conv{n}_block{m}_1_conv" for n, most in ((2, 3), (3, 4), (4, 6), (5, 3)) for m in range(1, most + 1)]
            + ["embedding"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "inception_resnet_v1",
            (75, 75, 3),
            [f"conv2d_{n}.conv" for n in ("1a", "2a", "2b", "3b", "4a", "4b")]
            + [
                "repeat_1.0.branch2.0.conv",
                "mixed_6a.branch1.0.conv",
                "repeat_2.0.branch1.0.conv",
                "mixed_7a.branch2.0.conv",
                "repeat_3.0.branch1.0.conv",
                "block8.branch1.0.conv",
                "last_linear",
            ],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_all_branches_of_a_block_have_one_multiplier(name, size, names):
    """By the first layer of each block."""
    model = SiameseModel(size, name, 4)
    by_layer, _ = multipliers_of(model, 0.5)
    firsts = {multiplier: layer for layer, (multiplier,) in reversed(by_layer.items())}
    assert [firsts[multiplier] for multiplier in sorted(firsts)] == names
    assert min(firsts) == 0.5 ** (len(names) - 1)


def test_without_a_decay_all_learn_at_the_full_rate():
    model = small_model()
    assert lr_multipliers(model, CONFIG) == [1.0] * len(model.trainable_variables)


def test_layers_before_the_first_kernel_have_the_lowest_rate_and_those_after_the_last_the_full_rate():
    norms = [keras.layers.BatchNormalization(name=name) for name in ("first", "last")]
    dense = [keras.layers.Dense(4, name=name) for name in ("one", "two")]
    model = SiameseModel(SIZE, tower_of(norms[0], *dense, norms[1]))
    assert multipliers_of(model, 0.25) == ({"first": {0.0625}, "one": {0.25}, "two": {1.0}, "last": {1.0}}, {1.0})


def test_a_tower_without_a_kernel_learns_at_the_full_rate():
    model = SiameseModel(SIZE, tower_of(keras.layers.BatchNormalization()))
    assert lr_multipliers(model, replace(CONFIG, layer_decay=0.5)) == [1.0] * 4


def test_layers_of_a_nested_network_have_their_own_multipliers():
    """In order: Dense 6, Dense 5 with its normalization, Dense 4, scale and bias of the head."""
    model = SiameseModel(SIZE, nested_tower())
    multipliers = lr_multipliers(model, replace(CONFIG, layer_decay=0.5))
    assert multipliers == [0.25] * 2 + [0.5] * 4 + [1.0] * 2 + [1.0] * 2


def test_frozen_layers_have_no_multiplier_and_do_not_change_those_of_the_others():
    model = small_model()
    freeze_all_but_last(model, 2)
    by_layer, of_head = multipliers_of(model, 0.5)
    assert by_layer == {"block4_conv": {0.5}, "block4_norm": {0.5}, "embedding": {1.0}}
    assert of_head == {1.0}


class Scaled(keras.Model):
    """A weight in addition to a layer."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)
        self.factor = self.add_weight(name="factor", shape=(3,), initializer="ones")

    def call(self, x):
        return self.dense(x) * tf.convert_to_tensor(self.factor)


class ScaledLayer(keras.layers.Layer):
    """The same in a layer with a public attribute `layers`."""

    def __init__(self):
        super().__init__()
        self.layers = [keras.layers.Dense(3)]
        self.factor = self.add_weight(name="factor", shape=(3,), initializer="ones")

    def build(self, shape):
        self.layers[0].build(shape)
        self.built = True

    def call(self, x):
        return self.layers[0](x) * tf.convert_to_tensor(self.factor)


@pytest.mark.parametrize("kind", [Scaled, ScaledLayer])
def test_a_weight_that_is_in_no_inner_layer_is_frozen_with_them(kind):
    image = keras.Input((8, 8, 1))
    tower = keras.Model(image, keras.layers.Dense(4)(kind()(keras.layers.Flatten()(image))))
    model = SiameseModel((8, 8, 1), tower)
    assert len(tower.trainable_variables) == 5
    freeze_all_but_last(model, 1)
    assert len(tower.trainable_variables) == 2
    assert set(lr_multipliers(model, TrainConfig(layer_decay=0.5))) == {1.0}
