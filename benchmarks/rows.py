"""The rows of the table, and how their numbers are written."""

from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        what: is measured.
        ours: what it costs with this project.
        plain: what it costs the plain way, where there is one.
        times: how many times as good ours is, in words.
        bar: what was promised; empty where nothing was.
        met: whether it is kept.
    """

    what: str
    ours: str
    plain: str = ""
    times: str = ""
    bar: str = ""
    met: bool = True

    @property
    def verdict(self) -> str:
        return f"{self.bar}: {'met' if self.met else 'MISSED'}" if self.bar else ""


def duration(seconds: float) -> str:
    if seconds >= 100:
        return f"{seconds:.0f} s"
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.1f} ms"


def memory(size: float) -> str:
    """Bytes, for people."""
    return f"{size / 2**20:,.0f} MiB" if size < 2**30 else f"{size / 2**30:,.{1 if size < 2**34 else 0}f} GiB"


def times(ratio: float) -> str:
    return f"{ratio:.{1 if ratio < 10 else 0}f}x"


def rate(count: float, seconds: float, of: str) -> str:
    return f"{count / seconds:,.0f} {of}/s"
