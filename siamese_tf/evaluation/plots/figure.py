"""Figures, colors and PNG files shared by all plots: about 1000 pixels wide, rendered without a screen.

The colors are from the Okabe-Ito palette, which color-blind readers can distinguish; color never carries meaning alone.
"""

import io
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from siamese_tf.files import atomic_write
from siamese_tf.printable import printable

BLUE, ORANGE, GREEN, PINK, GRAY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"


def new_figure(height: float, title: str) -> Figure:
    """Creates an empty figure, 1012 pixels wide and 110 * `height` pixels high; the title is not parsed as math."""
    figure = Figure(figsize=(9.2, height), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(printable(title, keep_layout=True), fontsize=14, parse_math=False)
    return figure


def write_png(figure: Figure, path: str | Path, *, private: bool = False) -> None:
    """Renders the figure in memory and writes it atomically; only the owner may read a `private` file."""
    buffer = io.BytesIO()
    # Figure.savefig would render twice, the first time for the layout.
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    with atomic_write(path, private=private) as file:
        file.write(buffer.getvalue())


def style_axes(axes: Axes, xlabel: str, ylabel: str) -> None:
    """Labels the axes and applies the common style."""
    axes.set_xlabel(xlabel, fontsize=11)
    axes.set_ylabel(ylabel, fontsize=11)
    axes.tick_params(labelsize=10)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
