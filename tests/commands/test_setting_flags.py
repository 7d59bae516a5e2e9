"""Flags made from settings, and the one field that it takes to add a setting."""

import inspect
import json
import re
from dataclasses import dataclass, fields
from functools import partial

import pytest
import typer
from typer.testing import CliRunner

from siamese_tf.commands.compare import compare
from siamese_tf.commands.embeddings import embed, plot_embeddings
from siamese_tf.commands.evaluate import evaluate
from siamese_tf.commands.pairs import check, generate
from siamese_tf.commands.setting_flags import with_settings
from siamese_tf.commands.train import train
from siamese_tf.config.checks import check_whole
from siamese_tf.config.data_config import IMAGE_FORMAT, DataConfig
from siamese_tf.config.settings import ADVANCED, PANELS, setting
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError

ANSI = re.compile(r"\x1b\[[0-9;]*m")
DATA = "--dataset digits --data-dir d --pairs p.npz --test-pairs t.npz --images i --one-vs-rest 7 --rest-is-a-class"


@dataclass(frozen=True)
class MoreConfig(TrainConfig):
    depth: int = setting(
        2, "Number of layers.", partial(check_whole, low=1, high=9), flag="--layers", panel=ADVANCED, metavar="COUNT"
    )


def runner(cls, *names, script_defaults=None, **options):
    """Returns a function that types a line after a command with the settings."""
    given = []
    app = typer.Typer()

    @app.command()
    @with_settings(cls, names or None, **options)
    def command(typed: dict, verbose: bool = False) -> None:
        """Run."""
        given.append((typed, verbose))

    def type_in(line: str):
        given.clear()
        done = CliRunner().invoke(app, line.split(), env={"COLUMNS": "120"}, default_map=script_defaults)
        return given[0] if given else None, done.exit_code, ANSI.sub("", done.output)

    return type_in


def test_one_field_adds_a_flag_a_check_and_a_key(tmp_path):
    type_in = runner(MoreConfig)
    assert type_in("--depth 5")[0] == type_in("--layers 5")[0] == ({"depth": 5}, False)
    help = type_in("--help")[2]
    assert re.search(r"--layers,--depth +COUNT +Number of layers\. +\[default: 2\]", help)
    assert help.index("Number of layers") > help.index(ADVANCED)
    with pytest.raises(ConfigError, match="depth must be an integer from 1 to 9; got 0"):
        MoreConfig(depth=0)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(MoreConfig(depth=5).to_dict()))
    assert json.loads(path.read_text())["depth"] == 5
    assert MoreConfig.load(path) == MoreConfig(depth=5)


def test_only_typed_settings_arrive():
    type_in = runner(DataConfig)
    assert type_in("") == (({}, False), 0, "")
    expected = {
        "dataset": "digits",
        "data_dir": "d",
        "pairs": "p.npz",
        "test_pairs": "t.npz",
        "images": "i",
        "one_vs_rest": "7",
        "rest_is_a_class": True,
    }
    assert type_in(f"{DATA} --verbose")[0] == (expected, True)
    assert type_in("--dataset auto")[0] == ({"dataset": "auto"}, False)  # typed, although it is the default
    assert runner(DataConfig, script_defaults={"resize": "crop"})("")[0] == ({"resize": "crop"}, False)


def test_a_command_may_have_some_settings_and_require_some():
    type_in = runner(DataConfig, "dataset", "color", required=("dataset",), show_default={"color": "as stored"})
    assert type_in("")[:2] == (None, 2)
    assert type_in("--dataset digits --resize crop")[:2] == (None, 2)
    assert type_in("--dataset digits")[0] == ({"dataset": "digits"}, False)
    help = type_in("--help")[2]
    assert "[default: (as stored)]" in help
    assert "[default: auto]" not in help


def test_the_kinds_of_values():
    type_in = runner(TrainConfig)
    line = "--margin 0.5 --epochs 3 --learning-rate 1 --no-whiten --head cosine"
    expected = {"margin": 0.5, "epochs": 3, "learning_rate": 1.0, "whiten": False, "head": "cosine"}
    assert type_in(line)[0] == (expected, False)
    assert type_in("--margin soft --whiten")[0] == ({"margin": "soft", "whiten": True}, False)
    for wrong in ("--epochs 1.5", "--learning-rate fast", "--no-rest-is-a-class"):
        assert type_in(wrong)[:2] == (None, 2)


@pytest.mark.parametrize(
    ("name", "new", "old", "value"),
    [
        ("average", "--ema-decay", "--average", 0.5),
        ("start_from", "--init-weights", "--start-from", "a.keras"),
        ("train_last", "--trainable-blocks", "--train-last", 3),
        ("views", "--tta", "--views", "mirror"),
    ],
)
def test_earlier_names_of_flags_are_accepted_and_the_newer_one_is_first_on_the_help_page(name, new, old, value):
    type_in = runner(TrainConfig, name)
    assert type_in(f"{new} {value}")[0] == type_in(f"{old} {value}")[0] == ({name: value}, False)
    assert f"{new},{old} " in type_in("--help")[2]


def test_gray_is_accepted_as_grey():
    given, _ = runner(DataConfig, "color")("--color gray")[0]
    assert DataConfig(**given) == DataConfig(color="grey")


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (train, [field.name for field in fields(TrainConfig)]),
        (compare, [*"dataset data_dir pairs test_pairs images tower epochs precision".split(), *IMAGE_FORMAT]),
        (evaluate, "dataset data_dir pairs test_pairs images one_vs_rest rest_is_a_class".split()),
        (embed, ["dataset", "data_dir"]),
        (plot_embeddings, "dataset data_dir pairs test_pairs one_vs_rest".split()),
        (generate, ["dataset", "data_dir", *IMAGE_FORMAT]),
        (check, ["images"]),
    ],
)
def test_the_commands_take_their_flags_from_the_fields(command, names):
    parameters = inspect.signature(command).parameters
    described = TrainConfig.settings()
    shared = [name for name in parameters if getattr(parameters[name].annotation, "__metadata__", ())]
    for name in names:
        option = parameters[name].annotation.__metadata__[0]
        assert option.help == described[name].help
        alone = [other for other in names if described[other].panel == described[name].panel] == [name]
        assert option.rich_help_panel == (None if alone else described[name].panel)
    help_texts = {one.help for one in described.values()}
    others = [name for name in shared if name not in names]
    assert not [name for name in others if parameters[name].annotation.__metadata__[0].help in help_texts]


def test_the_panels_of_train_are_in_order_and_the_first_is_short():
    app = typer.Typer(add_completion=False)
    app.command()(train)
    help = ANSI.sub("", CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).output)
    titles = re.findall("^╭─ (.*?) ─", help, re.MULTILINE)
    assert titles == ["Options", *PANELS[1:]]
    assert len(titles) >= 4
    first = help[: help.index(f"─ {PANELS[1]} ─")]
    assert len(re.findall("^│ --", first, re.MULTILINE)) <= 12
    for flag in ("--objective", "--dataset", "--recipe", "--workdir", "--resume"):
        assert f"│ {flag} " in first
    advanced = help[help.index(f"─ {ADVANCED} ─") :]
    for flag in ("--mining", "--init-weights", "--trainable-blocks", "--layer-decay", "--precision"):
        assert f"│ {flag}" in advanced
