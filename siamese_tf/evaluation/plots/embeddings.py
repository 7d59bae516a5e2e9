"""A t-SNE plot of embeddings, colored by class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.plots.figure import BLUE, ORANGE, new_figure, write_png
from siamese_tf.evaluation.plots.thumbnails import thumbnail_layer

# Okabe-Ito without its yellow, which is too pale for thin strokes on white, and more colors that color-blind readers
# can distinguish from these and from each other (a test measures how well).
COLORS = (BLUE, ORANGE, *"#009E73 #CC79A7 #E69F00 #56B4E9 #000000 #9944FF #663311 #000099".split())
REST = "#B8B8B8"
MARKERS = "os^DvPX*"
MAX_LEGEND_CLASSES, MAX_NAMED_CLASSES = 12, 60


@dataclass(frozen=True, eq=False)
class _Group:
    """Images drawn in the same style: a class, or all classes but one; `members` are the positions of the images."""

    name: str
    members: np.ndarray
    color: str
    marker: str
    named_on_map: bool


def tsne(embeddings: ArrayLike, seed: int = 0) -> np.ndarray:
    """Projects embeddings to two dimensions with t-SNE; neighbors stay close, distances between clusters mean little.

    Args:
        embeddings: (n, d), finite, as the model compares them (see `normalize_for_distance`).
        seed: seed of t-SNE; the same seed gives the same projection.

    Returns:
        (n, 2) float32 coordinates; all zero if all embeddings are equal.

    Reference:
        L. van der Maaten and G. Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008.
    """
    from sklearn.manifold import TSNE  # takes a second to import
    from threadpoolctl import threadpool_limits

    vectors = np.asarray(embeddings, np.float32)
    if not np.ptp(vectors, axis=0).any():
        return np.zeros((len(vectors), 2), np.float32)
    if vectors.shape[1] == 1:
        vectors = np.pad(vectors, ((0, 0), (0, 1)))
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    with threadpool_limits(1):  # with more threads, sums and hence the projection vary
        return TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(vectors)


def save_embedding_plot(
    points: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    path: str | Path,
    *,
    title: str,
    images: np.ndarray | None = None,
    focus: int | None = None,
    private: bool = False,
) -> None:
    """Plots every image as a dot in the color of its class, with the name of the class on its largest cluster.

    Up to 10 classes differ by color, more by color and shape. A legend is drawn for up to 12 classes, names for up to
    60; thumbnails have no names if there is a legend.

    Args:
        points: (n, 2), finite, as from `tsne`.
        labels: integers (n,), the class of each image.
        class_names: the name of class k at position k; classes without a name are shown by number.
        path: the PNG file.
        title: the title of the figure.
        images: uint8 (n, h, w, c), c = 1 (gray) or 3 (RGB), drawn instead of dots: gray ones as ink in the color of the
            class, others in a frame of that color. Of images that would overlap, the first is drawn.
        focus: a label whose class is highlighted; all others are gray and called "rest".
        private: makes the file readable by its owner only.

    Raises:
        SiameseError: no points, or arrays of other shapes.
    """
    places, classes = _checked(points, labels, images)
    groups = _groups(classes, class_names, focus)
    figure = new_figure(7.4, title)
    axes = figure.subplots()
    if images is None:
        _draw_dots(axes, places, groups)
    else:
        _draw_thumbnails(axes, places, groups, images)
    axes.set_aspect("equal")
    axes.set_axis_off()
    if len(groups) <= MAX_LEGEND_CLASSES:
        _draw_legend(figure, groups)
    if images is None or len(groups) > MAX_LEGEND_CLASSES:
        _draw_names(axes, places, groups)
    write_png(figure, path, private=private)


def _checked(points: ArrayLike, labels: ArrayLike, images: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    places, classes = np.asarray(points, np.float64), np.asarray(labels)
    if not len(classes) or places.shape != (len(classes), 2) or classes.ndim != 1:
        raise SiameseError(
            f"points and labels must have the shapes (n, 2) and (n,), n >= 1; got {places.shape} and {classes.shape}"
        )
    if images is not None and (
        images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(places) or images.shape[3] not in (1, 3)
    ):
        raise SiameseError(
            f"images must be uint8 ({len(places)}, h, w, 1 or 3), one per point; got {images.dtype} {images.shape}"
        )
    return places, classes


def _groups(classes: np.ndarray, class_names: Sequence[str], focus: int | None) -> list[_Group]:
    """Returns the classes in the order of the legend; with a focus, that class and the rest."""
    if focus is not None:
        inside, outside = np.flatnonzero(classes == focus), np.flatnonzero(classes != focus)
        name = class_names[focus] if focus < len(class_names) else str(focus)
        return [_Group(name, inside, ORANGE, "D", True), _Group("rest", outside, REST, "o", False)]
    found = np.unique(classes)
    return [
        _Group(
            name=class_names[label] if label < len(class_names) else str(label),
            members=np.flatnonzero(classes == label),
            color=COLORS[number % len(COLORS)],
            marker=MARKERS[number // len(COLORS) % len(MARKERS)],
            named_on_map=len(found) <= MAX_NAMED_CLASSES,
        )
        for number, label in enumerate(found)
    ]


def _shapes(groups: list[_Group]) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """Yields each marker with its images, in their order, so that no class covers another, and their colors."""
    for marker in dict.fromkeys(group.marker for group in groups):
        color_of = {member: group.color for group in groups if group.marker == marker for member in group.members}
        members = np.array(sorted(color_of), int)
        yield marker, members, [color_of[member] for member in members]


def _draw_dots(axes: Axes, places: np.ndarray, groups: list[_Group]) -> None:
    for marker, members, colors in reversed(list(_shapes(groups))):
        x, y = places[members].T
        axes.scatter(x, y, s=12, c=colors, marker=marker, linewidths=0, alpha=0.8)
    axes.margins(0.02)


def _draw_thumbnails(axes: Axes, places: np.ndarray, groups: list[_Group], images: np.ndarray) -> None:
    shapes = list(_shapes(groups))
    order = np.concatenate([members for _, members, _ in shapes])
    colors = [color for _, _, some in shapes for color in some]
    layer, extent = thumbnail_layer(places[order], images[order], colors)
    axes.imshow(layer, extent=extent)


def _draw_legend(figure: Figure, groups: list[_Group]) -> None:
    dots = [Line2D([], [], color=group.color, marker=group.marker, linestyle="", markersize=8) for group in groups]
    names = [group.name for group in groups]
    legend = figure.legend(dots, names, loc="outside right center", fontsize=12, handlelength=1)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _draw_names(axes: Axes, places: np.ndarray, groups: list[_Group]) -> None:
    halo = [withStroke(linewidth=5, foreground="white")]
    size = 9 if len(groups) > MAX_LEGEND_CLASSES else 20 if max(len(group.name) for group in groups) <= 4 else 13
    style: dict[str, Any] = {
        "fontsize": size,
        "fontweight": "bold",
        "ha": "center",
        "va": "center",
        "parse_math": False,
    }
    for group in groups:
        if group.named_on_map and len(group.members):
            x, y = _medoid(places[group.members])
            axes.text(x, y, group.name, color=group.color, path_effects=halo, **style)


def _medoid(places: np.ndarray) -> np.ndarray:
    """Returns the medoid of up to 500 of the places, which lies inside the largest cluster."""
    sample = places[:: -(-len(places) // 500)]
    return sample[np.linalg.norm(sample[:, np.newaxis] - sample, axis=2).sum(axis=1).argmin()]
