"""Start-up, making pairs, the size of their files and reading them, against the same pairs as text."""

from pathlib import Path

import numpy as np
from processes import Run, in_a_process, median_run, run, serve
from reference import read_sample, read_text, stacked, write_sample
from rows import Row, duration, memory, times

from siamese_tf.data.pairs.load_pairs import TEST_FILE, TRAIN_FILE
from siamese_tf.data.pairs.pair_file import load_pair_file
from siamese_tf.data.sources.load import load_source

RUNS = 5
SAMPLE = 3_000  # pairs as text, from which all are told

GENERATE = "from siamese_tf.cli import generate_script; generate_script()"
READ = "import sys; from siamese_tf.data.pairs.pair_file import load_pair_file; load_pair_file(sys.argv[1])"
HELP = "import sys; from siamese_tf.cli import main; sys.argv[1:] = ['--help']; main()"


def about(dataset: str) -> dict[str, str]:
    """The name of a data set, and the line that says what was taken."""
    source = load_source(dataset)
    return {"name": source.name, "note": source.note}


def make_files(dataset: str, folder: Path) -> list[Path]:
    """Makes the pair files of a data set, for training with validation, and for the test."""
    run("-c", GENERATE, "--dataset", dataset, cwd=folder)
    return [folder / "dataset" / dataset / name for name in (TRAIN_FILE, TEST_FILE)]


def rows(files: list[Path]) -> list[Row]:
    """The files of `make_files`, made again, and read."""
    empty = median_run(RUNS, "-c", "")
    start = [
        Row(what, duration(max(0.0, median_run(RUNS, "-c", code).wall - empty.wall)))
        for what, code in (("import siamese_tf", "import siamese_tf"), ("siamese-tf --help", HELP))
    ]
    made = median_run(RUNS, "-c", GENERATE, "--dataset", files[0].parent.name, cwd=files[0].parents[2])
    read = median_run(RUNS, "-c", READ, str(files[0]))
    return [*start, *_pair_rows(empty, made, read, files)]


def _pair_rows(empty: Run, made: Run, read: Run, files: list[Path]) -> list[Row]:
    """What `dataset_generation.py` and reading its training file cost, beside the same as text."""
    in_train, in_test = (in_a_process(count_pairs, str(file)).answer for file in files)
    pairs, size = in_train + in_test, sum(file.stat().st_size for file in files)
    nothing = run("-c", "import siamese_tf.data.pairs.pair_file, siamese_tf.evaluation.calibration")
    held = max(2.0**20, read.bytes - nothing.bytes)
    wall, read_wall = made.wall - empty.wall, read.wall - empty.wall
    text = _text_of_one(files[0], nothing)
    return [
        Row(
            f"dataset_generation.py, {pairs:,} pairs: wall",
            duration(wall),
            f"{duration(pairs * text['write'])} to write them as text*",
            times(pairs * text["write"] / wall),
        ),
        Row("the same: processors' time, peak memory", f"{duration(made.cpu - empty.cpu)}, {memory(made.bytes)}"),
        Row(
            "both pair files on disk",
            memory(size),
            f"{memory(pairs * text['size'])} as text*",
            times(pairs * text["size"] / size),
        ),
        Row(
            f"reading {files[0].name}, {in_train:,} pairs: wall",
            duration(read_wall),
            f"{duration(in_train * text['read'])} from text*",
            times(in_train * text["read"] / read_wall),
        ),
        Row(
            "the same: memory",
            memory(held),
            f"{memory(in_train * text['bytes'])} from text*",
            times(in_train * text["bytes"] / held),
        ),
    ]


def _text_of_one(train: Path, nothing: Run) -> dict[str, float]:
    """What one pair as text costs, told from SAMPLE: seconds to write and read, bytes on disk and in memory."""
    path = train.with_suffix(".txt")
    write = in_a_process(write_sample, str(train), str(path), SAMPLE).answer
    reading = in_a_process(read_sample, str(path))
    if not in_a_process(agree, str(train), str(path)).answer:
        raise SystemExit("bench: the pairs read from text are not those of the pair file")
    costs = {"write": write, "read": reading.answer, "size": path.stat().st_size}
    costs["bytes"] = reading.bytes - nothing.bytes
    return {name: cost / SAMPLE for name, cost in costs.items()}


def count_pairs(file: str) -> int:
    return len(load_pair_file(file).similarity)


def agree(file: str, text: str) -> bool:
    """Whether the pairs read from text are the first of a pair file."""
    pairs = load_pair_file(file)
    read, written = read_text(Path(text)), stacked(pairs, np.arange(SAMPLE))
    return all(np.array_equal(one.ravel(), other.ravel()) for one, other in zip(read, written, strict=True))


if __name__ == "__main__":
    serve()
