"""Time and memory of triplet losses: siamese_tf, TensorFlow Addons, and batch-all by broadcasting.

    python benchmarks/triplet.py

measures all losses at all sizes, in about six minutes; `make bench` shows some of them. `triplet_cost.py` describes
the measurement.
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
    MATMUL,
    SEMI_HARD,
    Cost,
    check_equal,
    free_memory,
    measure,
    total_cost,
)

SIZES = (128, 256, 512, 1024, 2048, 4096, 8192)
COMPARISON_SIZE = 1024
FULL, QUICK = (3, 2.0), (2, 1.0)  # minimum number of calls, and minimum seconds in total
SMALL, LARGE = 512, 8192  # numbers of embeddings in the rows of `make bench`


def rows(files: list[Path]) -> list[Row]:
    """Compares equal losses at SMALL embeddings, and measures those of siamese_tf at LARGE; ignores the pair files."""
    matmul = {size: total_cost(MATMUL, size, QUICK) for size in (SMALL, LARGE)}
    found = []
    for baseline, name in CUBIC.items():
        ours, plain = measure(name, SMALL, matmul[SMALL], None, QUICK), None
        if HAS_ADDONS or baseline != ADDONS:
            plain = measure(baseline, SMALL, matmul[SMALL], None, QUICK)
            check_equal(baseline, plain, ours)
        found.append(_row(name, SMALL, ours, plain, baseline))
    return found + [
        _row(name, LARGE, measure(name, LARGE, matmul[LARGE], None, QUICK)) for name in (ALL, SEMI_HARD, HARD)
    ]


def _row(name: str, size: int, ours: Cost, plain: Cost | None = None, baseline: str = "") -> Row:
    return Row(
        f"triplet loss, {name}, {size:,} embeddings",
        str(ours),
        f"{plain}, {baseline.split(',')[0]}" if plain else "",
        times(plain.seconds / ours.seconds) if plain and plain.seconds and ours.seconds else "",
    )


def compare(name: str, costs: dict[str, dict[int, Cost]]) -> str:
    """Describes the cost of a cubic loss relative to siamese_tf, at COMPARISON_SIZE or the largest smaller size run."""
    ours = costs[CUBIC[name]]
    run = {size: cost for size, cost in costs[name].items() if cost.seconds is not None}
    for size, cost in run.items():
        check_equal(name, cost, ours[size])
    size = max(size for size in run if size <= COMPARISON_SIZE)
    wall, cpu, memory_ratio = (getattr(run[size], of) / getattr(ours[size], of) for of in ("seconds", "cpu", "bytes"))
    return (
        f"At {size:,} embeddings, {name} takes {wall:.0f} times the wall time, {cpu:.0f} times the processor time and"
        f" {memory_ratio:.0f} times the memory of siamese_tf."
    )


def main() -> None:
    names = [ALL, SEMI_HARD, HARD, *([ADDONS] if HAS_ADDONS else []), BROADCAST]
    print(
        "Forward and backward pass of the triplet losses: Euclidean distance, "
        f"margin {MARGIN}, random unit embeddings with {DIMENSIONS} dimensions, {CLASSES} classes."
    )
    print(f"{os.cpu_count()} processors, {memory(free_memory())} of free memory, Python {sys.version.split()[0]}.")
    costs: dict[str, dict[int, Cost]] = {name: {} for name in names}
    table = Table("embeddings", *(name if name in CUBIC else f"siamese_tf, {name}" for name in names))
    for size in SIZES:
        matmul = total_cost(MATMUL, size, FULL)
        for name in names:
            costs[name][size] = measure(name, size, matmul, costs[name].get(size // 2), FULL)
        table.add_row(f"{size:,}", *(str(costs[name][size]) for name in names), end_section=True)
    Console().print(table)
    print("~: estimated memory of a loss that was not run because less memory is free.")
    print("\n".join(compare(name, costs) for name in CUBIC if name in costs))


if __name__ == "__main__":
    main()
