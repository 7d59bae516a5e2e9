"""The plot of a comparison: for each objective, one dot per seed, their mean and its interval."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from siamese_tf.evaluation.plots.figure import BLUE, new_figure, write_png

SPREAD = 0.15  # vertical offset of the dots of a row, relative to the row spacing, so that equal values stay visible


def save_comparison_plot(comparison: Mapping[str, Any], path: str | Path, *, title: str) -> None:
    """Plots test accuracies, one row per objective, the first on top.

    Args:
        comparison: the dict of `compare_records`.
        path: the PNG file.
        title: the title of the figure.
    """
    objectives = {name: numbers["test_accuracy"] for name, numbers in comparison["objectives"].items()}
    figure = new_figure(1.6 + 0.7 * len(objectives), title)
    axes = figure.subplots()
    for row, accuracy in enumerate(objectives.values()):
        seed, mean = ("one seed", "mean, with its 95% interval over seeds") if row == 0 else ("_", "_")
        values = accuracy["values"]
        offsets = row + (SPREAD * np.linspace(-1, 1, len(values)) if len(values) > 1 else np.zeros(1))
        axes.plot(values, offsets, "o", color=BLUE, alpha=0.6, markersize=7, markeredgewidth=0, zorder=3, label=seed)
        if accuracy["ci95"] is not None:
            axes.plot(accuracy["ci95"], [row, row], color="black", linewidth=2, marker="|", markersize=12)
            axes.plot(accuracy["mean"], row, "D", color="black", markersize=7, zorder=4, label=mean)
    axes.set_yticks(range(len(objectives)), list(objectives), fontsize=12)
    axes.set_ylim(len(objectives) - 0.5, -0.5)
    axes.set_xlabel("test accuracy (higher is better)", fontsize=11)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7))
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.tick_params(axis="x", labelsize=10)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, fontsize=10, frameon=False)
    write_png(figure, path)
