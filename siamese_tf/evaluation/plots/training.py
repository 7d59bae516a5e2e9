"""The plot of a training run: loss and validation accuracy by epoch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.plots.figure import BLUE, ORANGE, new_figure, style_axes, write_png


def save_accuracy_plot(history_rows: Sequence[Mapping[str, Any]], path: str | Path, *, title: str) -> None:
    """Plots the loss and validation accuracy of each epoch, with the best epoch marked.

    Args:
        history_rows: one mapping per epoch with at least `epoch`, `loss` and `validation_accuracy` (None if
            the epoch was not validated); one row or more.
        path: the PNG file.
        title: the title of the figure.

    Raises:
        SiameseError: no rows.
    """
    if not history_rows:
        raise SiameseError("history_rows must have at least one row, of a completed epoch; got none")
    epochs = [int(row["epoch"]) for row in history_rows]
    figure = new_figure(4.0, title)
    left, right = figure.subplots(1, 2)
    for axes, key, label, color in (
        (left, "loss", "training loss (lower is better)", ORANGE),
        (right, "validation_accuracy", "validation accuracy (higher is better)", BLUE),
    ):
        values = [np.nan if row[key] is None else float(row[key]) for row in history_rows]
        known = ~np.isnan(values)
        axes.plot(
            np.array(epochs)[known],
            np.array(values)[known],
            color=color,
            marker="o",
            markersize=4 if len(epochs) <= 30 else 0,
            linewidth=2,
        )
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        style_axes(axes, "epoch", label)
    if known.any():
        best = int(np.nanargmax(values))
        right.plot(epochs[best], values[best], marker="o", markersize=11, markerfacecolor="none", color="black")
        right.set_title(f"best: {values[best]:.4f} after epoch {epochs[best]}", fontsize=11)
    else:
        right.set_title("no validation pairs", fontsize=11)
    write_png(figure, path)
