"""What the parts of the pipeline cost on this machine, in one table: `make bench`.

Whole processes are timed by the operating system's account of them, minus what an empty Python costs; the two ways of
evaluating take turns in one process, and the ratio is the median of the turns. MNIST is used where it can be had, else
scikit-learn's digits; the first line says which.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from siamese_tf.data.pairs import make_pairs
from siamese_tf.data.sources import Source, load_source

RUNS = 5
PAIRS = 100_000

GENERATE = "from siamese_tf.cli import generate_script; generate_script()"
READ = "import sys; from siamese_tf.data.pair_file import load_pair_file; load_pair_file(sys.argv[1])"
HELP = "import sys; from siamese_tf.cli import main; sys.argv[1:] = ['--help']; main()"


def process_cost(code: str, *arguments: str, cwd: Path) -> tuple[float, float, float]:
    """Median CPU seconds and wall seconds of `python -c code`, and its peak memory in MB."""
    costs = []
    for _ in range(RUNS):
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=cwd, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            raise SystemExit(f"bench: `python -c {code!r}` failed; run it to see why")
        costs.append((usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss / 1024))
    cpu, wall, memory = (statistics.median(column) for column in zip(*costs, strict=True))
    return cpu, wall, memory


def evaluation_cost(source: Source) -> list[tuple[str, str]]:
    """Scoring pairs with every image embedded once, against Keras' `predict` on the two stacked image arrays."""
    from siamese_tf.models.siamese_model import SiameseModel

    images, labels = source.images[:60_000], source.labels[:60_000]
    count = min(PAIRS, 50 * len(images))
    img1, img2, _ = make_pairs(labels, count, seed=0)
    height, width, channels = images.shape[1:]
    model = SiameseModel((height, width, channels))

    def once() -> np.ndarray:
        return model.score_pairs(images, img1, img2)

    def stacked() -> np.ndarray:
        return model.predict([images[img1], images[img2]], batch_size=512, verbose=0)

    if not np.allclose(once(), stacked(), atol=1e-4):  # the first call of each is the warm-up
        raise SystemExit("bench: the two ways of scoring disagree")
    turns = [(seconds(once), seconds(stacked)) for _ in range(RUNS)]
    ours, theirs = (statistics.median(column) for column in zip(*turns, strict=True))
    ratio = statistics.median(b / a for a, b in turns)
    what = f"score {count:,} pairs of {len(images):,} images"
    return [
        (f"{what}, each image embedded once", f"{ours:.2f} s, {count / ours:,.0f} pairs/s"),
        (f"{what}, keras predict on stacked pairs", f"{theirs:.2f} s, {ratio:.2f} times as long"),
    ]


def seconds(action) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def rows(source: Source, folder: Path) -> list[tuple[str, str]]:
    empty_cpu, empty_wall, _ = process_cost("", cwd=folder)
    _, import_wall, _ = process_cost("import siamese_tf", cwd=folder)
    _, help_wall, _ = process_cost(HELP, cwd=folder)
    cpu, wall, memory = process_cost(GENERATE, "--dataset", source.name, cwd=folder)
    files = sorted((folder / "dataset" / source.name).glob("*.npz"))
    size = sum(file.stat().st_size for file in files) / 1e6
    _, read_wall, read_memory = process_cost(READ, str(files[-1]), cwd=folder)
    return [
        ("import siamese_tf", f"{import_wall - empty_wall:.2f} s"),
        ("siamese-tf --help", f"{help_wall - empty_wall:.2f} s"),
        ("dataset_generation.py, CPU", f"{cpu - empty_cpu:.2f} s"),
        ("dataset_generation.py, wall and peak memory", f"{wall - empty_wall:.2f} s, {memory:.0f} MB"),
        ("both pair files on disk", f"{size:.1f} MB"),
        (f"reading {files[-1].name}, wall and peak memory", f"{read_wall - empty_wall:.2f} s, {read_memory:.0f} MB"),
        *evaluation_cost(source),
    ]


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    source = load_source("auto")
    print(source.note, f"{os.cpu_count()} processors, Python {sys.version.split()[0]}, medians of {RUNS} runs.")
    table = Table("what", "cost beyond Python's start")
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(source, Path(folder)):
            table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
