"""The plots of pairs: the selected pairs, their order, and their captions."""

import stat

import numpy as np
import pytest
from matplotlib.image import imread

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.plots import image_grid
from siamese_tf.evaluation.plots import pairs as pair_plots

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 8, 8, 1), np.uint8)
IMG1, IMG2 = np.array([0, 1, 2, 3, 4]), np.array([1, 2, 3, 4, 5])
SIMILARITY = np.array([1, 0, 1, 0, 1], np.uint8)
SCORES = np.array([0.9, 0.8, 0.05, 0.1, 0.45])  # at 0.5 wrong: rows 2 (by 0.95), 1 (by 0.8), 4 (by 0.55)


@pytest.fixture
def figures(monkeypatch):
    """The figures that would have been written."""
    written = []
    monkeypatch.setattr(image_grid, "write_png", lambda figure, path, **_: written.append(figure))
    return written


def captions(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_mistakes_come_worst_first_with_score_verdict_and_truth(figures):
    pair_plots.save_mistakes_plot(IMAGES, IMG1, IMG2, SIMILARITY, SCORES, 0.5, "unused", title="digits, bce")
    assert captions(figures[0]) == [
        "score 0.050: different\ntruth: same",
        "score 0.800: same\ntruth: different",
        "score 0.450: different\ntruth: same",
    ]
    heading = "digits, bce\n3 of 3 mistakes, worst first, among 5 pairs (threshold 0.500)"
    assert figures[0].get_suptitle() == heading


def test_mistakes_are_cut_at_count(figures):
    pair_plots.save_mistakes_plot(IMAGES, IMG1, IMG2, SIMILARITY, SCORES, 0.5, "unused", title="digits", count=1)
    assert captions(figures[0]) == ["score 0.050: different\ntruth: same"]
    assert "1 of 3 mistakes" in figures[0].get_suptitle()


def test_no_mistake_is_said_in_words(figures):
    pair_plots.save_mistakes_plot(IMAGES, IMG1, IMG2, SIMILARITY, SIMILARITY * 0.9, 0.5, "unused", title="digits, bce")
    assert captions(figures[0]) == []
    assert figures[0].get_suptitle() == "digits, bce\nno mistake among 5 pairs (threshold 0.500)"
    assert figures[0].texts[-1].get_text() == "nothing to show"


def test_a_score_on_the_threshold_is_called_same(figures):
    pair_plots.save_mistakes_plot(IMAGES, [0], [1], [0], [0.5], 0.5, "unused", title="digits, bce")
    assert captions(figures[0]) == ["score 0.500: same\ntruth: different"]


def test_right_and_wrong_differ_in_color(figures):
    pair_plots.save_sample_plot(IMAGES, IMG1, IMG2, SIMILARITY, SCORES, 0.5, "unused", title="digits, bce")
    right = {}
    for text in figures[0].axes[0].texts:
        called, truth = text.get_text().split(": ")[1].split("\n")[0], text.get_text().split(": ")[2]
        right.setdefault(called == truth, set()).add(text.get_color())
    assert {key: len(colors) for key, colors in right.items()} == {True: 1, False: 1}
    assert right[True] != right[False]


def test_sample_is_half_same_and_half_different_and_drawn_by_the_seed(figures):
    rng = np.random.default_rng(1)
    img1, img2 = rng.integers(0, 6, (2, 300))
    similarity = (rng.random(300) < 0.2).astype(np.uint8)
    scores = rng.random(300)
    for seed in (0, 0, 1):
        pair_plots.save_sample_plot(
            IMAGES, img1, img2, similarity, scores, 0.5, "unused", title="digits", count=20, seed=seed
        )
    truths = [caption.split(": ")[2] for caption in captions(figures[0])]
    assert truths == ["same"] * 10 + ["different"] * 10
    assert captions(figures[0]) == captions(figures[1]) != captions(figures[2])
    assert len(set(captions(figures[0]))) == 20


def test_the_two_images_of_the_pair_are_shown_left_and_right(figures):
    pair_plots.save_mistakes_plot(IMAGES, [4], [2], [1], [0.1], 0.5, "unused", title="digits, bce")
    shown = figures[0].axes[0].images[0].get_array()
    assert shown.shape == (64, 64 + 3 + 64, 3)
    np.testing.assert_array_equal(shown[::8, :64:8], np.repeat(IMAGES[4], 3, axis=2))
    np.testing.assert_array_equal(shown[::8, 67::8], np.repeat(IMAGES[2], 3, axis=2))
    assert (shown[:, 64:67] == 255).all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (112, 92, 1), (40, 200, 3)])
def test_files_are_pngs_about_a_thousand_pixels_wide(tmp_path, shape):
    images = RNG.integers(0, 256, (6, *shape), np.uint8)
    arguments = (images, IMG1, IMG2, SIMILARITY, SCORES, 0.5)
    pair_plots.save_sample_plot(*arguments, tmp_path / "sample.png", title="own images, bce")
    pair_plots.save_mistakes_plot(*arguments, tmp_path / "mistakes.png", title="own images, bce")
    for name in ("sample.png", "mistakes.png"):
        assert imread(tmp_path / name).shape[1] == 1012


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": IMAGES.astype(np.float32)}, r"float32 \(6, 8, 8, 1\)"),
        ({"images": IMAGES[..., 0]}, r"uint8 \(6, 8, 8\)"),
        ({"images": np.zeros((6, 8, 8, 4), np.uint8)}, r"\(6, 8, 8, 4\)"),
        ({"img1": IMG1[:3]}, r"img1, img2 and similarity .*; got \(3,\)"),
        ({"img2": IMG2 + 1}, "from 0 to 5; got .* to 6"),
        ({"img1": IMG1 - 1}, "from 0 to 5; got -1"),
        ({"scores": SCORES[:, None]}, r"\(5, 1\)"),
    ],
)
@pytest.mark.parametrize("draw", [pair_plots.save_sample_plot, pair_plots.save_mistakes_plot])
def test_refuses_what_is_not_pairs_of_images(tmp_path, draw, change, message):
    arguments = {"images": IMAGES, "img1": IMG1, "img2": IMG2, "similarity": SIMILARITY, "scores": SCORES} | change
    with pytest.raises(SiameseError, match=message):
        draw(**arguments, threshold=0.5, path=tmp_path / "pairs.png", title="digits, bce")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o644)])
def test_pictures_of_private_images_are_private(monkeypatch, tmp_path, private, mode):
    monkeypatch.setattr("siamese_tf.files._umask", lambda: 0o022)
    pairs = (IMAGES, IMG1, IMG2, SIMILARITY, SCORES, 0.5)
    for save in (pair_plots.save_sample_plot, pair_plots.save_mistakes_plot):
        save(*pairs, tmp_path / "pairs.png", title="digits", count=2, private=private)
        assert stat.S_IMODE((tmp_path / "pairs.png").stat().st_mode) == mode
        (tmp_path / "pairs.png").unlink()
