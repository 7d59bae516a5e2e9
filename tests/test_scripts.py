"""The scripts at the top of the repository, each in a process of its own and in another folder than its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytestmark = pytest.mark.train

ROOT = Path(__file__).resolve().parents[1]
OBJECTIVES = {"main1.py": "bce", "main2.py": "mse", "main3.py": "contrastive"}
SCRIPTS = [*OBJECTIVES, "dataset_generation.py"]
TINY = "--dataset digits --tower reference --embedding-dim 8 --augment shift"
FLAGS = (
    "--dataset --pairs --recipe --one-vs-rest --rest-is-a-class --epochs --images-shown --batch-pairs --tower"
    " --embedding-dim --margin --mining --losses --classes-per-batch --images-per-class --learning-rate --schedule"
    " --weight-decay --pairs-per-step --average --augment --views --precision --seed --workdir --resume --quiet"
)
ANSI = re.compile(r"\x1b\[[0-9;]*m")
WAIT = 120  # seconds, for a machine that does much else


def start(script: str, line: str, folder: Path) -> subprocess.Popen:
    # As `python script line` does, but for one thing: a shell that runs the tests in the background has interrupts
    # ignored, and so would the script.
    program = (
        "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        f"sys.path[0] = {str(ROOT)!r}; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(ROOT / script), *line.split()],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen) -> SimpleNamespace:
    try:
        out, err = process.communicate(timeout=WAIT)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return SimpleNamespace(code=process.returncode, out=ANSI.sub("", out), err=err)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("scripts")


@pytest.fixture(scope="module")
def generated(folder) -> SimpleNamespace:
    counts = "--train-pairs 600 --validation-pairs 300 --test-pairs 300"
    return end(start("dataset_generation.py", f"--dataset digits {counts}", folder))


@pytest.fixture(scope="module")
def done(folder, generated) -> Iterator[dict[str, SimpleNamespace]]:
    """Trainings side by side: main3.py, which ends, and "stopped", main2.py, which gets Ctrl-C after an epoch."""
    trained = start("main3.py", f"{TINY} --epochs 1", folder)
    stopped = start("main2.py", f"{TINY} --epochs 5000 --workdir stopped", folder)
    try:
        deadline = time.monotonic() + WAIT
        while not (folder / "stopped" / "history.csv").exists():
            assert stopped.poll() is None, stopped.communicate()
            assert time.monotonic() < deadline, "no epoch ended in time"
            time.sleep(0.05)
        stopped.send_signal(signal.SIGINT)
        yield {"stopped": end(stopped), "main3.py": end(trained)}
    finally:
        for process in (stopped, trained):
            process.kill()


def test_dataset_generation_writes_both_files_where_it_is_called(generated, folder):
    assert (generated.code, generated.err) == (0, "")
    assert generated.out.startswith("using digits from scikit-learn")
    for name, counts in (("train_pairs.npz", [600, 300, 0]), ("test_pairs.npz", [0, 0, 300])):
        path = folder / "dataset" / "digits" / name
        assert f"wrote {path.relative_to(folder)}\n" in generated.out
        with np.load(path, allow_pickle=False) as file:
            assert np.bincount(file["split"], minlength=3).tolist() == counts


@pytest.mark.parametrize(
    ("script", "objective"), [pytest.param("main1.py", "bce", marks=pytest.mark.slow), ("main3.py", "contrastive")]
)
def test_a_script_trains_with_its_objective_and_reports(done, folder, script, objective):
    ended = done.get(script) or end(start(script, f"{TINY} --epochs 1", folder))
    assert ended.code == 0, ended.err
    run = folder / "runs" / "digits" / objective
    record = json.loads((run / "record.json").read_text())
    assert record["objective"] == objective
    assert record["command"] == f"python {script} {TINY} --epochs 1"
    assert record["pairs"]["train"] == 600  # the pairs that dataset_generation.py made
    assert (run / "siamese.keras").is_file()
    assert f"Results are in runs/digits/{objective}" in ended.out
    (accuracies,) = (line.split()[1:] for line in ended.out.splitlines() if line.startswith("accuracy "))
    assert accuracies == [f"{record['accuracy'][part]:.4f}" for part in ("train", "validation", "test")]
    assert "AutoGraph" not in ended.err


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(done, folder):
    stopped = done["stopped"]
    assert stopped.code == 130, stopped.err
    assert "Traceback" not in stopped.err
    assert "The same command with --resume continues after the last finished epoch." in stopped.out + stopped.err
    assert json.loads((folder / "stopped" / "config.json").read_text())["objective"] == "mse"
    assert (folder / "stopped" / "checkpoint.npz").is_file()
    assert not (folder / "stopped" / "siamese.keras").exists()


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_has_the_scripts_own_name_and_every_flag(folder, script):
    help_text = end(start(script, "--help", folder))
    assert (help_text.code, help_text.err) == (0, "")
    assert f"Usage: {script} [OPTIONS]" in help_text.out
    if script in OBJECTIVES:
        assert set(FLAGS.split()) <= set(help_text.out.replace(",", " ").split())
        assert f"[default: {OBJECTIVES[script]}]" in help_text.out


def test_a_mistake_in_a_script_ends_like_one_in_a_command(folder):
    wrong = end(start("main1.py", "--epochs 0", folder))
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err == "error: epochs must be an integer from 1 to 100,000; got 0\n"


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_only_calls_the_command(script):
    assert len((ROOT / script).read_text().splitlines()) <= 25
