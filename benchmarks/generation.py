"""Start-up time, and generating, storing and reading pair files, against the same pairs as text."""

from pathlib import Path

import numpy as np
from processes import Run, median_run, run, run_in_process, worker
from reference import read_sample, read_text, stacked, write_sample
from rows import Row, duration, memory, times

from siamese_tf.data.pairs.load_pairs import TEST_FILE, TRAIN_FILE
from siamese_tf.data.pairs.pair_file import load_pair_file
from siamese_tf.data.sources.load import load_source

RUNS = 5
SAMPLE = 3_000  # pairs written as text; the cost of all pairs is extrapolated

GENERATE = "from siamese_tf.cli import generate_script; generate_script()"
READ = "import sys; from siamese_tf.data.pairs.pair_file import load_pair_file; load_pair_file(sys.argv[1])"
HELP = "import sys; from siamese_tf.cli import main; sys.argv[1:] = ['--help']; main()"


def describe_source(dataset: str) -> dict[str, str]:
    """Returns the name of the data set that was found and a one-line description."""
    source = load_source(dataset)
    return {"name": source.name, "note": source.note}


def make_files(dataset: str, folder: Path) -> list[Path]:
    """Generates the pair files of a data set; returns the training and validation file and the test file."""
    run("-c", GENERATE, "--dataset", dataset, cwd=folder)
    return [folder / "dataset" / dataset / name for name in (TRAIN_FILE, TEST_FILE)]


def rows(files: list[Path]) -> list[Row]:
    """Returns the rows of start-up, and of generating and reading the files of `make_files`."""
    empty = median_run(RUNS, "-c", "")
    start = [
        Row(task, duration(max(0.0, median_run(RUNS, "-c", code).wall - empty.wall)))
        for task, code in (("import siamese_tf", "import siamese_tf"), ("siamese-tf --help", HELP))
    ]
    made = median_run(RUNS, "-c", GENERATE, "--dataset", files[0].parent.name, cwd=files[0].parents[2])
    read = median_run(RUNS, "-c", READ, str(files[0]))
    return [*start, *_pair_rows(empty, made, read, files)]


def _pair_rows(empty: Run, made: Run, read: Run, files: list[Path]) -> list[Row]:
    """Returns the rows of `dataset_generation.py` and of reading its training file, with text as the baseline."""
    in_train, in_test = (run_in_process(count_pairs, str(file)).result for file in files)
    pairs, size = in_train + in_test, sum(file.stat().st_size for file in files)
    imports_only = run("-c", "import siamese_tf.data.pairs.pair_file")
    read_bytes = max(2.0**20, read.bytes - imports_only.bytes)
    wall, read_wall = made.wall - empty.wall, read.wall - empty.wall
    text = _text_cost_per_pair(files[0])
    return [
        Row(
            f"dataset_generation.py, {pairs:,} pairs: wall",
            duration(wall),
            f"{duration(pairs * text['write'])} to write text*",
            times(pairs * text["write"] / wall),
        ),
        Row("same: processor time, peak memory", f"{duration(made.cpu - empty.cpu)}, {memory(made.bytes)}"),
        Row(
            "size of both pair files",
            memory(size),
            f"{memory(pairs * text['size'])} of text*",
            times(pairs * text["size"] / size),
        ),
        Row(
            f"reading {files[0].name}, {in_train:,} pairs: wall",
            duration(read_wall),
            f"{duration(in_train * text['read'])} to read text*",
            times(in_train * text["read"] / read_wall),
        ),
        Row(
            "same: memory",
            memory(read_bytes),
            f"{memory(in_train * text['bytes'])} to read text*",
            times(in_train * text["bytes"] / read_bytes),
        ),
    ]


def _text_cost_per_pair(train: Path) -> dict[str, float]:
    """Returns the cost per pair of text, over SAMPLE pairs: seconds to write and read, bytes on disk and in memory."""
    path = train.with_suffix(".txt")
    write = run_in_process(write_sample, str(train), str(path), SAMPLE).result
    reading = run_in_process(read_sample, str(path))
    if not run_in_process(pairs_agree, str(train), str(path)).result:
        raise SystemExit("bench: pairs read from text differ from those of the pair file")
    costs = {"write": write, "read": reading.result, "size": path.stat().st_size}
    costs["bytes"] = reading.bytes - run("-c", "import reference", cwd=Path(__file__).parent).bytes
    return {name: cost / SAMPLE for name, cost in costs.items()}


def count_pairs(file: str) -> int:
    return len(load_pair_file(file).similarity)


def pairs_agree(file: str, text: str) -> bool:
    """Returns True if the pairs read from text equal the first pairs of a pair file."""
    pairs = load_pair_file(file)
    read, written = read_text(Path(text)), stacked(pairs, np.arange(SAMPLE))
    return all(np.array_equal(one.ravel(), other.ravel()) for one, other in zip(read, written, strict=True))


if __name__ == "__main__":
    worker()
