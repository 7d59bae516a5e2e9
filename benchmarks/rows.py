"""Rows of the benchmark table, the format of their numbers, and the printed table."""

import sys
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        task: what is measured.
        ours: cost with siamese_tf.
        baseline: cost of the baseline; empty if there is none.
        ratio: baseline divided by ours, or the ratios of successive sizes.
        target: required result; empty if there is none.
        met: True if the target is met.
    """

    task: str
    ours: str
    baseline: str = ""
    ratio: str = ""
    target: str = ""
    met: bool = True

    @property
    def verdict(self) -> str:
        return f"{self.target}: {'met' if self.met else 'MISSED'}" if self.target else ""


def show(rows: list[Row]) -> None:
    """Prints the table; output that does not go to a terminal is valid Markdown."""
    table = Table("task", "siamese_tf", "baseline", "ratio", "target", box=box.MARKDOWN)
    for row in rows:
        table.add_row(row.task, row.ours, row.baseline, row.ratio, row.verdict)
    Console(width=None if sys.stdout.isatty() else 250).print(table)


def duration(seconds: float) -> str:
    if seconds >= 100:
        return f"{seconds:.0f} s"
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.1f} ms"


def memory(size: float) -> str:
    """Formats a number of bytes."""
    return f"{size / 2**20:,.0f} MiB" if size < 2**30 else f"{size / 2**30:,.{1 if size < 2**34 else 0}f} GiB"


def times(ratio: float) -> str:
    return f"{ratio:.{1 if ratio < 10 else 0}f}x"


def rate(count: float, seconds: float, unit: str) -> str:
    return f"{count / seconds:,.0f} {unit}/s"
