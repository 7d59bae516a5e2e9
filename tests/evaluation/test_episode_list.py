import json

import numpy as np
import pytest

from siamese_tf.errors import ConfigError, DatasetError
from siamese_tf.evaluation import episode_list
from siamese_tf.evaluation.episode_list import images_sha256, read_episodes, write_episodes
from siamese_tf.evaluation.episodes import Episodes, draw_episodes

LABELS = np.repeat(np.arange(5), 4)
IMAGES = np.random.default_rng(0).integers(0, 256, (20, 3, 3, 1), np.uint8)
EPISODES = draw_episodes(LABELS, ways=3, shots=2, count=7)


@pytest.fixture
def path(tmp_path):
    write_episodes(tmp_path / "episodes.json", EPISODES, IMAGES, "letters", "group")
    return tmp_path / "episodes.json"


def test_episodes_are_read_as_they_were_written(path):
    episodes, within = read_episodes(path, IMAGES)
    assert within == "group"
    for name in ("support", "query", "target"):
        np.testing.assert_array_equal(getattr(episodes, name), getattr(EPISODES, name))
        assert getattr(episodes, name).dtype == np.int64
    write_episodes(path, EPISODES, IMAGES, "letters")
    assert read_episodes(path, IMAGES)[1] is None


def test_the_file_is_plain_json(tmp_path):
    write_episodes(tmp_path / "one.json", Episodes(*map(np.array, ([[[0], [5]]], [6], [1]))), IMAGES, "letters")
    assert json.loads((tmp_path / "one.json").read_text()) == {
        "format": 1,
        "dataset": "letters",
        "images": 20,
        "sha256": images_sha256(IMAGES),
        "ways": 2,
        "shots": 1,
        "within": None,
        "support": [[[0], [5]]],
        "query": [6],
        "target": [1],
    }


def test_the_hash_depends_on_pixels_and_shape():
    hashes = {images_sha256(images) for images in (IMAGES, 255 - IMAGES, IMAGES.reshape(20, 9, 1, 1), IMAGES[:19])}
    assert len(hashes) == 4
    assert images_sha256(IMAGES[::-1][::-1]) == images_sha256(IMAGES)


@pytest.mark.parametrize("other", [255 - IMAGES, IMAGES[:19]])
def test_a_list_of_other_images_is_refused(path, other):
    with pytest.raises(
        DatasetError, match=rf"must be a list of these {len(other)} images, .*; got 20 images of letter"
    ):
        read_episodes(path, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "must have format 1; got 2"),
        ({"format": True}, "must have format 1; got True"),
        ({"within": "author"}, "must have within group, or null; got author"),
        ({"within": ["group"]}, "must have within group"),
        ({"ways": 1_001}, "must have ways from 1 to 1,000; got 1001"),
        ({"ways": 3.0}, "must have ways from 1 to 1,000; got 3.0"),
        ({"shots": True}, "must have shots from 1 to 1,000; got True"),
        ({"shots": 1}, "must have support of 7 x 3 x 1 numbers; got another shape"),
        ({"query": []}, "must have a query list of 1 to 1,000,000 images; got 0"),
        ({"query": 7}, "must have a query list"),
        ({"query": [0] * 8}, "must have support of 8 x 3 x 2 numbers"),
        ({"query": [0.0] * 7}, "must have query of whole numbers from 0; got 0.0"),
        ({"query": [True] * 7}, "must have query of whole numbers from 0; got True"),
        ({"query": [None] * 7}, "must have query of whole numbers from 0; got None"),
        ({"query": [-1] * 7}, "must have query of whole numbers from 0; got -1"),
        ({"query": [10**30] * 7}, "must have query of whole numbers from 0; got 1000"),
        ({"target": ["0"] * 7}, "must have target of whole numbers from 0; got 0"),
        ({"target": {"0": 1}}, "must have target of 7 numbers"),
        ({"support": "abcdefg"}, "must have support of 7 x 3 x 2 numbers"),
        ({"other": 1}, "must have the keys format, dataset"),
        ({"images": 19}, "must be a list of these 20 images"),
        ({"sha256": None}, "must be a list of these 20 images"),
    ],
)
def test_damaged_entries_are_refused(path, change, message):
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DatasetError, match=message):
        read_episodes(path, IMAGES)


@pytest.mark.parametrize(("change", "message"), [({"query": [20] * 7}, "query must be"), ({"target": [3] * 7}, "targ")])
def test_positions_outside_the_images_are_refused(path, change, message):
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ConfigError, match=message):
        read_episodes(path, IMAGES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be JSON"),
        (b"\xff\xfe\x00", "must be JSON"),
        (b"[" * 100_000, "must be JSON"),
        (b"[1]", "must be a JSON object; got list"),
        (b"{}", "must have the keys format, .*; got none"),
        (b"9" * 5000, "must be JSON"),
    ],
)
def test_other_files_are_refused(path, content, message):
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        read_episodes(path, IMAGES)


def test_missing_folders_and_large_files_are_refused(path, monkeypatch):
    for missing in (path.parent, path.parent / "none.json"):
        with pytest.raises(DatasetError, match="cannot read the episodes"):
            read_episodes(missing, IMAGES)
    monkeypatch.setattr(episode_list, "MAX_BYTES", 100)
    with pytest.raises(DatasetError, match="must have at most 100 bytes; got more"):
        read_episodes(path, IMAGES)
    before = path.read_bytes()
    with pytest.raises(DatasetError, match="must have at most 100 bytes; got [0-9]{3}"):
        write_episodes(path, EPISODES, IMAGES, "letters")
    assert path.read_bytes() == before
