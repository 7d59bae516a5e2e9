"""README: its commands run, its numbers are those of the records, its links resolve."""

import itertools
import json
import re
import runpy
import shutil
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from siamese_tf.data.pairs.generate import generate_pair_files

pytestmark = pytest.mark.train

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMPARISON = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
# The training commands as they stand take minutes: here they run on the small data set, with the small tower.
QUICK = "--dataset digits --epochs 1 --tower reference --embedding-dim 8"
BRIEF = "--objectives bce,triplet --seeds 1 --epochs 1"  # of a comparison
TRAINED = "runs/longer/siamese.keras"  # what an earlier command has left: a model of the small data set


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    lines = "\n".join(code_blocks("sh")).splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the repository's, to write into, where the commands find pairs of digits: fewer than they draw."""
    folder = tmp_path_factory.mktemp("readme")
    for path in [*ROOT.glob("*.py"), ROOT / "model"]:
        (folder / path.name).symlink_to(path)
    shutil.copytree(ROOT / "docs", folder / "docs")
    out = folder / "dataset"
    generate_pair_files("digits", out=out, train_pairs=800, validation_pairs=300, test_pairs=300)
    return folder


def test_the_python_blocks_run_in_their_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert len(code_blocks("python")) >= 2
    monkeypatch.chdir(folder)
    exec(compile("\n".join(code_blocks("python")), "README.md", "exec"), {})
    probability, verdict = capsys.readouterr().out.splitlines()[0].split()
    assert 0 <= float(probability) <= 1
    assert verdict == "True"  # two sevens


def test_the_shell_commands_run_in_their_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., int], capfd: pytest.CaptureFixture
) -> None:
    """In this process; tests/test_scripts.py starts the scripts as processes."""
    monkeypatch.chdir(folder)
    ran = [command for command in commands() if not command.startswith(("make ", ". "))]
    assert len(ran) >= 9
    for command in ran:
        if "--dataset mnist" in command:  # which not every machine has
            command = re.sub(r"model/mnist/\w+/siamese.keras", TRAINED, command)
        words = re.sub(r"--dataset (fashion-)?mnist", "--dataset digits", command).split()
        if words[1].startswith(("main", "train")):
            words += QUICK.split()
        if words[1] == "compare":
            words += BRIEF.split()
        program, *arguments = words[1:] if words[0] == "python" else words
        script = {"main": partial(runpy.run_path, program, run_name="__main__")} if words[0] == "python" else {}
        assert call(arguments, program, **script) == 0, f"{command}\n{''.join(capfd.readouterr())}"


def test_the_make_targets_exist() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = set(re.findall(r"make ([a-z-]+)", " ".join([*commands(), *re.findall(r"`(make [^`]+)`", README)])))
    assert {"run", "test", "models"} <= named <= set(targets)


def test_every_result_is_the_records() -> None:
    rows = re.findall(r"^\| ([a-z-]+) \| `(v\d)` \| \w+ \|(.*)\|$", README, re.MULTILINE)
    assert {(dataset, version) for dataset, version, _ in rows} == {
        (path.parts[-3], path.parts[-2]) for path in ROOT.glob("model/*/v*/record.json")
    }
    for dataset, version, cells in rows:
        record = json.loads((ROOT / "model" / dataset / version / "record.json").read_text(encoding="utf-8"))
        accuracy, (low, high) = record["accuracy"], record["accuracy"]["test_ci95"]
        expected = [
            f"{accuracy['train']:.4f}",
            f"{accuracy['validation']:.4f}",
            f"{accuracy['test']:.4f} ({low:.4f} to {high:.4f})",
            f"{record['metrics']['test']['auc']:.4f}",
            f"{record['metrics']['test']['eer']:.4f}",
        ]
        *ours, _ = (cell.strip() for cell in cells.split("|"))  # the last is the reference's
        assert ours == expected, f"{dataset} {version}"


