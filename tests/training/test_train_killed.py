"""A run killed at any instant leaves whole files and resumes to the same bits."""

import functools
import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trained_runs import ROOT, assert_same_bits, history, python, train

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.models.model_file import load_model
from siamese_tf.training.checkpoint import load_checkpoint

pytestmark = pytest.mark.train

# Prints when training starts, and kills itself before a given call of a write; fsync, chmod and replace are such calls.
TRAIN = """
import os, signal, sys
from siamese_tf import files
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.training.train import train_and_evaluate

config, folder, last = TrainConfig.load(sys.argv[1]), sys.argv[2], int(sys.argv[3])
calls = 0
def counted(call):
    def count(*args):
        global calls
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)
        call(*args)
    return count
for name in ("fsync", "chmod", "replace"):
    setattr(os, name, counted(getattr(os, name)))
print("go", flush=True)
train_and_evaluate(config, folder, quiet=True)
print(calls, flush=True)
"""
NEVER = 0
DRAW = random.Random(20)
# Random instants: one in each tenth of the time and of the write calls of an uninterrupted run; and one in each quarter
# of the time of a triplet run, which draws its batches differently.
INSTANTS = [("bce", kind, round((tenth + DRAW.random()) / 10, 3)) for kind in ("time", "call") for tenth in range(10)]
INSTANTS += [("triplet", "time", round((quarter + DRAW.random()) / 4, 3)) for quarter in range(4)]
QUICK = {
    "bce": {"batch_pairs": 64},
    "triplet": {"classes_per_batch": 10, "images_per_class": 4},
}


@pytest.fixture(scope="module")
def quick(digit_pairs, tmp_path_factory):
    """Runs an objective without a break in another process; returns config, model, folder, seconds, write calls."""

    @functools.cache
    def unbroken(objective):
        folder = tmp_path_factory.mktemp("quick")
        settings = {"objective": objective, "tower": "reference", "epochs": 8, "embedding_dim": 8, **QUICK[objective]}
        config = TrainConfig(pairs=str(digit_pairs), precision="float32", **settings)
        (folder / "config.json").write_text(json.dumps(config.to_dict()))
        with started(folder / "config.json", folder / "run", NEVER) as process:
            start = time.perf_counter()
            calls = int(process.stdout.readline())
            seconds = time.perf_counter() - start
        assert process.returncode == 0
        return config, load_model(folder / "run" / "siamese.keras"), folder, seconds, calls

    return unbroken


@contextmanager
def started(config: Path, folder: Path, last: int) -> Iterator[subprocess.Popen]:
    """Starts another process, and waits until it has loaded TensorFlow and starts to train."""
    arguments = python(TRAIN, config, folder, last)
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        yield process


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "kind", "share"), INSTANTS)
def test_kill_9_at_any_instant_leaves_whole_files_and_a_run_that_resumes_to_the_same_bits(
    quick, tmp_path, objective, kind, share
):
    config, unbroken, folder, seconds, calls = quick(objective)
    with started(folder / "config.json", tmp_path, 1 + int(share * calls) if kind == "call" else NEVER) as process:
        if kind == "time":
            time.sleep(share * seconds)
            process.kill()
    if kind == "call":
        assert process.returncode == -signal.SIGKILL

    check_files(tmp_path)
    # Killed before its first write, it left nothing to resume.
    has_run = (tmp_path / "config.json").exists()
    model = train(config, tmp_path, resume=has_run)
    assert_same_bits(model, unbroken)
    assert_same_bits(load_model(tmp_path / "siamese.keras"), unbroken)
    assert history(tmp_path) == history(folder / "run")


def check_files(folder: Path) -> None:
    """Checks that each file is missing or complete."""
    for path in folder.glob("[!.]*"):
        match path.suffix:
            case ".keras":
                assert load_model(path).record["training"]["epochs"] == 8
            case ".png":
                Image.open(path).load()
            case ".json":
                assert json.loads(path.read_text())
            case ".csv":
                assert [row["epoch"] for row in history(folder)] == list(range(1, len(history(folder)) + 1))
            case ".npz":
                with np.load(path) as file:
                    state = load_checkpoint(folder, json.loads(str(file["facts"]))["run"])
                assert state is not None
                assert 1 <= state.best_epoch <= state.epochs_done <= 8
