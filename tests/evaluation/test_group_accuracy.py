import numpy as np
import pytest

from siamese_tf.evaluation.evaluate import ScoredSplit
from siamese_tf.evaluation.group_accuracy import group_accuracy
from siamese_tf.evaluation.report import report_table

#                 similar          within groups  across groups
SAME = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0]) == 1
SCORES = np.array([0.9, 0.8, 0.7, 0.1, 0.6, 0.2, 0.1, 0.1, 0.1, 0.9])
GROUP1 = np.array([0, 0, 1, 1, 0, 1, 0, 0, 1, 1])
GROUP2 = np.array([0, 0, 1, 1, 0, 1, 1, 1, 0, 0])


def test_worked_example():
    """3 of 4 similar pairs are called same; 1 of 2 and 3 of 4 dissimilar pairs are called different."""
    assert group_accuracy(SAME, SCORES, 0.5, GROUP1, GROUP2) == {
        "within": {"pairs": 6, "similar": 4, "accuracy": 4 / 6, "balanced_accuracy": (3 / 4 + 1 / 2) / 2},
        "across": {"pairs": 8, "similar": 4, "accuracy": 6 / 8, "balanced_accuracy": (3 / 4 + 3 / 4) / 2},
    }


def test_a_kind_without_dissimilar_pairs_is_left_out():
    rows = SAME | (GROUP1 == GROUP2)
    assert list(group_accuracy(SAME[rows], SCORES[rows], 0.5, GROUP1[rows], GROUP2[rows])) == ["within"]


@pytest.fixture
def split():
    images = np.arange(20)
    return ScoredSplit(
        np.zeros((20, 2, 2, 1), np.uint8),
        images[:10],
        images[10:],
        SAME.astype(np.uint8),
        SCORES,
        groups=np.concatenate([GROUP1, GROUP2]),
    )


def test_the_report_of_a_split_with_groups_has_both_and_the_table_shows_them(split):
    report = split.report(0.5)
    assert report["groups"] == group_accuracy(SAME, SCORES, 0.5, GROUP1, GROUP2)
    without = ScoredSplit(split.images, split.img1, split.img2, split.similarity, split.scores).report(0.5)
    assert without == {name: value for name, value in report.items() if name != "groups"}
    lines = [line.split("  ") for line in report_table({"validation": without, "test": report})]
    shown = {line[0]: line[-1] for line in lines if line[0].startswith("balanced")}
    assert shown == {"balanced accuracy within groups": "0.6250", "balanced accuracy across groups": "0.7500"}
    assert not any("groups" in line for line in report_table({"test": without}))
