"""What the shared options turn words into; that a command passes them on is tested with the command."""

import inspect
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from siamese_tf.commands.enroll import enroll
from siamese_tf.commands.evaluate import evaluate
from siamese_tf.commands.gallery import list_people, remove
from siamese_tf.commands.identify import identify
from siamese_tf.commands.options import (
    DataDir,
    Dataset,
    GalleryModel,
    GalleryPath,
    MatchBy,
    Model,
    Name,
    OneVsRest,
    Pairs,
    Quiet,
    RestIsAClass,
    TestPairs,
)
from siamese_tf.commands.pairs import generate
from siamese_tf.commands.score import score
from siamese_tf.commands.train import train
from siamese_tf.commands.verify import verify


@pytest.fixture
def read():
    """Types words after a command that has all shared options; what it is called with, and its exit code."""
    seen = {}
    app = typer.Typer()

    @app.command()
    def command(
        model: Model,
        dataset: Dataset = "auto",
        data_dir: DataDir = None,
        pairs: Pairs = None,
        test_pairs: TestPairs = None,
        one_vs_rest: OneVsRest = None,
        rest_is_a_class: RestIsAClass = False,
        quiet: Quiet = False,
    ) -> None:
        seen.update(locals())

    def type_in(line: str) -> tuple[dict, int]:
        seen.clear()
        code = CliRunner().invoke(app, line.split()).exit_code
        return {name: value for name, value in seen.items() if name != "seen"}, code

    return type_in


def test_every_option_arrives_as_what_it_is(read):
    words = "--dataset digits --data-dir d --pairs p.npz --test-pairs t.npz --one-vs-rest 7 --rest-is-a-class --quiet"
    found, code = read(f"a.keras {words}")
    assert code == 0
    assert found == {
        "model": Path("a.keras"),
        "dataset": "digits",
        "data_dir": "d",
        "pairs": "p.npz",
        "test_pairs": "t.npz",
        "one_vs_rest": "7",
        "rest_is_a_class": True,
        "quiet": True,
    }


def test_none_but_the_model_must_be_given(read):
    found, code = read("a.keras")
    assert code == 0
    assert found == {
        "model": Path("a.keras"),
        "dataset": "auto",
        "data_dir": None,
        "pairs": None,
        "test_pairs": None,
        "one_vs_rest": None,
        "rest_is_a_class": False,
        "quiet": False,
    }
    assert read("") == ({}, 2)


@pytest.mark.parametrize("name", ["quiet", "rest-is-a-class"])
def test_a_switch_has_no_opposite(read, name):
    assert read(f"a.keras --no-{name}") == ({}, 2)


@pytest.mark.parametrize(
    ("name", "shared", "commands"),
    [
        ("dataset", Dataset, [train, generate]),
        ("data_dir", DataDir, [train, evaluate, generate]),
        ("pairs", Pairs, [train, evaluate]),
        ("test_pairs", TestPairs, [train, evaluate]),
        ("model", Model, [evaluate, score]),
        ("one_vs_rest", OneVsRest, [train, evaluate]),
        ("rest_is_a_class", RestIsAClass, [train, evaluate]),
        ("quiet", Quiet, [train, score]),
        ("gallery", GalleryPath, [enroll, verify, identify, list_people, remove]),
        ("model", GalleryModel, [enroll, verify, identify]),
        ("name", Name, [enroll, verify]),
        ("match", MatchBy, [verify, identify]),
    ],
)
def test_the_commands_share_them(name, shared, commands):
    for command in commands:
        assert inspect.signature(command).parameters[name].annotation is shared
