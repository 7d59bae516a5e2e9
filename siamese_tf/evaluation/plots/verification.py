"""Plots of verification: accuracy and F1 by threshold, and the detection error trade-off (DET)."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.special import ndtri

from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.plots.figure import BLUE, GRAY, GREEN, ORANGE, PINK, new_figure, style_axes, write_png
from siamese_tf.evaluation.roc import equal_error_rate, roc_curve
from siamese_tf.evaluation.scored_pairs import check_scored_pairs
from siamese_tf.evaluation.thresholds import best_f1_threshold, max_accuracy_threshold

MIN_RATE, MAX_RATE = 1e-4, 0.6  # the range of both axes of a DET plot
TICKS = (0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)


def save_thresholds_plot(
    similarity: ArrayLike, scores: ArrayLike, threshold: float, path: str | Path, *, title: str
) -> None:
    """Plots accuracy and F1 against the threshold from 0 to 1, with the best of each and the threshold in use.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), in [0, 1], higher = more similar.
        threshold: a pair with score >= threshold is called same.
        path: the PNG file.
        title: the title of the figure.

    Raises:
        SiameseError: input that is not m scored pairs of both classes.
    """
    same, values = check_scored_pairs(similarity, scores)
    figure = new_figure(4.8, title)
    axes = figure.subplots()
    levels = np.unique(np.concatenate([[0.0, 1.0], values]))
    steps = levels if levels.size <= 1000 else np.quantile(levels, np.linspace(0, 1, 1000))
    for name, measure, best, color, style in (
        ("accuracy", metrics.accuracy, max_accuracy_threshold(same, values), BLUE, "-"),
        ("F1", metrics.f1, best_f1_threshold(same, values), ORANGE, (0, (4, 2))),
    ):
        heights = [measure(metrics.confusion(same, values, level)) for level in steps]
        top = measure(metrics.confusion(same, values, best))
        here = measure(metrics.confusion(same, values, threshold))
        label = f"{name}: {here:.4f} at the threshold, {top:.4f} at best ({best:.3f})"
        axes.step(steps, heights, where="pre", color=color, linestyle=style, linewidth=2, label=label, zorder=3)
        axes.plot(best, top, "o", color=color, markersize=9, markerfacecolor="white", markeredgewidth=2, zorder=5)
    line = f"threshold {threshold:.3f}"
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1.5, label=line, zorder=4)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    style_axes(axes, "threshold: a pair with this score or more is called same", "accuracy, F1 (higher is better)")
    axes.legend(loc="lower center", fontsize=11, framealpha=1)
    write_png(figure, path)


def save_det_plot(curves: Mapping[str, tuple[ArrayLike, ArrayLike]], path: str | Path, *, title: str) -> None:
    """Plots the detection error trade-off: FNMR against FMR, one line per split, on normal-deviate axes.

    If the scores of same and of different pairs are normally distributed, the curve is a straight line. It is dotted
    where the pairs do not support it: at an FMR below 3 / (different pairs) or an FNMR below 3 / (same pairs).

    Args:
        curves: by the name of the split, `similarity` (m,), 1 = same, and `scores` (m,), higher = more similar.
        path: the PNG file.
        title: the title of the figure.

    Raises:
        SiameseError: a curve that is not m scored pairs of both classes.

    Reference:
        A. Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997.
    """
    figure = new_figure(6.2, title)
    axes, legend_axes = figure.subplots(1, 2, width_ratios=(5, 2))
    ends = ndtri([MIN_RATE, MAX_RATE])
    axes.plot(ends, ends, color=GRAY, linewidth=1, label="FMR = FNMR")
    for (name, (similarity, scores)), color in zip(curves.items(), cycle((PINK, GREEN, BLUE, ORANGE))):
        _draw_det(axes, name, similarity, scores, color)
    style_axes(axes, "FMR: different pairs called same (lower is better)", "FNMR: same pairs called different")
    for axis, limit in ((axes.xaxis, axes.set_xlim), (axes.yaxis, axes.set_ylim)):
        axis.set_ticks(ndtri(TICKS), [f"{100 * tick:g}%" for tick in TICKS])
        limit(*ends)
    legend_axes.set_axis_off()
    entries = axes.get_legend_handles_labels()
    legend = legend_axes.legend(*entries, loc="upper left", fontsize=11, title="dotted: too few pairs")
    legend.set_alignment("left")
    write_png(figure, path)


def _draw_det(axes: Axes, name: str, similarity: ArrayLike, scores: ArrayLike, color: str) -> None:
    same, values = check_scored_pairs(similarity, scores)
    fmr, tar, _ = roc_curve(same, values)
    eer = equal_error_rate(fmr, tar)
    # A rate of 0 or 1 goes outside the plot, not to infinity.
    x, y = (ndtri(np.clip(rate, MIN_RATE / 10, 1 - MIN_RATE / 10)) for rate in (fmr, 1 - tar))
    supported = (fmr >= 3 / np.count_nonzero(~same)) & (1 - tar >= 3 / np.count_nonzero(same))
    axes.step(x, y, where="post", color=color, linewidth=2, linestyle=":")
    visible = ((fmr > MIN_RATE) & (fmr < MAX_RATE) & (1 - tar > MIN_RATE) & (1 - tar < MAX_RATE)).any()
    label = f"{name}: EER {eer:.2%}{'' if visible else ', outside the plot'}"
    axes.step(np.where(supported, x, np.nan), y, where="post", color=color, linewidth=2, label=label)
    if eer > MIN_RATE:
        axes.plot(*(2 * [ndtri(eer)]), "o", color=color, markersize=9, markerfacecolor="white", markeredgewidth=2)
