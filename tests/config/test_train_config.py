import json
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from siamese_tf.config.catalog import TOWERS
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError

# A value other than the default for every setting but one, which the objective triplet does not have.
OTHERS = {
    "dataset": "digits",
    "data_dir": "/data",
    "pairs": "train.npz",
    "test_pairs": "test.npz",
    "images": "lfw",
    "image_size": "112x92",
    "color": "grey",
    "resize": "crop",
    "one_vs_rest": "7",
    "rest_is_a_class": True,
    "objective": "triplet",
    "tower": "custom",
    "head": "cosine",
    "embedding_dim": 1,
    "margin": "soft",
    "mining": "hard",
    "losses": "native",
    "classes_per_batch": 65_536,
    "images_per_class": 2,
    "epochs": 100_000,
    "images_shown": 10**10,
    "batch_pairs": 65_536,
    "optimizer": "sgd",
    "learning_rate": 1e-9,
    "schedule": "constant",
    "weight_decay": 1e-4,
    "l2": 1e-5,
    "start_from": "earlier.keras",
    "train_last": 3,
    "layer_decay": 0.9,
    "whiten": True,
    "average": 0,
    "augment": "erase-flip",
    "views": "auto",
    "precision": "bfloat16",
    "seed": 2**32 - 1,
    "invert": True,
    "center": "strokes",
    "batch_within": "group",
    "groups_per_batch": 2,
    "classes_from": "rotations",
    "validate_every": 5,
    "steps_per_epoch": 10**8,
}
LISTED = {"objective": "bce", "head": "concat", "pairs_per_step": "listed"}
TRIPLETS = TrainConfig(objective="triplet")


def test_the_defaults():
    config = TrainConfig()
    assert (config.dataset, config.objective, config.tower, config.seed) == ("auto", "contrastive", "small_cnn_v2", 0)
    assert (config.head, config.epochs, config.pairs) == (None, None, None)


@pytest.mark.parametrize("values", [{}, OTHERS, LISTED])
def test_a_saved_config_is_loaded_equal(tmp_path, values):
    config = TrainConfig(**values)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config.to_dict()), encoding="utf-8")
    assert TrainConfig.load(path) == config
    assert TrainConfig.load(str(path)).to_dict() == config.to_dict()


def test_others_differ_in_every_setting():
    """So that the round trip above could not pass with a setting left out."""
    default = TrainConfig().to_dict()
    others = LISTED | OTHERS
    assert sorted(others) == sorted(default) == sorted(field.name for field in fields(TrainConfig))
    assert not [name for name in default if default[name] == others[name]]


def test_a_file_may_leave_settings_out(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"epochs": 3}')
    assert TrainConfig.load(path) == TrainConfig(epochs=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"epoch": 3}', "must hold a JSON object whose keys are some of .*'epochs'.*; got {'epoch': 3}"),
        ("[1, 2]", r"must hold a JSON object .*; got \[1, 2\]"),
        ("null", "must hold a JSON object .*; got None"),
        ("{", "cannot be read as a config.json: Expecting"),
        ("\xff", "cannot be read as a config.json: .*decode"),
        ('{"epochs": 0}', "epochs must be an integer from 1 to 100,000; got 0"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "config.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=message):
        TrainConfig.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.json cannot be read as a config\.json: .*No such file"):
        TrainConfig.load(tmp_path / "nowhere.json")


def test_a_config_does_not_change():
    with pytest.raises(FrozenInstanceError):
        TrainConfig().epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rest_is_a_class", "rest_is_a_class must be one of False, True; got 'nonsense'"),
        ("objective", "objective must be one of bce, mse, contrastive, triplet, episode; got 'nonsense'"),
        (
            "tower",
            f"tower must be one of {', '.join(TOWERS)}, custom; got 'nonsense'",
        ),
        ("head", "head must be one of cosine, euclidean, concat, weighted_l1; got 'nonsense'"),
        ("pairs_per_step", "pairs_per_step must be one of all, listed; got 'nonsense'"),
        ("mining", "mining must be one of semi-hard, hard, all; got 'nonsense'"),
        ("losses", "losses must be one of auto, addons, native; got 'nonsense'"),
        ("optimizer", "optimizer must be one of adam, sgd, momentum; got 'nonsense'"),
        ("schedule", "schedule must be one of cosine, step, exponential, plateau, constant; got 'nonsense'"),
        ("views", "views must be one of one, mirror, turn, shift, affine, auto; got 'nonsense'"),
        ("precision", "precision must be one of auto, float32, bfloat16; got 'nonsense'"),
    ],
)
def test_choices(name, expected):
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**{name: "nonsense"})
    assert str(caught.value) == expected
    with pytest.raises(ConfigError, match=f"{name} must be one of .*; got 3"):
        TrainConfig(**{name: 3})


@pytest.mark.parametrize(
    ("name", "low", "high", "span"),
    [
        ("embedding_dim", 1, 4096, "1 to 4,096"),
        ("epochs", 1, 100_000, "1 to 100,000"),
        ("images_shown", 1, 10**10, "1 to 10,000,000,000"),
        ("batch_pairs", 1, 65_536, "1 to 65,536"),
        ("steps_per_epoch", 1, 10**8, "1 to 100,000,000"),
        ("classes_per_batch", 2, 65_536, "2 to 65,536"),
        ("images_per_class", 2, 65_536, "2 to 65,536"),
        ("train_last", 1, 10_000, "1 to 10,000"),
        ("seed", 0, 2**32 - 1, "0 to 4,294,967,295"),
    ],
)
def test_integers(name, low, high, span):
    for right in (low, high):
        assert getattr(replace(TRIPLETS, **{name: right}), name) == right
    for wrong in (low - 1, high + 1, 2.0, "2", True, float("nan")):
        with pytest.raises(ConfigError) as caught:
            TrainConfig(**{name: wrong})
        assert str(caught.value) == f"{name} must be an integer from {span}; got {wrong!r}"


