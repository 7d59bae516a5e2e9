import numpy as np
import pytest

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.plots import image_grid
from siamese_tf.evaluation.plots.image_grid import COLUMNS, Cell, check_images, save_image_grid

RNG = np.random.default_rng(0)


@pytest.fixture
def figures(monkeypatch):
    """The figures that would have been written."""
    written = []
    monkeypatch.setattr(image_grid, "write_png", lambda figure, path, **_: written.append(figure))
    return written


def cells(count, images, shape=(8, 8, 1)):
    return [Cell(RNG.integers(0, 256, (images, *shape), np.uint8), f"cell\n{n}", "black") for n in range(count)]


@pytest.mark.parametrize(("images", "shape"), [(1, (8, 8, 1)), (2, (112, 92, 1)), (3, (20, 60, 3))])
def test_cells_are_below_their_captions_and_do_not_overlap(figures, images, shape):
    save_image_grid(cells(7, images, shape), "unused", "title\nheading")
    (axes,) = figures[0].axes
    boxes = [(left, right, top, bottom) for left, right, bottom, top in (one.get_extent() for one in axes.images)]
    for left, right, top, bottom in boxes:
        assert (bottom - top) / (right - left) == pytest.approx(
            shape[0] / (images * shape[1] + (images - 1) * (shape[1] / 20)), rel=0.05
        )
        assert 0 < left < right < figures[0].get_figwidth()
        assert 0 < top < bottom < figures[0].get_figheight()
    first_line, second_line = boxes[:COLUMNS], boxes[COLUMNS:]
    assert all(one[1] < other[0] for one, other in zip(first_line, first_line[1:], strict=False))
    for (left, right, top, _), text in zip(boxes, axes.texts, strict=True):
        x, y = text.get_position()
        assert left < x < right
        assert y < top
    assert min(one[2] for one in second_line) > max(one[3] for one in first_line) + 0.3  # room for a caption


def test_images_are_joined_with_white_strips(figures):
    (cell,) = cells(1, 3)
    save_image_grid([cell], "unused", "title")
    shown = figures[0].axes[0].images[0].get_array()
    assert shown.shape == (64, 3 * 64 + 2 * 3, 3)
    for number, image in enumerate(cell.images):
        np.testing.assert_array_equal(shown[::8, 67 * number : 67 * number + 64 : 8], np.repeat(image, 3, axis=2))
    assert (shown[:, 64:67] == 255).all()


def test_without_cells_it_says_so(figures):
    save_image_grid([], "unused", "title")
    assert figures[0].texts[-1].get_text() == "nothing to show"


@pytest.mark.parametrize(
    "images", [np.zeros((2, 8, 8, 1)), np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8, 4), np.uint8)]
)
def test_other_arrays_are_refused(images):
    check_images(np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(SiameseError, match="images must be uint8"):
        check_images(images)
