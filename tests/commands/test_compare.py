"""A small comparison without mocks: two objectives with two seeds each, trained once, then run again."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from siamese_tf.config.recipes import config_from
from siamese_tf.experiments import compare as training
from siamese_tf.models.model_file import load_model
from siamese_tf.training.train import train_and_evaluate

pytestmark = pytest.mark.train

PAIRS = "pairs generate --dataset digits --out made --train-pairs 400 --validation-pairs 100 --test-pairs 100"
LINE = "compare --pairs made/digits/train_pairs.npz --objectives bce,triplet --tower reference --epochs 1 --workdir all"
RUNS = [f"{objective}/{seed}" for seed in range(2) for objective in ("bce", "triplet")]


@pytest.fixture(scope="module")
def folder(call, tmp_path_factory):
    """Returns a folder with a finished comparison, whose runs have no plots."""
    folder = tmp_path_factory.mktemp("compare")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        options = {"pictures": False}
        patch.setattr(training, "train_and_evaluate", lambda *args, **more: train_and_evaluate(*args, **more | options))
        assert call(PAIRS) == 0
        assert call(f"{LINE} --seeds 2") == 0
    return folder


@pytest.fixture
def type_in(folder, monkeypatch, capfd, call):
    """Types a line in the folder; returns exit code, stdout and stderr."""
    monkeypatch.chdir(folder)

    def type_in(line):
        capfd.readouterr()
        code = call(line)
        out, err = capfd.readouterr()
        return SimpleNamespace(code=code, out=out, err=err)

    return type_in


@pytest.fixture
def no_training(monkeypatch):
    monkeypatch.setattr(training, "train_and_evaluate", lambda *args, **options: pytest.fail("This trains."))


def test_it_leaves_every_run_and_the_comparison(folder):
    comparison = json.loads((folder / "all" / "comparison.json").read_text())
    for run in RUNS:
        objective, seed = run.split("/")
        record = json.loads((folder / "all" / run / "record.json").read_text())
        assert (record["objective"], record["seed"]) == (objective, int(seed))
        assert record["command"] == f"siamese-tf {LINE} --seeds 2".replace("made/digits/", "")
        assert record["pairs"] == comparison["pairs"]
        values = comparison["objectives"][objective]["test_accuracy"]["values"]
        assert values[int(seed)] == record["accuracy"]["test"]
        assert record["training"]["epochs"] == comparison["budgets"][objective]["epochs"]
    assert comparison["budgets"]["bce"]["images"] == 3 * 256  # 400 pairs are 3 steps of 128
    triplet = comparison["budgets"]["triplet"]
    assert abs(triplet["images"] - 768) <= triplet["steps"] * triplet["images_per_step"] / 2  # half an epoch
    assert (folder / "all" / "comparison.png").stat().st_size > 5000


def test_a_run_of_a_comparison_is_a_run_like_any_other(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    config = training.TrainConfig.load(folder / "all" / RUNS[-1] / "config.json")
    alone = train_and_evaluate(config, tmp_path, quiet=True, pictures=False)
    among_others = load_model(folder / "all" / RUNS[-1] / "siamese.keras")
    for one, other in zip(alone.get_weights(), among_others.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("no_training")
def test_the_same_command_reads_the_finished_runs(folder, type_in):
    models = {run: (folder / "all" / run / "siamese.keras").stat().st_mtime_ns for run in RUNS}
    before = json.loads((folder / "all" / "comparison.json").read_text())
    done = type_in(f"{LINE} --seeds 2")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("(already finished)") == 4
    assert "same pairs and tower for all objectives (reference, " in done.out
    assert "\nobjective  test accuracy" in done.out
    assert "Means over 2 seeds" in done.out
    assert json.loads((folder / "all" / "comparison.json").read_text()) == before
    assert {run: (folder / "all" / run / "siamese.keras").stat().st_mtime_ns for run in RUNS} == models


@pytest.mark.usefixtures("no_training")
def test_as_json_the_numbers_are_alone_on_standard_output(folder, type_in):
    done = type_in(f"{LINE} --seeds 2 --json")
    assert done.code == 0
    assert json.loads(done.out) == json.loads((folder / "all" / "comparison.json").read_text())
    assert "images through the tower" in done.err


@pytest.mark.usefixtures("no_training")
def test_one_seed_is_not_enough_to_compare(type_in):
    assert "no difference between objectives can be established" in type_in(f"{LINE} --seeds 1").out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("compare --objectives bce,l2", ["objective must be one of bce, mse", "got 'l2'"]),
        ("compare --objectives bce,bce", ["one or more distinct names", "got bce, bce"]),
        ("compare --recipe none", ["recipe must be one of quick", "got 'none'"]),
        ("compare --recipe tnn", ["recipe tnn", "objective triplet only"]),
        (LINE.replace("--epochs 1", "--epochs 2"), ["contains another run: epochs was 1 and is now 2", "--workdir"]),
    ],
)
@pytest.mark.usefixtures("no_training")
def test_wrong_settings_are_refused(type_in, line, words):
    done = type_in(line)
    assert (done.code, done.out.count("already finished")) == (2, 0)
    assert done.err.startswith("error: ")
    for word in words:
        assert word in done.err


def test_the_help_shows_the_defaults(type_in):
    done = type_in("compare --help")
    for word in (
        "bce,mse,contrastive,triplet",
        "runs/<dataset>/compare",
        "--seeds",
        "--json",
        "resumes a comparison that was stopped",
    ):
        assert word in done.out


@pytest.mark.usefixtures("folder")
def test_typed_settings_reach_the_configs(type_in, monkeypatch):
    task = []

    def stopped(configs, seeds, workdir, **options):
        task.append((configs, seeds, str(workdir), options["command"]))
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "compare_objectives", stopped)
    line = "compare --dataset digits --data-dir d --pairs a --test-pairs b --objectives mse,triplet --recipe best"
    line += " --tower tnn --epochs 3 --precision bfloat16 --seeds 7 --workdir w"
    done = type_in(line)
    assert (done.code, done.out) == (130, "")
    assert "The same command continues" in done.err
    given = {"dataset": "digits", "data_dir": "d", "pairs": "a", "test_pairs": "b"}
    given |= {"tower": "tnn", "epochs": 3, "precision": "bfloat16"}
    configs = [config_from("best", {**given, "objective": objective}) for objective in ("mse", "triplet")]
    assert task == [(configs, 7, "w", f"siamese-tf {line}")]
