"""Plots of scores: the ROC curve, and the histogram of same and different pairs."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.evaluation.plots.figure import BLUE, GREEN, ORANGE, PINK, new_figure, style_axes, write_png
from siamese_tf.evaluation.roc import auc, eer, roc_curve
from siamese_tf.evaluation.scored_pairs import check_scored_pairs

MIN_FMR = 1e-4  # left end of the ROC plot


def save_roc_plot(curves: Mapping[str, tuple[ArrayLike, ArrayLike]], path: str | Path, *, title: str) -> None:
    """Plots TAR against FMR (log scale), one line per split, with AUC and EER in the legend.

    Left of an FMR of 3 / (different pairs) the line is dotted: the data do not support it (rule of three).

    Args:
        curves: by the name of the split, `similarity` (m,), 1 = same, and `scores` (m,), higher = more similar.
        path: the PNG file.
        title: the title of the figure.

    Raises:
        SiameseError: a curve that is not m scored pairs of both classes.
    """
    figure = new_figure(5.6, title)
    axes = figure.subplots()
    lowest = 1.0
    for (name, (similarity, scores)), color in zip(curves.items(), cycle((PINK, GREEN, BLUE, ORANGE))):
        fmr, tar, _ = roc_curve(similarity, scores)
        supported = 3 / np.count_nonzero(np.asarray(similarity) == 0)
        first = np.searchsorted(fmr, supported, side="right") - 1
        label = f"{name}: AUC {auc(similarity, scores):.4f}, EER {eer(similarity, scores):.2%}"
        style: dict[str, Any] = {"where": "post", "color": color, "linewidth": 2}
        axes.step(np.maximum(fmr, MIN_FMR / 10), tar, linestyle=":", **style)
        axes.step(np.maximum(fmr[first:], supported), tar[first:], label=label, **style)
        lowest = min(lowest, float(tar[fmr <= 10 * MIN_FMR].max()))
    axes.set_xscale("log")
    axes.set_xlim(MIN_FMR, 1)
    axes.set_ylim(max(0.0, np.floor(20 * lowest - 1) / 20), 1.005)
    style_axes(axes, "FMR: different pairs called same (lower is better)", "TAR: same pairs called same")
    axes.xaxis.set_major_formatter("{x:g}")
    legend = axes.legend(loc="lower right", fontsize=11, title="dotted: too few different pairs")
    legend.set_alignment("left")
    write_png(figure, path)


def save_scores_plot(
    similarity: ArrayLike, scores: ArrayLike, threshold: float, path: str | Path, *, title: str
) -> None:
    """Plots histograms of the scores of same and different pairs, with the threshold.

    Args:
        similarity: (m,), 1 = same, 0 = different.
        scores: (m,), in [0, 1], higher = more similar.
        threshold: a pair with score >= threshold is called same.
        path: the PNG file.
        title: the title of the figure.

    Raises:
        SiameseError: input that is not m scored pairs.
    """
    same, values = check_scored_pairs(similarity, scores, both_classes=False)
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
    line = f"threshold {threshold:.3f}: called same from here up"
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1.5, label=line, zorder=4)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.set_xlim(0, 1)
    style_axes(axes, "score (higher is more similar)", "pairs (log scale)")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="upper center", fontsize=11, framealpha=1)
    write_png(figure, path)
