from typer.testing import CliRunner

from siamese_tf.cli import app
from siamese_tf.config.recipes import RECIPES


def test_a_command_can_be_copied_from_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = CliRunner().invoke(app, ["recipes"]).stdout.splitlines()
    for recipe in RECIPES.values():
        assert any(recipe.command in line for line in lines)


def test_every_recipe_is_listed_with_its_command(monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    done = CliRunner().invoke(app, ["recipes"])
    assert done.exit_code == 0
    for recipe in RECIPES.values():
        for text in (recipe.command, recipe.about, recipe.takes, recipe.expect):
            assert text in done.stdout
