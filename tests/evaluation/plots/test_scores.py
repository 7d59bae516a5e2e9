"""The plots of scores: their contents are read back from the figures."""

import numpy as np
import pytest
from scored_cases import scored_pairs

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.plots import scores as plots
from siamese_tf.evaluation.roc import auc, eer, tar_at_fmr


@pytest.fixture
def figures(monkeypatch):
    """The figures that would have been written."""
    written = []
    monkeypatch.setattr(plots, "write_png", lambda figure, path, **_: written.append(figure))
    return written


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_roc_plot_draws_each_split_with_its_auc_and_eer(figures):
    curves = {"train": scored_pairs(seed=1), "validation": scored_pairs(seed=2), "test": scored_pairs(seed=3)}
    plots.save_roc_plot(curves, "unused", title="digits, bce")
    assert legend(figures[0]) == [
        f"{name}: AUC {auc(*pairs):.4f}, EER {eer(*pairs):.2%}" for name, pairs in curves.items()
    ]
    axes = figures[0].axes[0]
    assert len({line.get_color() for line in axes.lines}) == 3
    assert axes.get_xlim() == (1e-4, 1)
    assert axes.get_xscale() == "log"


def test_roc_plot_is_solid_only_where_the_pairs_carry_it(figures):
    similarity, scores = scored_pairs()  # 300 different pairs: an FMR from 0.01 on
    plots.save_roc_plot({"test": (similarity, scores)}, "unused", title="digits, bce")
    dotted, solid = figures[0].axes[0].lines
    assert (dotted.get_linestyle(), solid.get_linestyle()) == (":", "-")
    assert solid.get_xdata()[0] == 0.01
    assert solid.get_ydata()[0] == tar_at_fmr(similarity, scores, 0.01)
    assert dotted.get_xdata()[0] < 1e-4


def test_scores_plot_counts_every_pair_and_shows_the_threshold(figures):
    similarity, scores = scored_pairs()
    scores[:2] = [1.0, 0.0]
    plots.save_scores_plot(similarity, scores, 0.45, "unused", title="digits, bce")
    axes = figures[0].axes[0]
    counts = metrics.confusion(similarity, scores, 0.45)
    assert legend(figures[0]) == [
        f"different: 300 pairs, {counts['fp']} called same",
        f"same: 300 pairs, {counts['fn']} called different",
        "threshold 0.450: called same from here up",
    ]
    assert [patch.get_data().values.sum() for patch in axes.patches] == [300] * 4
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [0.45, 0.45])


def test_scores_plot_of_one_class(figures):
    plots.save_scores_plot([1, 1], [0.2, 0.9], 0.5, "unused", title="digits, bce")
    assert legend(figures[0])[0] == "different: 0 pairs, 0 called same"


def test_a_refusal_leaves_the_old_file(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    with pytest.raises(SiameseError, match="2 same and 0 different"):
        plots.save_roc_plot({"test": ([1, 1], [0.1, 0.2])}, path, title="digits, bce")
    with pytest.raises(SiameseError, match="1 of 2"):
        plots.save_scores_plot([1, 0], [0.1, np.nan], 0.5, path, title="digits, bce")
    assert path.read_bytes() == b"old"