NOT_OPTIONAL = (
    "batch_pairs seed weight_decay l2 mining dataset rest_is_a_class images_shown average augment precision resize"
    " optimizer schedule".split()
)


@pytest.mark.parametrize("name", NOT_OPTIONAL)
def test_settings_with_a_default_cannot_be_none(name):
    with pytest.raises(ConfigError, match=f"{name} must be .*; got None"):
        TrainConfig(**{name: None})


@pytest.mark.parametrize(
    ("name", "low", "expected"),
    [
        ("margin", 1e-12, "a number above 0, or soft"),
        ("learning_rate", 1e-12, "a number above 0"),
        ("weight_decay", 0, "a number of at least 0"),
        ("l2", 0, "a number of at least 0"),
    ],
)
def test_numbers(name, low, expected):
    for right in (low, 1, 1e12):
        assert getattr(TrainConfig(**{name: right}), name) == right
    for wrong in (*([] if low == 0 else [0]), -1.0, float("inf"), float("nan"), "1", True):
        with pytest.raises(ConfigError) as caught:
            TrainConfig(**{name: wrong})
        assert str(caught.value) == f"{name} must be {expected}; got {wrong!r}"


@pytest.mark.parametrize(
    ("margin", "soft", "numeric_margin"),
    [("soft", True, 0.0), (0.25, False, 0.25), (2, False, 2.0), (None, False, 0.0)],
)
def test_a_margin_is_soft_or_a_number(margin, soft, numeric_margin):
    config = TrainConfig(objective="triplet", margin=margin)
    assert config.soft is soft
    assert (config.numeric_margin, type(config.numeric_margin)) == (numeric_margin, float)


@pytest.mark.parametrize("objective", ["bce", "mse"])
def test_a_margin_is_refused_with_objectives_on_logits(objective):
    with pytest.raises(ConfigError) as caught:
        TrainConfig(objective=objective, margin=0.3)
    assert str(caught.value) == (
        f"margin 0.3: for the objective contrastive or triplet only; got objective {objective!r}."
        " Leave it out, or choose the objective contrastive or triplet"
    )


@pytest.mark.parametrize("objective", ["bce", "mse", "contrastive"])
@pytest.mark.parametrize(
    ("values", "came"),
    [
        ({"margin": "soft"}, "margin 'soft'"),
        ({"mining": "all"}, "mining 'all'"),
        ({"losses": "native"}, "losses 'native'"),
    ],
)
def test_settings_of_triplets_are_refused_with_another_objective(objective, values, came):
    """Unnoticed, `--mining hard` would train with contrastive loss."""
    assert TrainConfig(objective="triplet", **values)
    with pytest.raises(ConfigError) as caught:
        TrainConfig(objective=objective, **values)
    assert str(caught.value) == (
        f"{came}: for the objective triplet only; got objective {objective!r}."
        " Leave it out, or choose the objective triplet"
    )


@pytest.mark.parametrize("objective", ["bce", "mse", "contrastive"])
def test_settings_of_class_batches_are_refused_with_objectives_on_pairs(objective):
    values = {"images_per_class": 2, "classes_per_batch": 3, "batch_within": "group"}
    for of_classes in ("triplet", "episode"):
        assert TrainConfig(objective=of_classes, **values)
    with pytest.raises(ConfigError) as caught:
        TrainConfig(objective=objective, **values)
    assert str(caught.value) == (
        "classes_per_batch 3, images_per_class 2, batch_within 'group': for the objective triplet or episode only;"
        f" got objective {objective!r}. Leave it out, or choose the objective triplet or episode"
    )


def test_triplets_need_a_distance_and_batches_by_class():
    for head in ("cosine", "euclidean"):
        assert replace(TRIPLETS, head=head).head == head
    with pytest.raises(ConfigError, match="'triplet' needs the head euclidean or cosine; got head 'concat'. Choose"):
        replace(TRIPLETS, head="concat")
    with pytest.raises(ConfigError, match="pairs_per_step 'listed' is not for the objective triplet.*Leave it out"):
        replace(TRIPLETS, pairs_per_step="listed")


def test_a_changed_copy_is_checked_too():
    with pytest.raises(ConfigError, match="epochs must be"):
        replace(TrainConfig(), epochs=0)


def test_whitening_needs_a_head_with_a_distance():
    with pytest.raises(
        ConfigError, match="whiten needs the head cosine or euclidean; got head 'concat'. Choose another head"
    ):
        TrainConfig(whiten=True, head="concat")
    assert TrainConfig(whiten=False, head="concat").whiten is False


def test_the_positions_are_those_of_earlier_versions():
    """Later fields are accepted as keywords only."""
    names = (
        "dataset data_dir pairs test_pairs images image_size color resize one_vs_rest rest_is_a_class objective tower"
        " head embedding_dim margin mining losses classes_per_batch images_per_class epochs images_shown batch_pairs"
        " optimizer learning_rate schedule weight_decay l2 start_from train_last layer_decay whiten pairs_per_step"
        " average augment views precision seed"
    ).split()
    assert names == [field.name for field in fields(TrainConfig) if not field.kw_only]
    assert TrainConfig("digits", None, "a.npz") == TrainConfig(dataset="digits", pairs="a.npz")


def test_the_docstring_lists_every_setting():
    for name, described in TrainConfig.settings().items():
        assert f"\n        {name}: {described.help}" in TrainConfig.__doc__
