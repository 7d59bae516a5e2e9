"""The pictures of a verification besides ROC and histogram: the choice of a threshold, and the trade of error rates."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.special import ndtri

from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.calibration import max_accuracy_threshold
from siamese_tf.evaluation.plots.training import BLUE, GREEN, GREY, ORANGE, PINK, new_figure, style_axes, write_png
from siamese_tf.evaluation.thresholds import best_f1_threshold

LOWEST, HIGHEST = 1e-4, 0.6  # the rates at the ends of a DET plot
TICKS = (0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)


def save_thresholds_plot(
    similarity: ArrayLike, scores: ArrayLike, threshold: float, path: str | Path, *, title: str
) -> None:
    """Accuracy and F1 at every threshold from 0 to 1, the best of each marked, and the threshold in use.

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        scores: (m,), in [0, 1], higher = more similar.
        threshold: a pair with score >= threshold is called same.
        path: of the PNG file.
        title: what was trained on what.

    Raises:
        SiameseError: input that is not m scored pairs of both classes.
    """
    same, values = metrics.checked_pairs(similarity, scores)
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
    """Detection error trade-off: FNMR against FMR, one line a split, on normal-deviate axes.

    Where scores of same and of different pairs are both normal, the curve is a straight line. It is dotted where the
    pairs do not support it: an FMR below 3 / (different pairs), or an FNMR below 3 / (same pairs).

    Args:
        curves: by the name of the split, `similarity` (m,), 1 = same, and `scores` (m,), higher = more similar.
        path: of the PNG file.
        title: what was trained on what.

    Raises:
        SiameseError: a curve that is not m scored pairs of both classes.

    Reference:
        A. Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997.
    """
    figure = new_figure(6.2, title)
    axes, beside = figure.subplots(1, 2, width_ratios=(5, 2))
    ends = ndtri([LOWEST, HIGHEST])
    axes.plot(ends, ends, color=GREY, linewidth=1, label="FMR = FNMR")
    for (name, (similarity, scores)), color in zip(curves.items(), cycle((PINK, GREEN, BLUE, ORANGE))):
        _draw_det(axes, name, similarity, scores, color)
    style_axes(axes, "FMR: different pairs called same (lower is better)", "FNMR: same pairs called different")
    for axis, limit in ((axes.xaxis, axes.set_xlim), (axes.yaxis, axes.set_ylim)):
        axis.set_ticks(ndtri(TICKS), [f"{100 * tick:g}%" for tick in TICKS])
        limit(*ends)
    beside.set_axis_off()
    told = axes.get_legend_handles_labels()
    legend = beside.legend(*told, loc="upper left", fontsize=11, title="dotted: too few pairs to tell")
    legend.set_alignment("left")
    write_png(figure, path)


def _draw_det(axes: Axes, name: str, similarity: ArrayLike, scores: ArrayLike, color: str) -> None:
    same, values = metrics.checked_pairs(similarity, scores)
    fmr, tar, _ = metrics.roc(same, values)
    eer = metrics.crossing(fmr, tar)
    # Off the picture, not at infinity, where a rate is 0 or 1.
    x, y = (ndtri(np.clip(rate, LOWEST / 10, 1 - LOWEST / 10)) for rate in (fmr, 1 - tar))
    carried = (fmr >= 3 / np.count_nonzero(~same)) & (1 - tar >= 3 / np.count_nonzero(same))
    axes.step(x, y, where="post", color=color, linewidth=2, linestyle=":")
    seen = ((fmr > LOWEST) & (fmr < HIGHEST) & (1 - tar > LOWEST) & (1 - tar < HIGHEST)).any()
    label = f"{name}: EER {eer:.2%}{'' if seen else ', off the picture'}"
    axes.step(np.where(carried, x, np.nan), y, where="post", color=color, linewidth=2, label=label)
    if eer > LOWEST:
        axes.plot(*(2 * [ndtri(eer)]), "o", color=color, markersize=9, markerfacecolor="white", markeredgewidth=2)
