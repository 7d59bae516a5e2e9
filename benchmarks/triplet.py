"""What the triplet losses cost, forward and backward: ours, TensorFlow Addons' and the plain broadcast.

    python benchmarks/triplet.py

shows all of them at every size, in about six minutes; `make bench` shows a part. What is measured, and how, stands in
`triplet_cost.py`.
"""

import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rows import Row, memory, times
from triplet_cost import (
    ADDONS,
    ALL,
    BROADCAST,
    CLASSES,
    CUBIC,
    DIMENSIONS,
    HARD,
    HAS_ADDONS,
    MARGIN,
    NOTHING,
    SEMI_HARD,
    Cost,
    check_same,
    free_memory,
    in_full,
    measure,
)

SIZES = (128, 256, 512, 1024, 2048, 4096, 8192)
COMPARED_AT = 1024
PATIENT, QUICK = (3, 2.0), (2, 1.0)  # calls at least, and more until so many seconds have passed
FEW, MANY = 512, 8192  # embeddings, in the rows of `make bench`


def rows(files: list[Path]) -> list[Row]:
    """Without files of pairs: the cubic losses beside ours of the same value at FEW embeddings, and ours at MANY."""
    nothing = {size: in_full(NOTHING, size, QUICK) for size in (FEW, MANY)}
    found = []
    for theirs, name in CUBIC.items():
        ours, plain = measure(name, FEW, nothing[FEW], None, QUICK), None
        if HAS_ADDONS or theirs != ADDONS:
            plain = measure(theirs, FEW, nothing[FEW], None, QUICK)
            check_same(theirs, plain, ours)
        found.append(_row(name, FEW, ours, plain, theirs))
    return found + [
        _row(name, MANY, measure(name, MANY, nothing[MANY], None, QUICK)) for name in (ALL, SEMI_HARD, HARD)
    ]


def _row(name: str, size: int, ours: Cost, plain: Cost | None = None, theirs: str = "") -> Row:
    return Row(
        f"triplet loss, {name}, {size:,} embeddings",
        str(ours),
        f"{plain}, {theirs.split(',')[0]}" if plain else "",
        times(plain.seconds / ours.seconds) if plain and plain.seconds and ours.seconds else "",
    )


def compare(name: str, costs: dict[str, dict[int, Cost]]) -> str:
    """How many times as much a cubic loss takes as ours of the same value, at COMPARED_AT or the next size below."""
    ours = costs[CUBIC[name]]
    run = {size: cost for size, cost in costs[name].items() if cost.seconds is not None}
    for size, cost in run.items():
        check_same(name, cost, ours[size])
    size = max(size for size in run if size <= COMPARED_AT)
    longer, busier, more = (getattr(run[size], of) / getattr(ours[size], of) for of in ("seconds", "busy", "bytes"))
    return (
        f"At {size:,}, {name} takes {longer:.0f} times as long as ours, {busier:.0f} times the processors' time and"
        f" {more:.0f} times the memory."
    )


def main() -> None:
    names = [ALL, SEMI_HARD, HARD, *([ADDONS] if HAS_ADDONS else []), BROADCAST]
    print(
        f"Forward and backward, L2, margin {MARGIN}; {DIMENSIONS}-d embeddings of length 1, random; {CLASSES} classes."
    )
    print(f"{os.cpu_count()} processors, {memory(free_memory())} of memory free, Python {sys.version.split()[0]}.")
    costs: dict[str, dict[int, Cost]] = {name: {} for name in names}
    table = Table("embeddings", *(name if name in CUBIC else f"ours, {name}" for name in names))
    for size in SIZES:
        nothing = in_full(NOTHING, size, PATIENT)
        for name in names:
            costs[name][size] = measure(name, size, nothing, costs[name].get(size // 2), PATIENT)
        table.add_row(f"{size:,}", *(str(costs[name][size]) for name in names), end_section=True)
    Console().print(table)
    print("~: what it would take; not run where that is not free.")
    print("\n".join(compare(name, costs) for name in CUBIC if name in costs))


if __name__ == "__main__":
    main()
