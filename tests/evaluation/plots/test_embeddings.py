"""The plot of embeddings: read back from the figure; its colors are tested with simulated color blindness."""

import warnings
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.image import imread
from matplotlib.text import Text

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.plots import embeddings as module
from siamese_tf.evaluation.plots.embeddings import COLORS, MARKERS, REST, save_embedding_plot, tsne
from siamese_tf.evaluation.plots.figure import ORANGE

# What is left of linear red, green, blue to each kind of color-blind eye: G. Machado, M. Oliveira and L. Fernandes,
# "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009, severity 1.
EYES = {
    "normal": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def cielab(color, eye):
    """CIELAB lightness, a and b of a color, as an eye sees it; a difference of 2 is just visible."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(EYES[eye] @ linear, 0, 1)
    xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    x, y, z = np.cbrt(xyz @ linear / [0.95047, 1, 1.08883])  # the linear part near black matters to no color here
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.fixture
def figures(monkeypatch):
    """The figures that would have been written."""
    written = []
    monkeypatch.setattr(module, "write_png", lambda figure, path, **_: written.append(figure))
    return written


def clusters(classes, each=20, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(classes), each))
    return 20 * rng.normal(size=(classes, 2))[labels] + rng.normal(size=(len(labels), 2)), labels


def dots(figure):
    """By color and outline of the marker, the places of the dots."""
    found = {}
    for collection in figure.axes[0].collections:
        colors = collection.get_facecolor()
        shape = collection.get_paths()[0].vertices.tobytes()
        for place, color in zip(collection.get_offsets(), colors, strict=True):
            found.setdefault((to_hex(color).upper(), shape), []).append(tuple(place))
    return found


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()] if figure.legends else None


def names(figure):
    return {text.get_text(): np.array(text.get_position()) for text in figure.axes[0].texts}


# --- t-SNE ----------------------------------------------------------------------------------------------------------


def test_tsne_keeps_clusters_together():
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    places = tsne(10 * rng.normal(size=(3, 8))[labels] + rng.normal(size=(90, 8)))
    assert places.shape == (90, 2)
    middles = np.array([places[labels == label].mean(axis=0) for label in range(3)])
    nearest = np.linalg.norm(places[:, np.newaxis] - middles, axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest, labels)


def test_tsne_is_a_function_of_embeddings_and_seed():
    embeddings = np.random.default_rng(0).normal(size=(40, 5))
    np.testing.assert_array_equal(tsne(embeddings, seed=3), tsne(embeddings, seed=3))


@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (5, 8), (30, 1)])
def test_tsne_of_few_images_or_numbers(shape):
    places = tsne(np.random.default_rng(0).normal(size=shape))
    assert places.shape == (shape[0], 2)
    assert np.isfinite(places).all()
    assert np.ptp(places, axis=0).any()


@pytest.mark.parametrize("embeddings", [np.ones((1, 4)), np.full((50, 4), 0.1)])
def test_tsne_of_embeddings_that_are_all_alike(embeddings):
    np.testing.assert_array_equal(tsne(embeddings), np.zeros((len(embeddings), 2)))


# --- the picture ----------------------------------------------------------------------------------------------------


def test_every_image_is_a_dot_in_the_color_of_its_class(figures):
    points, labels = clusters(3)
    save_embedding_plot(points, labels, ["cat", "dog", "cow"], "unused", title="animals")
    found = dots(figures[0])
    assert [color for color, _ in sorted(found, key=lambda key: COLORS.index(key[0]))] == list(COLORS[:3])
    for (color, _), places in found.items():
        np.testing.assert_allclose(places, points[labels == COLORS.index(color)])
    assert legend(figures[0]) == ["cat", "dog", "cow"]
    assert figures[0].get_suptitle() == "animals"


def test_dots_are_drawn_in_the_order_of_the_images_so_that_no_class_hides_another(figures):
    points, labels = clusters(4)
    save_embedding_plot(points, labels, "abcd", "unused", title="")
    (drawn,) = figures[0].axes[0].collections
    np.testing.assert_allclose(drawn.get_offsets(), points)


def test_names_stand_in_the_largest_part_of_their_class(figures):
    # Class 0: 60 images around (0, 0), 40 around (100, 0). Their mean, (40, 0), is nowhere.
    points = np.concatenate([np.zeros((60, 2)), np.full((40, 2), [100, 0])]) + np.arange(100)[:, np.newaxis] / 100
    points = np.concatenate([points, [[50, 50]]])
    save_embedding_plot(points, [0] * 100 + [1], ["split", "lonely"], "unused", title="")
    found = names(figures[0])
    assert np.abs(found["split"]).max() < 1
    np.testing.assert_allclose(found["lonely"], [50, 50])


def test_a_label_without_a_name_goes_by_its_number(figures):
    save_embedding_plot([[0, 0], [1, 1], [2, 0]], [0, 7, 7], ["zero"], "unused", title="")
    assert legend(figures[0]) == ["zero", "7"]
    assert set(names(figures[0])) == {"zero", "7"}


@pytest.mark.parametrize(
    ("classes", "in_legend", "named", "kinds"),
    [(10, True, True, 10), (12, True, True, 12), (13, False, True, 13), (60, False, True, 60), (61, False, False, 61)],
)
def test_many_classes(figures, classes, in_legend, named, kinds):
    points, labels = clusters(classes, each=3)
    save_embedding_plot(points, labels, [], "unused", title="")
    assert (legend(figures[0]) is not None) == in_legend
    assert len(names(figures[0])) == (classes if named else 0)
    assert len(dots(figures[0])) == kinds  # no two classes have both color and shape in common


def test_a_focus_is_drawn_above_the_gray_rest(figures):
    points, labels = clusters(4)
    save_embedding_plot(points, labels, ["cat", "dog", "cow", "pig"], "unused", title="", focus=2)
    rest, focus = figures[0].axes[0].collections  # drawn in this order
    assert [to_hex(collection.get_facecolor()[0]).upper() for collection in (rest, focus)] == [REST, ORANGE]
    np.testing.assert_allclose(rest.get_offsets(), points[labels != 2])
    np.testing.assert_allclose(focus.get_offsets(), points[labels == 2])
    assert len(rest.get_paths()[0].vertices) != len(focus.get_paths()[0].vertices)
    assert legend(figures[0]) == ["cow", "rest"]
    assert list(names(figures[0])) == ["cow"]


@pytest.mark.parametrize("labels", [[2, 2], [0, 1]])
def test_a_focus_without_rest_and_a_rest_without_focus(figures, labels):
    save_embedding_plot([[0, 0], [1, 1]], labels, "abc", "unused", title="", focus=2)
    assert legend(figures[0]) == ["c", "rest"]
    assert list(names(figures[0])) == (["c"] if 2 in labels else [])


def test_images_stand_where_the_dots_would(figures):
    points, labels = np.array([[0, 0], [9, 1], [4, 7], [3, 4]]), np.array([0, 1, 1, 0])
    white = np.full((4, 24, 24, 1), 255, np.uint8)
    white[:, 0], white[:, -1], white[:, :, 0], white[:, :, -1] = 0, 0, 0, 0
    save_embedding_plot(points, labels, "ab", "unused", title="", images=white)
    axes = figures[0].axes[0]
    assert not axes.collections
    assert not axes.texts  # the legend has the names
    (layer,) = axes.images
    left, right, bottom, top = layer.get_extent()
    pixels = layer.get_array()
    height, width = pixels.shape[:2]
    drawn = set()
    for (x, y), label in zip(points, labels, strict=True):
        row = int((top - y) / (top - bottom) * height)
        column = int((x - left) / (right - left) * width)
        drawn.add((int(label), to_hex(pixels[row, column] / 255).upper()))
    assert drawn == {(0, COLORS[0]), (1, COLORS[1])}
    assert legend(figures[0]) == ["a", "b"]


def test_images_of_a_focus_go_before_those_of_the_rest(figures):
    pictures = np.zeros((3, 24, 24, 1), np.uint8)
    pictures[:, 1:-1, 1:-1] = 255
    save_embedding_plot(np.zeros((3, 2)), [0, 1, 0], "ab", "unused", title="", images=pictures, focus=1)
    (layer,) = figures[0].axes[0].images
    found = {to_hex(color / 255).upper() for color in layer.get_array().reshape(-1, 3)}
    assert ORANGE in found
    assert REST not in found


# --- legible --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eye", EYES)
def test_colors_can_be_distinguished(eye):
    apart = {(a, b): np.linalg.norm(cielab(a, eye) - cielab(b, eye)) for a, b in combinations(COLORS, 2)}
    assert min(apart.values()) > 16, min(apart, key=apart.get)
    assert min(np.linalg.norm(cielab(color, eye) - cielab("white", eye)) for color in COLORS) > 35
    assert np.linalg.norm(cielab(ORANGE, eye) - cielab(REST, eye)) > 25


def test_letters_are_large_enough(figures):
    for classes in (3, 12, 60):
        save_embedding_plot(*clusters(classes, each=3), [], "unused", title="title")
        figures[-1].canvas.draw()
    sizes = [text.get_fontsize() for figure in figures for text in figure.findobj(Text) if text.get_text()]
    assert min(sizes) >= 9


def test_the_file_is_a_png_about_a_thousand_pixels_wide_and_the_same_every_time(tmp_path):
    points, labels = clusters(5)
    for name in ("once", "again"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            save_embedding_plot(points, labels, ["a$b", "$x_{$", "100%"], tmp_path / f"{name}.png", title="$\\x$")
    height, width, _ = imread(tmp_path / "once.png").shape
    assert width == 1012
    assert 700 <= height <= 900
    assert (tmp_path / "once.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_a_single_point_and_points_all_in_one_place(tmp_path):
    for count in (1, 5):
        for images in (None, np.zeros((count, 4, 4, 1), np.uint8)):
            save_embedding_plot(
                np.zeros((count, 2)), np.zeros(count, int), ["a"], tmp_path / "a.png", title="", images=images
            )
    assert imread(tmp_path / "a.png").shape[1] == 1012


@pytest.mark.parametrize(
    ("points", "labels", "images", "message"),
    [
        (np.zeros((3, 3)), [0, 0, 0], None, r"got \(3, 3\) and \(3,\)"),
        (np.zeros((3, 2)), [0, 0], None, r"got \(3, 2\) and \(2,\)"),
        (np.zeros((0, 2)), np.zeros(0, int), None, "n >= 1"),
        (np.zeros((3, 2)), [0, 0, 0], np.zeros((2, 4, 4, 1), np.uint8), r"\(3, h, w, 1 or 3\)"),
        (np.zeros((3, 2)), [0, 0, 0], np.zeros((3, 4, 4, 1)), "float64"),
        (np.zeros((3, 2)), [0, 0, 0], np.zeros((3, 4, 4, 2), np.uint8), r"got uint8 \(3, 4, 4, 2\)"),
    ],
)
def test_refuses_what_is_no_map_and_leaves_the_old_file(tmp_path, points, labels, images, message):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    with pytest.raises(SiameseError, match=message):
        save_embedding_plot(points, labels, ["a"], path, title="", images=images)
    assert path.read_bytes() == b"old"


def test_there_are_as_many_looks_as_names_on_a_map():
    assert len(COLORS) * len(MARKERS) >= module.MAX_NAMED_CLASSES
