"""The pictures: what stands on the figure is read back from it, and the files are whole PNGs of README size."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.plots import training as plots

ROWS = [
    {"epoch": 1, "loss": 0.5, "validation_accuracy": 0.90, "learning_rate": 3e-3},
    {"epoch": 2, "loss": 0.3, "validation_accuracy": 0.97, "learning_rate": 2e-3},
    {"epoch": 3, "loss": 0.2, "validation_accuracy": 0.96, "learning_rate": 1e-3},
]


def scored_pairs(count=600, seed=0):
    rng = np.random.default_rng(seed)
    similarity = (np.arange(count) % 2).astype(np.uint8)
    return similarity, np.clip(0.2 + 0.6 * similarity + rng.normal(0, 0.2, count), 0, 1)


def draw_all(folder):
    plots.save_accuracy_plot(ROWS, folder / "accuracy.png", title="digits, bce")
    plots.save_roc_plot({"test": scored_pairs()}, folder / "roc.png", title="digits, bce")
    plots.save_scores_plot(*scored_pairs(), 0.45, folder / "scores.png", title="digits, bce")


@pytest.fixture
def figures(monkeypatch):
    """The figures that would have been written."""
    kept = []
    monkeypatch.setattr(plots, "write_png", lambda figure, path, **_: kept.append(figure))
    return kept


def texts(figure):
    figure.canvas.draw()
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_accuracy_plot_shows_the_history_and_marks_the_best_epoch(figures):
    plots.save_accuracy_plot(ROWS, "unused", title="digits, bce")
    left, right = figures[0].axes
    np.testing.assert_array_equal(left.lines[0].get_xydata(), [(1, 0.5), (2, 0.3), (3, 0.2)])
    np.testing.assert_array_equal(right.lines[0].get_xydata(), [(1, 0.90), (2, 0.97), (3, 0.96)])
    np.testing.assert_array_equal(right.lines[1].get_xydata(), [(2, 0.97)])
    assert right.get_title() == "best: 0.9700 after epoch 2"
    assert figures[0].get_suptitle() == "digits, bce"


def test_accuracy_plot_of_one_epoch_has_its_number_on_the_axis(figures):
    plots.save_accuracy_plot(ROWS[:1], "unused", title="digits, bce")
    left, _ = figures[0].axes
    low, high = left.get_xlim()
    assert [tick for tick in left.get_xticks() if low <= tick <= high] == [1]


def test_accuracy_plot_survives_a_loss_that_is_not_a_number(figures):
    plots.save_accuracy_plot([*ROWS, {**ROWS[0], "epoch": 4, "loss": float("nan")}], "unused", title="digits, bce")
    assert figures[0].axes[1].get_title() == "best: 0.9700 after epoch 2"


def test_roc_plot_draws_each_split_with_its_auc_and_eer(figures):
    curves = {"train": scored_pairs(seed=1), "validation": scored_pairs(seed=2), "test": scored_pairs(seed=3)}
    plots.save_roc_plot(curves, "unused", title="digits, bce")
    assert legend(figures[0]) == [
        f"{name}: AUC {metrics.auc(*pairs):.4f}, EER {metrics.eer(*pairs):.2%}" for name, pairs in curves.items()
    ]
    axes = figures[0].axes[0]
    assert len({line.get_color() for line in axes.lines}) == 3
    assert axes.get_xlim() == (1e-4, 1)
    assert axes.get_xscale() == "log"


def test_roc_plot_is_solid_only_where_the_pairs_carry_it(figures):
    similarity, scores = scored_pairs()  # 300 different pairs: a FAR from 0.01 on
    plots.save_roc_plot({"test": (similarity, scores)}, "unused", title="digits, bce")
    dotted, solid = figures[0].axes[0].lines
    assert (dotted.get_linestyle(), solid.get_linestyle()) == (":", "-")
    assert solid.get_xdata()[0] == 0.01
    assert solid.get_ydata()[0] == metrics.tar_at_fmr(similarity, scores, 0.01)
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
        "threshold 0.450: called same from here on",
    ]
    assert [patch.get_data().values.sum() for patch in axes.patches] == [300] * 4
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [0.45, 0.45])


def test_scores_plot_of_one_class(figures):
    plots.save_scores_plot([1, 1], [0.2, 0.9], 0.5, "unused", title="digits, bce")
    assert legend(figures[0])[0] == "different: 0 pairs, 0 called same"


def test_letters_are_large_enough(figures, tmp_path):
    draw_all(tmp_path)
    assert len(figures) == 3
    assert min(text.get_fontsize() for figure in figures for text in texts(figure)) >= 9


def test_files_are_pngs_about_a_thousand_pixels_wide(tmp_path):
    draw_all(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["accuracy.png", "roc.png", "scores.png"]
    for path in tmp_path.iterdir():
        height, width, _ = imread(path).shape
        assert width == 1012
        assert 350 <= height <= 700


def test_same_numbers_same_bytes(tmp_path):
    draw_all(tmp_path / "once")
    draw_all(tmp_path / "again")
    for path in (tmp_path / "once").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


@pytest.mark.parametrize("title", ["a$b", "$x_{$", "$\\nothing$ 100%"])
def test_titles_are_taken_literally(tmp_path, title):
    plots.save_accuracy_plot(ROWS, tmp_path / "accuracy.png", title=title)
    assert imread(tmp_path / "accuracy.png").shape[1] == 1012


def test_a_refusal_leaves_the_old_file(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    with pytest.raises(SiameseError, match="no row"):
        plots.save_accuracy_plot([], path, title="digits, bce")
    with pytest.raises(SiameseError, match="2 same and 0 different"):
        plots.save_roc_plot({"test": ([1, 1], [0.1, 0.2])}, path, title="digits, bce")
    with pytest.raises(SiameseError, match="1 of 2"):
        plots.save_scores_plot([1, 0], [0.1, np.nan], 0.5, path, title="digits, bce")
    assert path.read_bytes() == b"old"


def test_no_window_and_no_tensorflow_come_with_it():
    program = (
        "import sys\n"
        "from siamese_tf.evaluation import calibration, report\n"
        "from siamese_tf.evaluation.plots import pairs, training\n"
        "print(sorted({'matplotlib.pyplot', 'tensorflow', 'keras', 'sklearn'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
