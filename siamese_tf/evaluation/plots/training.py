"""The pictures of a run, as PNG files about 1000 pixels wide. No screen is needed and none is used.

Colours are from the Okabe-Ito palette, which colour-blind readers can tell apart; no meaning hangs on colour alone.
"""

import io
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics
from siamese_tf.files import atomic_write
from siamese_tf.printable import printable

BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"
LOWEST_FMR = 1e-4


def save_accuracy_plot(history_rows: Sequence[Mapping[str, Any]], path: str | Path, *, title: str) -> None:
    """Loss and validation accuracy after each epoch, with the best epoch marked.

    Args:
        history_rows: one mapping an epoch with at least `epoch`, `loss` and `validation_accuracy`; one row is enough.
        path: of the PNG file.
        title: what was trained on what.

    Raises:
        SiameseError: no row.
    """
    if not history_rows:
        raise SiameseError("The history has no row: at least one finished epoch is needed for its picture.")
    epochs = [int(row["epoch"]) for row in history_rows]
    figure = new_figure(4.0, title)
    left, right = figure.subplots(1, 2)
    for axes, key, label, color in (
        (left, "loss", "training loss (lower is better)", ORANGE),
        (right, "validation_accuracy", "validation accuracy (higher is better)", BLUE),
    ):
        values = [float(row[key]) for row in history_rows]
        axes.plot(epochs, values, color=color, marker="o", markersize=4 if len(epochs) <= 30 else 0, linewidth=2)
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        style_axes(axes, "epoch", label)
    best = int(np.nanargmax(values))
    right.plot(epochs[best], values[best], marker="o", markersize=11, markerfacecolor="none", color="black")
    right.set_title(f"best: {values[best]:.4f} after epoch {epochs[best]}", fontsize=11)
    write_png(figure, path)


def save_roc_plot(curves: Mapping[str, tuple[ArrayLike, ArrayLike]], path: str | Path, *, title: str) -> None:
    """True accept rate against false accept rate (log scale), one line a split, with AUC and EER in the legend.

    Left of a false accept rate of 3 / (different pairs) the line is dotted: the data do not support it (rule of three).

    Args:
        curves: by the name of the split, `similarity` (m,), 1 = same, and `scores` (m,), higher = more similar.
        path: of the PNG file.
        title: what was trained on what.

    Raises:
        SiameseError: a curve that is not m scored pairs of both classes.
    """
    figure = new_figure(5.6, title)
    axes = figure.subplots()
    lowest = 1.0
    for (name, (similarity, scores)), color in zip(curves.items(), cycle((PINK, GREEN, BLUE, ORANGE))):
        fmr, tar, _ = metrics.roc(similarity, scores)
        supported = 3 / np.count_nonzero(np.asarray(similarity) == 0)
        first = np.searchsorted(fmr, supported, side="right") - 1
        label = f"{name}: AUC {metrics.auc(similarity, scores):.4f}, EER {metrics.eer(similarity, scores):.2%}"
        style: dict[str, Any] = {"where": "post", "color": color, "linewidth": 2}
        axes.step(np.maximum(fmr, LOWEST_FMR / 10), tar, linestyle=":", **style)
        axes.step(np.maximum(fmr[first:], supported), tar[first:], label=label, **style)
        lowest = min(lowest, float(tar[fmr <= 10 * LOWEST_FMR].max()))
    axes.set_xscale("log")
    axes.set_xlim(LOWEST_FMR, 1)
    axes.set_ylim(max(0.0, np.floor(20 * lowest - 1) / 20), 1.005)
    style_axes(axes, "false accept rate: different pairs called same", "true accept rate: same pairs called same")
    axes.xaxis.set_major_formatter("{x:g}")
    legend = axes.legend(loc="lower right", fontsize=11, title="dotted: too few different pairs to tell")
    legend.set_alignment("left")
    write_png(figure, path)


def save_scores_plot(
    similarity: ArrayLike, scores: ArrayLike, threshold: float, path: str | Path, *, title: str
) -> None:
    """Histogram of the scores of same and of different pairs, with the threshold between them.

    Args:
        similarity: (m,), 1 = same, 0 = different.
        scores: (m,), in [0, 1], higher = more similar.
        threshold: a pair with score >= threshold is called same.
        path: of the PNG file.
        title: what was trained on what.

    Raises:
        SiameseError: input that is not m scored pairs.
    """
    same, values = metrics.checked_pairs(similarity, scores, both_classes=False)
    called_same = values >= threshold
    figure = new_figure(4.8, title)
    axes = figure.subplots()
    for name, kind, verdict, wrong, color in (
        ("different", ~same, "same", called_same, ORANGE),
        ("same", same, "different", ~called_same, BLUE),
    ):
        label = f"{name}: {np.count_nonzero(kind):,} pairs, {np.count_nonzero(kind & wrong):,} called {verdict}"
        counts, edges = np.histogram(values[kind], np.linspace(0, 1, 51))
        axes.stairs(counts, edges, color=color, alpha=0.35, fill=True)
        axes.stairs(counts, edges, color=color, linewidth=2, label=label, zorder=3)
    line = f"threshold {threshold:.3f}: called same from here on"
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1.5, label=line, zorder=4)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.set_xlim(0, 1)
    style_axes(axes, "score (higher is more similar)", "pairs (log scale)")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="upper center", fontsize=11, framealpha=1)
    write_png(figure, path)


def new_figure(height: float, title: str) -> Figure:
    """An empty figure 1012 pixels wide and `height` inches of 110 pixels high; the title is taken literally."""
    figure = Figure(figsize=(9.2, height), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(printable(title, keep_layout=True), fontsize=14, parse_math=False)
    return figure


def write_png(figure: Figure, path: str | Path, *, private: bool = False) -> None:
    """Renders the figure in memory, then writes the file whole; of a `private` one, only the owner may read it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    with atomic_write(path, private=private) as file:
        file.write(buffer.getvalue())


def style_axes(axes: Axes, xlabel: str, ylabel: str) -> None:
    """Names the axes, and gives them the look of all pictures."""
    axes.set_xlabel(xlabel, fontsize=11)
    axes.set_ylabel(ylabel, fontsize=11)
    axes.tick_params(labelsize=10)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
