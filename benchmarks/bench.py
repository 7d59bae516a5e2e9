"""Benchmarks of siamese_tf against straightforward baselines, in one table: `make bench`.

    python benchmarks/bench.py                     all sections, about ten minutes on two cores
    python benchmarks/bench.py scoring doubling    some sections only

The data set is MNIST if it is available, else scikit-learn's digits; the first line names it. `docs/benchmarks.md`
describes each row. A failed check or a missed target ends with a message and exit code 1.

Each measurement runs in a subprocess. This process loads no TensorFlow, because the system reports a peak memory of a
subprocess that is never below the memory of its parent.
"""

import os
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import doubling
import gallery
import generation
import peers
import photos
import scoring
import training
import triplet
from processes import run_in_process
from rows import Row, show

SECTIONS = {
    "generation": generation.rows,
    "training": training.rows,
    "scoring": scoring.rows,
    "gallery": gallery.rows,
    "photos": photos.rows,
    "triplet": triplet.rows,
    "doubling": doubling.rows,
    "peers": peers.rows,
}


def main(names: list[str]) -> None:
    if not set(names) <= set(SECTIONS):
        raise SystemExit(f"bench: sections must be among {', '.join(SECTIONS)}; got {' '.join(names)}.")
    started = time.perf_counter()
    source = run_in_process(generation.describe_source, "auto").result
    print(
        f"{source['note']}. {os.cpu_count()} processors, Python {sys.version.split()[0]}, TensorFlow"
        f" {version('tensorflow')}.\n",
        flush=True,
    )
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        files = generation.make_files(source["name"], Path(folder))
        try:
            for name in names or SECTIONS:
                found += _timed(name, files)
        finally:  # an interrupted run still prints what has been measured
            show(found)
    print(
        f"\n* extrapolated from {generation.SAMPLE:,} pairs. Total: {(time.perf_counter() - started) / 60:.1f} minutes."
    )
    if missed := [row for row in found if not row.met]:
        raise SystemExit("\n".join(f"bench: missed target: {row.task}: {row.target}" for row in missed))


def _timed(name: str, files: list[Path]) -> list[Row]:
    """Returns the rows of a section and logs its duration to standard error."""
    started = time.perf_counter()
    rows = SECTIONS[name](files)
    print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