def test_every_number_of_embeddings_is_the_records() -> None:
    rows = re.findall(r"^\| ([a-z-]+) \| `(v4)` \|((?: 0\.\d{4} \|){5})$", README, re.MULTILINE)
    assert {(dataset, version) for dataset, version, _ in rows} == {("mnist", "v4"), ("fashion-mnist", "v4")}
    for dataset, version, cells in rows:
        numbers = json.loads((ROOT / "model" / dataset / version / "record.json").read_text(encoding="utf-8"))[
            "embeddings"
        ]
        values = [*numbers["recall_at"].values(), numbers["map_at_r"], numbers["silhouette"]]
        assert cells.split(" |")[:-1] == [f" {value:.4f}" for value in values], dataset


def test_the_numbers_of_the_sevens_are_the_records() -> None:
    record = json.loads((ROOT / "model/mnist/seven/record.json").read_text(encoding="utf-8"))["one_vs_rest"]
    numbers = record["test"]
    (cells,) = re.findall(r"^\| precision \| recall \| F1 \| AUC \|\n\|[-|]+\n\|(.*)\|$", README, re.MULTILINE)
    expected = [f"{numbers[name]:.4f}" for name in ("precision", "recall", "f1", "auc")]
    assert [cell.strip() for cell in cells.split("|")] == expected
    asked = f"asked of all {numbers['images']:,} MNIST test images, {numbers['members']:,} of them sevens"
    assert asked in README
    assert f"with {record['references']} reference images" in README


def comparison_file(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "docs" / "comparison" / name).read_text(encoding="utf-8"))


def test_every_number_of_the_comparison_is_that_of_its_file() -> None:
    rows = re.findall(r"^\| ((?:fashion-)?mnist) \| (\w+) \| (.*) \|$", COMPARISON, re.MULTILINE)
    expected = []
    for dataset in ("mnist", "fashion-mnist"):
        found = comparison_file(f"{dataset}.json")
        assert found["command"] in COMPARISON
        assert len(found["seeds"]) == 5
        assert found["tower_parameters"] == 75_008
        for objective, numbers in found["objectives"].items():
            accuracy, others = numbers["test_accuracy"], ("validation_accuracy", "auc", "eer")
            cells = ["{:.4f} ({:.4f} to {:.4f})".format(accuracy["mean"], *accuracy["ci95"])]
            cells += [f"{numbers[one]['mean']:.4f}" for one in others]
            expected.append((dataset, objective, " | ".join(cells)))
    assert rows == expected


def test_every_number_about_the_margin_of_triplets_is_that_of_its_file() -> None:
    rows = re.findall(r"^\| (?:fashion-)?mnist \| 0\.\d \| .* \|$", COMPARISON, re.MULTILINE)
    expected = []
    for dataset, margin in itertools.product(("mnist", "fashion-mnist"), (0.5, 0.2)):
        name = f"{dataset}.json" if margin == 0.5 else f"{dataset}-triplet.json"
        found = comparison_file(name)
        assert found["command"] in COMPARISON
        assert found["configs"]["triplet"]["margin"] == margin
        values = found["objectives"]["triplet"]["test_accuracy"]["values"]
        numbers = [f(values) for f in (statistics.mean, statistics.median, min, max)]
        expected.append(f"| {dataset} | {margin} | {len(values)} | " + " | ".join(f"{n:.4f}" for n in numbers) + " |")
    assert rows == expected


def test_every_number_of_the_triplet_network_is_that_of_its_record() -> None:
    rows = re.findall(r"^\| (?:fashion-)?mnist(?: \| 0\.\d{4}){9} \|$", COMPARISON, re.MULTILINE)
    expected = []
    for dataset in ("mnist", "fashion-mnist"):
        record = comparison_file(f"tnn-{dataset}.json")
        assert record["command"] in COMPARISON
        test, found = record["metrics"]["test"], record["embeddings"]
        values = [record["accuracy"]["test"], test["auc"], test["eer"], *found["recall_at"].values()]
        values += [found["r_precision"], found["map_at_r"], found["silhouette"]]
        expected.append(f"| {dataset} | " + " | ".join(f"{value:.4f}" for value in values) + " |")
    assert rows == expected


def test_links_and_pictures_exist() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    assert [target for target in targets if "://" not in target and not (ROOT / target).exists()] == []
