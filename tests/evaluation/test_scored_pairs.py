"""Input checks of scored pairs, alone and through every metric."""

import numpy as np
import pytest

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.metrics import confusion
from siamese_tf.evaluation.roc import auc, eer, roc_curve, tar_at_fmr
from siamese_tf.evaluation.scored_pairs import check_person_ids, check_scored_pairs

CURVES = [roc_curve, auc, eer, lambda y, s: tar_at_fmr(y, s, 0.1)]
ALL = [*CURVES, lambda y, s: confusion(y, s, 0.5)]


def test_returns_bool_labels_and_float64_scores():
    same, values = check_scored_pairs([1, 0, 1], np.array([3, 1, 2], np.float32))
    assert (same.dtype, values.dtype) == (bool, np.float64)
    assert (same.tolist(), values.tolist()) == ([True, False, True], [3.0, 1.0, 2.0])


def test_one_class_is_accepted_if_both_are_not_required():
    same, _ = check_scored_pairs([1, 1], [0.1, 0.2], both_classes=False)
    assert same.all()


def test_people_must_have_the_shape_of_the_pairs():
    check_person_ids([0, 1], [1, 2], (2,))
    for people in (([0], [1, 2]), ([0, 1], [1]), ([[0, 1]], [1, 2])):
        with pytest.raises(SiameseError, match=r"person1, person2 and similarity must have the same shape"):
            check_person_ids(*people, (2,))


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize(
    ("similarity", "scores", "message"),
    [
        ([0, 1, 1], [0.1, 0.2], r"\(3,\).*\(2,\)"),
        ([0, 1], [[0.1], [0.2]], r"\(2,\).*\(2, 1\)"),
        ([0, 1], [0.1, np.nan], "scores.*1 of 2"),
        ([0, 1], [0.1, np.inf], "scores.*1 of 2"),
        ([0, 2], [0.1, 0.2], "similarity.*2"),
        ([0, 0.5], [0.1, 0.2], "similarity.*0.5"),
        ([0, np.nan], [0.1, 0.2], "similarity.*nan"),
        ([], [], "at least one pair"),
    ],
)
def test_refuses_what_is_not_pairs(function, similarity, scores, message):
    with pytest.raises(SiameseError, match=message):
        function(similarity, scores)


@pytest.mark.parametrize("function", CURVES)
@pytest.mark.parametrize("only", [0, 1])
def test_refuses_one_class(function, only):
    with pytest.raises(SiameseError, match="same.*different"):
        function([only] * 4, [0.1, 0.2, 0.3, 0.4])
