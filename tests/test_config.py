import json
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from siamese_tf.config import TrainConfig
from siamese_tf.errors import ConfigError

# A value other than the default for every knob.
OTHERS = {
    "dataset": "digits",
    "data_dir": "/data",
    "pairs": "train.npz",
    "test_pairs": "test.npz",
    "objective": "bce",
    "tower": "custom",
    "head": "concat",
    "embedding_dim": 1,
    "margin": 2,
    "epochs": 100_000,
    "batch_pairs": 65_536,
    "learning_rate": 1e-9,
    "pairs_per_step": "listed",
    "augment": "shift-flip",
    "seed": 2**32 - 1,
}


def test_the_defaults():
    config = TrainConfig()
    assert (config.dataset, config.objective, config.tower, config.seed) == ("auto", "contrastive", "small_cnn", 0)
    assert (config.head, config.epochs, config.pairs) == (None, None, None)


@pytest.mark.parametrize("values", [{}, OTHERS])
def test_what_was_written_is_read_back_equal(tmp_path, values):
    config = TrainConfig(**values)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config.to_dict()), encoding="utf-8")
    assert TrainConfig.load(path) == config
    assert TrainConfig.load(str(path)).to_dict() == config.to_dict()


def test_others_differ_in_every_knob():
    """So that the round trip above could not pass with a knob left out."""
    default = TrainConfig().to_dict()
    assert list(OTHERS) == list(default) == [field.name for field in fields(TrainConfig)]
    assert not [name for name in default if default[name] == OTHERS[name]]


def test_a_file_may_leave_knobs_out(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"epochs": 3}')
    assert TrainConfig.load(path) == TrainConfig(epochs=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"epoch": 3}', "must hold a JSON object with some of .*'epochs'.*; it holds {'epoch': 3}"),
        ("[1, 2]", r"must hold a JSON object .*; it holds \[1, 2\]"),
        ("null", "must hold a JSON object .*; it holds None"),
        ("{", "cannot be read as a config.json: Expecting"),
        ("\xff", "cannot be read as a config.json: .*decode"),
        ('{"epochs": 0}', "epochs must be a whole number from 1 to 100,000; got 0"),
    ],
)
def test_files_that_hold_no_config_are_refused(tmp_path, text, message):
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
        ("objective", "objective must be one of bce, mse, contrastive; got 'nonsense'"),
        ("tower", "tower must be one of small_cnn, reference, custom; got 'nonsense'"),
        ("head", "head must be one of cosine, euclidean, concat; got 'nonsense'"),
        ("pairs_per_step", "pairs_per_step must be one of all, listed; got 'nonsense'"),
        ("augment", "augment must be one of auto, none, shift, flip, shift-flip; got 'nonsense'"),
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
        ("batch_pairs", 1, 65_536, "1 to 65,536"),
        ("seed", 0, 2**32 - 1, "0 to 4,294,967,295"),
    ],
)
def test_whole_numbers(name, low, high, span):
    for right in (low, high):
        assert getattr(TrainConfig(**{name: right}), name) == right
    for wrong in (low - 1, high + 1, 2.0, "2", True, float("nan")):
        with pytest.raises(ConfigError) as caught:
            TrainConfig(**{name: wrong})
        assert str(caught.value) == f"{name} must be a whole number from {span}; got {wrong!r}"


@pytest.mark.parametrize("name", ["batch_pairs", "seed", "margin", "dataset"])
def test_what_has_a_default_cannot_be_none(name):
    with pytest.raises(ConfigError, match=f"{name} must be .*; got None"):
        TrainConfig(**{name: None})


@pytest.mark.parametrize("name", ["margin", "learning_rate"])
def test_positive_numbers(name):
    for right in (1, 1e-12, 1e12):
        assert getattr(TrainConfig(**{name: right}), name) == right
    for wrong in (0, -1.0, float("inf"), float("nan"), "1", True):
        with pytest.raises(ConfigError) as caught:
            TrainConfig(**{name: wrong})
        assert str(caught.value) == f"{name} must be a number above 0; got {wrong!r}"


@pytest.mark.parametrize("name", ["dataset", "data_dir", "pairs", "test_pairs"])
def test_paths_are_text_since_they_are_written_as_json(tmp_path, name):
    assert getattr(TrainConfig(**{name: str(tmp_path)}), name) == str(tmp_path)
    with pytest.raises(ConfigError, match=rf"{name} must be text.*; got .*Path\(.*Use str\(path\)"):
        TrainConfig(**{name: tmp_path})


def test_a_changed_copy_is_checked_too():
    with pytest.raises(ConfigError, match="epochs must be"):
        replace(TrainConfig(), epochs=0)
