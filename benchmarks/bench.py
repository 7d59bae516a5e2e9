"""What siamese_tf costs on this machine, beside the plain way of doing the same, in one table: `make bench`.

    python benchmarks/bench.py                     everything, in under ten minutes on two cores
    python benchmarks/bench.py scoring doubling    parts: generation, training, scoring, gallery, triplet, doubling

MNIST is used where it can be had, else scikit-learn's digits; the first line says which. What each row means stands in
`docs/benchmarks.md`. A check that fails, or a bar that is missed, ends in a message and exit code 1.

Everything is measured in processes of their own. This one stays small, since the peak memory that the system tells of a
process is never less than what the one that started it held.
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
import scoring
import training
import triplet
from processes import in_a_process
from rich import box
from rich.console import Console
from rich.table import Table
from rows import Row

SECTIONS = {
    "generation": generation.rows,
    "training": training.rows,
    "scoring": scoring.rows,
    "gallery": gallery.rows,
    "triplet": triplet.rows,
    "doubling": doubling.rows,
}


def main(chosen: list[str]) -> None:
    if not set(chosen) <= set(SECTIONS):
        raise SystemExit(f"bench: the parts are {', '.join(SECTIONS)}; got {' '.join(chosen)}")
    started = time.perf_counter()
    source = in_a_process(generation.about, "auto").answer
    print(
        f"{source['note']}. {os.cpu_count()} processors, Python {sys.version.split()[0]}, TensorFlow"
        f" {version('tensorflow')}.\n",
        flush=True,
    )
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        files = generation.make_files(source["name"], Path(folder))
        try:
            for name in chosen or SECTIONS:
                found += _timed(name, files)
        finally:  # whatever ends the rest, what has been measured is shown
            show(found)
    print(f"\n* told from {generation.SAMPLE:,} pairs. {(time.perf_counter() - started) / 60:.1f} minutes in all.")
    if missed := [row for row in found if not row.met]:
        raise SystemExit("\n".join(f"bench: missed: {row.what}: {row.bar}" for row in missed))


def _timed(name: str, files: list[Path]) -> list[Row]:
    """The rows of one part; a line on the side says that it is done."""
    started = time.perf_counter()
    rows = SECTIONS[name](files)
    print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    return rows


def show(rows: list[Row]) -> None:
    """The table, in a form that a Markdown file can hold when it does not go to a terminal."""
    table = Table("what", "siamese_tf", "the plain way", "times", "bar", box=box.MARKDOWN)
    for row in rows:
        table.add_row(row.what, row.ours, row.plain, row.times, row.verdict)
    Console(width=None if sys.stdout.isatty() else 250).print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
