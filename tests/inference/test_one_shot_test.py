from dataclasses import replace

import numpy as np
import pytest

from siamese_tf.errors import DatasetError
from siamese_tf.evaluation.episode_list import write_episodes
from siamese_tf.inference.embed_test_images import EmbeddedImages
from siamese_tf.inference.one_shot_test import draw_test, read_test
from siamese_tf.models.siamese_model import SiameseModel

MODEL = SiameseModel((8, 8, 1), tower="reference", embedding_dim=4)
LABELS = np.repeat(np.arange(10), 4)
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8)
IMAGES = EmbeddedImages("letters", PIXELS, np.eye(10, dtype=np.float32)[LABELS], LABELS, [], None, False)
GROUPED = replace(IMAGES, groups=LABELS // 2, group_names=list("vwxyz"))


def report_of(test, chosen):
    return test.report(chosen, np.zeros((len(chosen), 2)), seed=0)


def test_a_test_within_groups_reports_over_groups():
    test = draw_test(GROUPED, 2, 1, 50, seed=0, within="group")
    np.testing.assert_array_equal(GROUPED.groups[test.episodes.support[:, 0, 0]], GROUPED.groups[test.episodes.query])
    report = report_of(test, test.episodes.target)
    assert (report["within"], report["ci95_over"], report["ci95_count"]) == ("group", "groups", 5)
    assert test.title == "letters, 2-way 1-shot, within group"
    assert {group["name"] for group in report["groups"]} == set("vwxyz")
    other = np.where(GROUPED.groups[test.episodes.query] == 0, 1 - test.episodes.target, test.episodes.target)
    assert test.difference(test.episodes.target, other)["difference"] == pytest.approx(
        1 - report_of(test, other)["accuracy"]
    )


def test_otherwise_it_reports_over_classes_even_of_images_with_groups():
    test = draw_test(GROUPED, 5, 1, 50, seed=0)
    report = report_of(test, test.episodes.target)
    assert (report["ci95_over"], "groups" in report) == ("classes", False)
    assert "within" not in report
    assert test.title == "letters, 5-way 1-shot"
    np.testing.assert_array_equal(test.embed(MODEL), MODEL.embed(PIXELS))


def test_images_without_groups_are_refused():
    with pytest.raises(DatasetError, match="the images of letters must have groups for episodes within a group; got"):
        draw_test(IMAGES, 2, 1, 5, seed=0, within="group")


def test_a_list_gives_the_test_that_it_was_written_from(tmp_path):
    path = tmp_path / "episodes.json"
    drawn = draw_test(GROUPED, 2, 1, 50, seed=0, within="group")
    write_episodes(path, drawn.episodes, PIXELS, "letters", drawn.within)
    read = read_test(GROUPED, path)
    chosen = np.zeros(50, int)
    assert report_of(read, chosen) == report_of(drawn, chosen)
    with pytest.raises(DatasetError, match="must have groups"):
        read_test(IMAGES, path)
    with pytest.raises(DatasetError, match="an episode must have classes of one group"):
        read_test(replace(GROUPED, groups=LABELS), path)
    with pytest.raises(DatasetError, match="an episode must have"):
        read_test(replace(GROUPED, labels=np.repeat(np.arange(8), 5)), path)
