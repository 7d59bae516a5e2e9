"""The plot of a training run: its contents are read back from the figure."""

import numpy as np
import pytest

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.plots import training as plots

ROWS = [
    {"epoch": 1, "loss": 0.5, "validation_accuracy": 0.90, "learning_rate": 3e-3},
    {"epoch": 2, "loss": 0.3, "validation_accuracy": 0.97, "learning_rate": 2e-3},
    {"epoch": 3, "loss": 0.2, "validation_accuracy": 0.96, "learning_rate": 1e-3},
]


@pytest.fixture
def figures(monkeypatch):
    """The figures that would have been written."""
    written = []
    monkeypatch.setattr(plots, "write_png", lambda figure, path, **_: written.append(figure))
    return written


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


def test_an_empty_history_is_refused_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    with pytest.raises(SiameseError, match="at least one row"):
        plots.save_accuracy_plot([], path, title="digits, bce")
    assert path.read_bytes() == b"old"


def test_epochs_without_validation_have_no_point(figures):
    rows = [{"epoch": k, "loss": 0.5, "validation_accuracy": k / 10 if k % 2 == 0 else None} for k in range(1, 5)]
    plots.save_accuracy_plot(rows, "a.png", title="t")
    right = figures[0].axes[1]
    assert [line.get_xdata().tolist() for line in right.lines[:1]] == [[2, 4]]
    assert right.get_title() == "best: 0.4000 after epoch 4"
    plots.save_accuracy_plot([{**row, "validation_accuracy": None} for row in rows], "b.png", title="t")
    right = figures[1].axes[1]
    assert right.get_title() == "no validation pairs"
    assert [len(line.get_xdata()) for line in right.lines] == [0]
