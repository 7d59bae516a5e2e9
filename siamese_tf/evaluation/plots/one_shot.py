"""A plot of the mistakes of a one-shot test."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.evaluation.episodes import Episodes, check_episodes
from siamese_tf.evaluation.one_shot import name_of
from siamese_tf.evaluation.plots.figure import ORANGE
from siamese_tf.evaluation.plots.image_grid import Cell, check_images, save_image_grid


def save_one_shot_plot(
    images: np.ndarray,
    labels: ArrayLike,
    class_names: Sequence[str],
    episodes: Episodes,
    chosen: np.ndarray,
    path: str | Path,
    *,
    title: str,
    groups: ArrayLike | None = None,
    group_names: Sequence[str] = (),
    count: int = 20,
    private: bool = False,
) -> None:
    """Plots wrongly classified queries: the query, a support image of its class, and one of the chosen class.

    Args:
        images: uint8 (n, h, w, c), c = 1 (gray) or 3 (RGB).
        labels: (n,) integers, the class of each image.
        class_names: name of each label; labels without a name are shown as numbers.
        episodes: episodes of these images.
        chosen: (episodes,) the chosen way of each episode.
        path: the PNG file.
        title: first line of the heading.
        groups: (n,) integers, the group of each image's class, to show it with the names; None without groups.
        group_names: name of each group; groups without a name are shown as numbers.
        count: maximum number of mistakes, in the order of the episodes.
        private: makes the file readable by its owner only.

    Raises:
        SiameseError: if the images are not such images, or an episode points outside of them.
    """
    check_images(images)
    check_episodes(episodes, len(images))
    wrong = np.flatnonzero(chosen != episodes.target)

    cells = []
    for episode in wrong[:count]:
        right, taken = (episodes.support[episode, way[episode], 0] for way in (episodes.target, chosen))
        names = [name_of(int(np.asarray(labels)[one]), class_names) for one in (right, taken)]
        of_group = (
            [] if groups is None else [name_of(int(np.asarray(groups)[one]), group_names) for one in (right, taken)]
        )
        positions = (episodes.query[episode], right, taken)
        cells.append(Cell([images[one] for one in positions], _caption(names, of_group), ORANGE))
    shown = f"{len(cells)} of {len(wrong):,} mistakes" if len(wrong) else "no mistake"
    heading = f"{title}\n{shown} in {len(chosen):,} episodes: query, its class, the chosen class"
    save_image_grid(cells, path, heading, private=private)


def _caption(names: list[str], groups: list[str]) -> str:
    """Returns the names of the right and of the chosen class; a group that they share is on its own line."""
    short = [name.removeprefix(f"{group}/") for name, group in zip(names, groups or ["", ""], strict=True)]
    if not groups:
        return f"{names[0]}\ncalled {names[1]}"
    if groups[0] == groups[1]:
        return f"{groups[0]}\n{short[0]}\ncalled {short[1]}"
    return f"{groups[0]}/{short[0]}\ncalled {groups[1]}/{short[1]}"
