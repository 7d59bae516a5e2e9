"""docs/one-shot.md: its Python runs, its flags exist, and its numbers are those of the reports."""

import json
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
    flags = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", TEXT[: TEXT.index("## Omniglot")]))
    of_command = {"dataset", "ways", "shots", "episodes", "within", "rule", "seed", "against", "out", "json"}
    of_command |= {"write-episodes", "episodes-from", "protocol"}
    assert flags == {f"--{name}" for name in of_command}
    assert all(f"{flag} " in page for flag in flags)


def report(name: str) -> dict:
    return json.loads((ROOT / "model" / "omniglot" / name).read_text(encoding="utf-8"))


def test_the_numbers_of_omniglot_are_those_of_its_reports() -> None:
    runs, within, record = report("all-runs/report.json"), report("within-alphabets/report.json"), report("record.json")
    low, high = runs["ci95"]
    assert f"| {runs['accuracy']:.2%} ({runs['correct']} of 400; 95% interval {low:.1%} to {high:.1%}) |" in TEXT
    low, high = within["ci95"]
    hardest = within["groups"][0]
    row = f"| {within['accuracy']:.4f} | {low:.4f} to {high:.4f} | {hardest['accuracy']:.4f} ({hardest['name']}) |"
    assert row in TEXT
    accuracy, (low, high) = record["accuracy"]["test"], record["accuracy"]["test_ci95"]
    assert f"| {accuracy:.4f} | {low:.4f} to {high:.4f} | {record['metrics']['test']['eer']:.4f} |" in TEXT


def verification(name: str) -> dict[str, dict]:
    cells = json.loads((ROOT / "docs" / name).read_text(encoding="utf-8"))["cells"]
    return {cell["cell"]: cell for cell in cells}


def test_the_numbers_of_the_verification_experiment_are_those_of_the_benchmark() -> None:
    cells = verification("omniglot-verification.json")
    assert len(cells) == 6
    for cell in cells.values():
        assert 100 * cell["test"] >= cell["published"]
        low, high = cell["test_ci95"]
        columns = [f"{cell['pairs']:,}", cell["distortions"] or "none", f"{cell['published']:.2f}"]
        columns += [f"{100 * cell['test']:.2f}", f"{100 * low:.2f} to {100 * high:.2f}", f"{cell['used_pairs']:,}"]
        assert f"| {' | '.join(map(str, columns))} |" in TEXT
    koch = verification("omniglot-verification-koch.json")["30k"]
    assert (koch["epochs"], round(koch["seconds"] / 60)) == (2, 31)
    row = f"| 30,000 pairs, no distortions | 90.61 | {100 * koch['test']:.2f} | {100 * cells['30k']['test']:.2f} |"
    assert row in TEXT


def test_the_numbers_of_digits_and_clothes_are_those_of_the_benchmark() -> None:
    rows = json.loads((ROOT / "docs" / "one-shot-digits.json").read_text(encoding="utf-8"))
    assert len(rows) == 12
    for row in rows:
        low, high = row["ci95"]
        cells = [row["dataset"], row["classes"], row["ways"], row["shots"], f"{row['accuracy']:.4f}"]
        assert f"| {' | '.join(map(str, cells))} | {low:.4f} to {high:.4f} |" in TEXT


def test_the_model_meets_what_this_project_wants_of_it() -> None:
    assert report("all-runs/report.json")["correct"] >= 388
    assert report("within-alphabets/report.json")["accuracy"] >= 0.91
    assert report("record.json")["accuracy"]["test"] >= 0.945
