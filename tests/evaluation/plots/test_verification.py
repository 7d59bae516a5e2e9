"""The plots of a verification: their contents are read back from the figures."""

import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text
from scipy.special import ndtri

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.plots import verification as verification_plots
from siamese_tf.evaluation.plots.verification import save_det_plot, save_thresholds_plot
from siamese_tf.evaluation.roc import eer, roc_curve


def scored_pairs(count=2000, seed=0, apart=0.4):
    rng = np.random.default_rng(seed)
    similarity = (np.arange(count) % 2).astype(np.uint8)
    return similarity, np.clip(0.3 + apart * similarity + rng.normal(0, 0.2, count), 0, 1)


def draw_all(folder):
    save_thresholds_plot(*scored_pairs(), 0.45, folder / "thresholds.png", title="faces, $test pairs")
    save_det_plot({"test": scored_pairs()}, folder / "det.png", title="faces, $test pairs")


@pytest.fixture
def figures(monkeypatch):
    """The figures that would have been written."""
    written = []
    monkeypatch.setattr(verification_plots, "write_png", lambda figure, path: written.append(figure))
    return written


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.parametrize("count", [60, 6000])
def test_the_curves_are_accuracy_and_f1_at_every_threshold(figures, count):
    similarity, scores = scored_pairs(count)
    save_thresholds_plot(similarity, scores, 0.45, "unused", title="faces")
    (axes,) = figures[0].axes
    for measure, curve, best in ((metrics.accuracy, *axes.lines[:2]), (metrics.f1, *axes.lines[2:4])):
        assert curve.get_drawstyle() == "steps-pre"
        thresholds, heights = curve.get_data()
        assert (thresholds[0], thresholds[-1]) == (0, 1)
        at = [measure(metrics.confusion(similarity, scores, threshold)) for threshold in thresholds]
        np.testing.assert_array_equal(heights, at)
        (x,), (y,) = best.get_data()
        assert y == measure(metrics.confusion(similarity, scores, x)) >= max(heights)
    counts = metrics.confusion(similarity, scores, 0.45)
    assert labels(axes)[0].startswith(f"accuracy: {metrics.accuracy(counts):.4f} at the threshold")
    assert labels(axes)[1].startswith(f"F1: {metrics.f1(counts):.4f} at the threshold")
    np.testing.assert_array_equal(axes.lines[4].get_xdata(), [0.45, 0.45])
    assert len({str(line.get_linestyle()) for line in (axes.lines[0], axes.lines[2])}) == 2  # not by color alone


def test_the_det_curve_has_the_rates_on_normal_deviate_axes(figures):
    similarity, scores = scored_pairs()
    save_det_plot({"test": (similarity, scores)}, "unused", title="faces")
    axes, beside = figures[0].axes
    diagonal, dotted, solid, point = axes.lines
    np.testing.assert_array_equal(*diagonal.get_data())
    fmr, tar, _ = roc_curve(similarity, scores)
    inner = (fmr > 0) & (fmr < 1) & (tar > 0) & (tar < 1)
    np.testing.assert_allclose(dotted.get_xdata()[inner], ndtri(fmr[inner]))
    np.testing.assert_allclose(dotted.get_ydata()[inner], ndtri(1 - tar[inner]))
    assert np.isfinite(np.concatenate(dotted.get_data())).all()
    assert (dotted.get_linestyle(), solid.get_linestyle()) == (":", "-")
    rate = eer(similarity, scores)
    np.testing.assert_allclose(np.ravel(point.get_data()), ndtri([rate, rate]))
    assert labels(beside) == ["FMR = FNMR", f"test: EER {rate:.2%}"]
    assert [tick.get_text() for tick in axes.get_xticklabels()][:3] == ["0.01%", "0.1%", "1%"]


def test_the_det_curve_is_solid_only_where_the_pairs_carry_it(figures):
    similarity, scores = scored_pairs()  # 1,000 pairs of either kind: rates from 0.003 on
    save_det_plot({"test": (similarity, scores)}, "unused", title="faces")
    dotted, solid = figures[0].axes[0].lines[1:3]
    shown = np.isfinite(solid.get_xdata())
    assert 0 < shown.sum() < shown.size
    assert min(solid.get_xdata()[shown].min(), solid.get_ydata()[shown].min()) >= ndtri(0.003) - 1e-9
    assert min(dotted.get_xdata().min(), dotted.get_ydata().min()) < ndtri(0.003)


def test_each_split_has_its_curve(figures):
    save_det_plot({"validation": scored_pairs(seed=1), "test": scored_pairs(seed=2)}, "unused", title="faces")
    axes, beside = figures[0].axes
    assert [label.split(":")[0] for label in labels(beside)] == ["FMR = FNMR", "validation", "test"]
    assert len({line.get_color() for line in axes.lines[1:]}) == 2


def test_a_curve_of_separable_pairs_is_outside_the_plot_and_the_legend_states_it(figures):
    save_det_plot({"test": ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])}, "unused", title="faces")
    assert labels(figures[0].axes[1])[1] == "test: EER 0.00%, outside the plot"


def test_letters_are_large_enough(figures, tmp_path):
    draw_all(tmp_path)
    for figure in figures:
        figure.canvas.draw()
        texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
        assert min(text.get_fontsize() for text in texts) >= 9


def test_files_are_pngs_about_a_thousand_pixels_wide_and_the_same_again(tmp_path):
    for name in ("once", "again"):
        draw_all(tmp_path / name)
    for path in (tmp_path / "once").iterdir():
        height, width, _ = imread(path).shape
        assert width == 1012
        assert 350 <= height <= 700
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_a_refusal_leaves_the_old_file(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    with pytest.raises(SiameseError, match="2 same and 0 different"):
        save_det_plot({"test": ([1, 1], [0.1, 0.2])}, path, title="faces")
    with pytest.raises(SiameseError, match="1 of 2"):
        save_thresholds_plot([1, 0], [0.1, np.nan], 0.5, path, title="faces")
    assert path.read_bytes() == b"old"
