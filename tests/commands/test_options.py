"""Parsing of the shared options; the tests of each command show that it passes them on."""

import inspect
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from siamese_tf.commands.compare import compare
from siamese_tf.commands.embeddings import embed, plot_embeddings
from siamese_tf.commands.enroll import enroll
from siamese_tf.commands.evaluate import evaluate
from siamese_tf.commands.gallery import list_people, remove
from siamese_tf.commands.identify import identify
from siamese_tf.commands.options import AsJson, GalleryModel, GalleryPath, MatchBy, Model, Name, Quiet
from siamese_tf.commands.score import score
from siamese_tf.commands.train import train
from siamese_tf.commands.verify import verify


@pytest.fixture
def read():
    """Types words after a command with shared options; returns its arguments and the exit code."""
    called = {}
    app = typer.Typer()

    @app.command()
    def command(model: Model, match: MatchBy = "mean", as_json: AsJson = False, quiet: Quiet = False) -> None:
        called.update({"model": model, "match": match, "as_json": as_json, "quiet": quiet})

    def type_in(line: str) -> tuple[dict, int]:
        called.clear()
        code = CliRunner().invoke(app, line.split()).exit_code
        return dict(called), code

    return type_in


def test_every_option_arrives_with_its_type(read):
    arguments, code = read("a.keras --match best --json --quiet")
    assert code == 0
    assert arguments == {"model": Path("a.keras"), "match": "best", "as_json": True, "quiet": True}


def test_only_the_model_is_required(read):
    arguments, code = read("a.keras")
    assert code == 0
    assert arguments == {"model": Path("a.keras"), "match": "mean", "as_json": False, "quiet": False}
    assert read("") == ({}, 2)


@pytest.mark.parametrize("name", ["quiet", "json"])
def test_a_switch_has_no_opposite(read, name):
    assert read(f"a.keras --no-{name}") == ({}, 2)


@pytest.mark.parametrize(
    ("name", "shared", "commands"),
    [
        ("model", Model, [evaluate, score, embed, plot_embeddings]),
        ("quiet", Quiet, [train, score]),
        ("as_json", AsJson, [compare, evaluate, plot_embeddings]),
        ("gallery", GalleryPath, [enroll, verify, identify, list_people, remove]),
        ("model", GalleryModel, [enroll, verify, identify]),
        ("name", Name, [enroll, verify]),
        ("match", MatchBy, [verify, identify]),
    ],
)
def test_the_commands_share_them(name, shared, commands):
    for command in commands:
        assert inspect.signature(command).parameters[name].annotation is shared
