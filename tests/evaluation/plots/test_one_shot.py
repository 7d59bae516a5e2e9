import stat

import numpy as np
import pytest

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.episodes import Episodes
from siamese_tf.evaluation.plots import one_shot as plot
from siamese_tf.evaluation.plots.one_shot import save_one_shot_plot

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), np.uint8)
LABELS = [0, 0, 1, 1, 12, 12]
# The first and the third query are classified wrongly.
EPISODES = Episodes(
    support=np.array([[[0], [2]], [[0], [2]], [[4], [3]]]), query=np.array([1, 3, 5]), target=np.array([0, 1, 0])
)
CHOSEN = np.array([1, 1, 1])


@pytest.fixture
def grids(monkeypatch):
    """The cells and headings that would have been drawn."""
    drawn = []
    monkeypatch.setattr(plot, "save_image_grid", lambda cells, path, heading, **_: drawn.append((cells, heading)))
    return drawn


def test_the_query_its_class_and_the_chosen_class_are_shown(grids):
    save_one_shot_plot(IMAGES, LABELS, ["seven", "three"], EPISODES, CHOSEN, "unused", title="digits, 2-way 1-shot")
    cells, heading = grids[0]
    assert [cell.caption for cell in cells] == ["seven\ncalled three", "12\ncalled three"]
    for cell, positions in zip(cells, ([1, 0, 2], [5, 4, 3]), strict=True):
        np.testing.assert_array_equal(cell.images, IMAGES[positions])
    expected = "digits, 2-way 1-shot\n2 of 2 mistakes in 3 episodes: query, its class, the chosen class"
    assert heading == expected


@pytest.mark.parametrize(
    ("groups", "names", "captions"),
    [
        ([0] * 6, ["Latin/a", "b"], ["Latin\na\ncalled b", "Latin\n12\ncalled b"]),
        ([0, 0, 0, 0, 7, 7], ["Latin/a", "b"], ["Latin\na\ncalled b", "7/12\ncalled Latin/b"]),
    ],
)
def test_groups_are_named(grids, groups, names, captions):
    save_one_shot_plot(IMAGES, LABELS, names, EPISODES, CHOSEN, "", title="t", groups=groups, group_names=["Latin"])
    assert [cell.caption for cell in grids[0][0]] == captions


def test_mistakes_are_cut_at_count_and_none_is_said(grids):
    save_one_shot_plot(IMAGES, LABELS, [], EPISODES, CHOSEN, "unused", title="t", count=1)
    save_one_shot_plot(IMAGES, LABELS, [], EPISODES, EPISODES.target, "unused", title="t")
    assert [len(cells) for cells, _ in grids] == [1, 0]
    assert ["1 of 2 mistakes" in grids[0][1], "no mistake in 3 episodes" in grids[1][1]] == [True, True]


def test_the_file_of_private_images_is_private(tmp_path):
    path = tmp_path / "mistakes.png"
    save_one_shot_plot(IMAGES, LABELS, [], EPISODES, CHOSEN, path, title="t", private=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("images", "message"), [(IMAGES[..., 0], "images must be uint8"), (IMAGES[:3], "from 0 to 2")])
def test_other_images_are_refused(images, message):
    with pytest.raises(SiameseError, match=message):
        save_one_shot_plot(images, LABELS, [], EPISODES, CHOSEN, "unused", title="t")
