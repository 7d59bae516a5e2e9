"""docs/one-shot.md: its Python runs, and its flags exist."""

import re
from pathlib import Path

import pytest

from siamese_tf.models.classify import RULES

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "one-shot.md").read_text(encoding="utf-8")


def test_the_python_block_classifies_the_seven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict = {}
    exec(compile(block, "one-shot.md", "exec"), names)
    assert names["labels"] == ["seven"]
    assert f"`labels` is `{str(names['labels']).replace(chr(39), chr(34))}`" in TEXT
    assert names["probabilities"].shape == (1, 2)


def test_its_rules_and_flags_are_those_of_the_command(run) -> None:
    assert tuple(re.findall(r"^\| `([a-z]+-[a-z]+)`", TEXT, re.MULTILINE)) == RULES
    page = run("one-shot --help").out
    flags = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", TEXT))
    of_command = {"dataset", "ways", "shots", "episodes", "within", "rule", "seed", "against", "out", "json"}
    of_command |= {"write-episodes", "episodes-from", "protocol"}
    assert flags == {f"--{name}" for name in of_command}
    assert all(f"{flag} " in page for flag in flags)
