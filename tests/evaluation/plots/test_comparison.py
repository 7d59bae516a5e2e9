"""The plot of a comparison: its contents are read back from the figure."""

import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from siamese_tf.evaluation.plots import comparison as comparison_plot
from siamese_tf.evaluation.plots.comparison import save_comparison_plot


def comparison(seeds=3):
    values = {"bce": [0.97, 0.975, 0.98], "mse": [0.96, 0.96, 0.96], "triplet": [0.95, 0.99, 0.97]}
    return {
        "objectives": {
            name: {
                "test_accuracy": {
                    "values": some[:seeds],
                    "mean": float(np.mean(some[:seeds])),
                    "ci95": [0.94, 0.99] if seeds > 1 else None,
                }
            }
            for name, some in values.items()
        }
    }


@pytest.fixture
def drawn(monkeypatch):
    """Draws a comparison; its figure."""
    written = []
    monkeypatch.setattr(comparison_plot, "write_png", lambda figure, path: written.append(figure))

    def draw(one):
        save_comparison_plot(one, "unused", title="digits")
        return written[-1]

    return draw


def test_every_seed_every_mean_and_every_interval_is_drawn(drawn):
    (axes,) = drawn(comparison()).axes
    for row, accuracy in enumerate(one["test_accuracy"] for one in comparison()["objectives"].values()):
        dots, interval, mean = axes.lines[3 * row : 3 * row + 3]
        np.testing.assert_array_equal(dots.get_xdata(), accuracy["values"])
        assert np.abs(dots.get_ydata() - row).max() < 0.5
        assert len(set(dots.get_ydata())) == 3  # equal accuracies do not hide each other
        np.testing.assert_array_equal(interval.get_xydata(), [(0.94, row), (0.99, row)])
        np.testing.assert_array_equal(mean.get_xydata(), [(accuracy["mean"], row)])


def test_the_first_objective_is_on_top(drawn):
    figure = drawn(comparison())
    (axes,) = figure.axes
    figure.canvas.draw()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["bce", "mse", "triplet"]
    assert axes.get_ylim() == (2.5, -0.5)
    assert figure.get_suptitle() == "digits"


def test_the_legend_explains_each_mark_once(drawn):
    (legend,) = drawn(comparison()).legends
    assert [text.get_text() for text in legend.get_texts()] == ["one seed", "mean, with its 95% interval over seeds"]
    (legend,) = drawn(comparison(seeds=1)).legends
    assert [text.get_text() for text in legend.get_texts()] == ["one seed"]


def test_letters_are_large_enough(drawn):
    figure = drawn(comparison())
    figure.canvas.draw()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 9


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_file_is_a_png_about_a_thousand_pixels_wide(tmp_path, seeds):
    save_comparison_plot(comparison(seeds), tmp_path / "comparison.png", title="digits")
    height, width, _ = imread(tmp_path / "comparison.png").shape
    assert width == 1012
    assert 250 <= height <= 700
