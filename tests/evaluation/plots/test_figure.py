"""Figures and PNG files: readable letters, complete PNGs of README width, the same bytes for the same numbers."""

import subprocess
import sys

import pytest
from matplotlib.image import imread
from matplotlib.text import Text
from scored_cases import scored_pairs

from siamese_tf.evaluation.plots import scores, training
from siamese_tf.evaluation.plots.figure import new_figure, style_axes, write_png

ROWS = [
    {"epoch": 1, "loss": 0.5, "validation_accuracy": 0.90},
    {"epoch": 2, "loss": 0.3, "validation_accuracy": 0.97},
    {"epoch": 3, "loss": 0.2, "validation_accuracy": 0.96},
]


def draw_all(folder):
    training.save_accuracy_plot(ROWS, folder / "accuracy.png", title="digits, bce")
    scores.save_roc_plot({"test": scored_pairs()}, folder / "roc.png", title="digits, bce")
    scores.save_scores_plot(*scored_pairs(), 0.45, folder / "scores.png", title="digits, bce")


@pytest.fixture
def figures(monkeypatch):
    """The figures that would have been written."""
    written = []
    for module in (scores, training):
        monkeypatch.setattr(module, "write_png", lambda figure, path, **_: written.append(figure))
    return written


def texts(figure):
    figure.canvas.draw()
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


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
    training.save_accuracy_plot(ROWS, tmp_path / "accuracy.png", title=title)
    assert imread(tmp_path / "accuracy.png").shape[1] == 1012


def test_a_private_file_is_for_its_owner_alone(tmp_path):
    for private in (True, False):
        path = tmp_path / f"{private}.png"
        write_png(new_figure(1, "title"), path, private=private)
        assert bool(path.stat().st_mode & 0o077) != private


def test_axes_are_labeled():
    axes = new_figure(1, "title").subplots()
    style_axes(axes, "epoch", "loss")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss")


def test_no_window_and_no_tensorflow_come_with_it():
    program = (
        "import sys\n"
        "from siamese_tf.evaluation import calibration, report\n"
        "from siamese_tf.evaluation.plots import pairs, scores, training\n"
        "print(sorted({'matplotlib.pyplot', 'tensorflow', 'keras', 'sklearn'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
