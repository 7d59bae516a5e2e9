"""`kill -9` of every command that writes, at seeded moments: each file in place is whole, and the next run cleans up.

One process loads TensorFlow and forks a child for each command, so that a kill costs no start of TensorFlow.
"""

import csv
import json
import random
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.pairs.audit import audit_pairs
from siamese_tf.data.pairs.pair_file import load_pair_file
from siamese_tf.data.pairs.pairs_folder import check_same_run
from siamese_tf.errors import PairFileError
from siamese_tf.locks import LOCK

pytestmark = [pytest.mark.slow, pytest.mark.train]

LAUNCHER = """
import importlib, json, os, pkgutil, signal, sys, time, traceback
from siamese_tf.console import start_tensorflow
start_tensorflow()
import siamese_tf
for module in pkgutil.walk_packages(siamese_tf.__path__, "siamese_tf."):
    importlib.import_module(module.name)
import matplotlib.figure, sklearn.datasets, sklearn.manifold
print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(os.open("stderr.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.argv = ["siamese-tf", *order["line"].split()]
        try:
            siamese_tf.cli.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
            code = 99
        sys.stderr.flush()
        os._exit(code)
    if order["when"] is not None:
        while not os.path.exists(order["when"]):
            time.sleep(0.02)
    if order["after"] is not None:
        time.sleep(order["after"])
        os.kill(child, order["signal"])
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps([code, time.perf_counter() - started]), flush=True)
"""
FEW = "--train-pairs 300 --validation-pairs 100 --test-pairs 100"
TINY = "--tower reference --embedding-dim 8 --batch-pairs 64 --epochs 3 --seed"
# What is typed, with a seed that changes from run to run, and the number of kills.
COMMANDS = {
    "generate": (f"pairs generate --dataset digits {FEW} --out made --seed SEED", 6),
    "train": (f"train --pairs digits/train_pairs.npz {TINY} SEED --workdir run", 4),
    "compare": (
        "compare --pairs digits/train_pairs.npz --objectives bce --seeds 1 --tower reference --epochs 2"
        " --workdir compared/SEED",
        1,
    ),
    "evaluate": ("evaluate model.keras --pairs digits/train_pairs.npz --seed SEED --out evaluated", 2),
    "score": ("score model.keras --pairs list.csv --quiet --out scored.csv", 2),
    "embed": ("embed model.keras --dataset digits --out embeddings.npz", 2),
    "plot": (
        "plot embeddings model.keras --pairs digits/train_pairs.npz --seed SEED --images 60 --thumbnails --out map.png"
        " --projector projector",
        2,
    ),
    "import": ("import-facenet weights.npz imported.keras", 2),
}
FACENET = Path(__file__).parent / "models" / "fixtures" / "facenet_pytorch.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def launch(folder: Path) -> Iterator[Callable]:
    """Types a command, and kills it so many seconds after it began or a file appeared: its exit code and seconds."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", LAUNCHER], cwd=folder, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def typed(
            line: str, after: float | None = None, when: str | None = None, number: int = signal.SIGKILL
        ) -> tuple[int, float]:
            order = {"line": line, "after": after, "when": when, "signal": number}
            print(json.dumps(order), file=process.stdin, flush=True)
            code, seconds = json.loads(process.stdout.readline())
            return code, seconds

        assert process.stdout.readline() == "ready\n"
        for line in (
            f"pairs generate --dataset digits {FEW} --out .",
            f"train --pairs digits/train_pairs.npz {TINY} 0 --workdir first",
        ):
            assert typed(line)[0] == 0, (folder / "stderr.txt").read_text()
        (folder / "first" / "siamese.keras").rename(folder / "model.keras")
        for name in "ab":
            Image.linear_gradient("L").resize((8, 8)).save(folder / f"{name}.png")
        (folder / "list.csv").write_text("img1,img2\n" + "a.png,b.png\n" * 2000)
        shapes = json.loads(FACENET.read_text(encoding="utf-8"))
        np.savez(folder / "weights.npz", **{name: np.full(shape, 0.01, np.float32) for name, shape in shapes.items()})
        yield typed
        process.stdin.close()


def assert_whole(path: Path) -> None:
    """Reads a file to its end, by what its name says it is."""
    match path.suffix:
        case ".npz" | ".keras":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
        case ".json":
            json.loads(path.read_text(encoding="utf-8"))
        case ".png":
            with Image.open(path) as image:
                image.load()
        case ".csv" | ".tsv":
            text = path.read_text(encoding="utf-8")
            assert text.endswith("\n")
            rows = list(csv.reader(text.splitlines(), delimiter="," if path.suffix == ".csv" else "\t"))
            assert len({len(row) for row in rows}) == 1


def assert_one_run_or_refused(train: Path, test: Path) -> None:
    """Pairs of two seeds side by side leak."""
    if train.exists() and test.exists():
        files = [load_pair_file(path) for path in (train, test)]
        try:
            check_same_run(*files)
        except PairFileError:
            return
        assert audit_pairs(files).leaks == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_every_file_is_whole_after_a_kill_and_the_next_run_removes_what_was_left(launch, folder, name):
    line, kills = COMMANDS[name]
    rng = random.Random(name)

    def typed(run: int, after: float | None = None) -> tuple[int, float]:
        return launch(line.replace("SEED", str(run)), after)

    code, seconds = typed(0)
    assert code == 0, (folder / "stderr.txt").read_text()
    left = 0
    for run in range(1, kills + 1):
        # The first half of a command opens files and builds networks; most writes are in the second.
        code, _ = typed(run, seconds * rng.uniform(0.1 if run % 3 == 0 else 0.6, 1.0))
        assert code in (0, -signal.SIGKILL), (folder / "stderr.txt").read_text()
        files = [path for path in folder.rglob("*") if path.is_file()]
        left += sum(path.name.startswith(".") for path in files)
        for path in files:
            if not path.name.startswith("."):
                assert_whole(path)
        assert_one_run_or_refused(folder / "made/digits/train_pairs.npz", folder / "made/digits/test_pairs.npz")
    code, _ = typed(kills)
    assert code == 0, (folder / "stderr.txt").read_text()
    if name != "compare":  # which writes nothing more to a run that was killed after its record
        hidden = [path for path in folder.rglob(".*") if "compared" not in path.parts]
        hidden = [path for path in hidden if path.name == LOCK or path.suffix == ".tmp"]
        assert not hidden, f"{left} files were left by the kills, and these are there still"


def test_a_training_that_is_terminated_leaves_nothing_and_says_how_to_go_on(launch, folder):
    line = f"train --pairs digits/train_pairs.npz {TINY.replace('epochs 3', 'epochs 2000')} 0 --workdir stopped"
    code, _ = launch(line, 0.2, "stopped/checkpoint.npz", signal.SIGTERM)
    assert code == 128 + signal.SIGTERM
    stopped = (folder / "stderr.txt").read_text()
    assert "Stopped. The same command with --resume continues after the last finished epoch." in stopped
    assert not list((folder / "stopped").rglob(".*"))
    assert_whole(folder / "stopped" / "checkpoint.npz")
