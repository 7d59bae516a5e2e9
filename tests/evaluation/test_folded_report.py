"""Verification with folds: by hand, each fold decided by the others, then the errors."""

import json

import numpy as np
import pytest
from scored_cases import all_pairs

from siamese_tf.errors import PairFileError, SiameseError
from siamese_tf.evaluation.fmr_limit import FmrLimit
from siamese_tf.evaluation.folded_report import folded_report
from siamese_tf.evaluation.thresholds import choose_threshold


def test_folds_by_hand():
    # Fold 0 has no mistake from above 0.6 up to 0.9, fold 1 from above 0.2 up to 0.4: each is decided by the other.
    similarity = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    scores = np.array([0.5, 0.6, 0.9, 0.9, 0.1, 0.2, 0.4, 0.8])
    report, thresholds = folded_report(similarity, scores, np.repeat([0, 1], 4))
    np.testing.assert_allclose(thresholds, np.repeat([0.3, 0.75], 4))
    first, second = report["folds"]
    assert first == {
        "fold": 0,
        "pairs": 4,
        "threshold": pytest.approx(0.3),
        "accuracy": 0.5,
        "fmr": 1,
        "fnmr": 0,
        "eer": 0,
    }
    assert second == {
        "fold": 1,
        "pairs": 4,
        "threshold": pytest.approx(0.75),
        "accuracy": 0.75,
        "fmr": 0,
        "fnmr": 0.5,
        "eer": 0,
    }
    # Of two numbers the standard error is half their difference.
    assert report["accuracy"] == {"mean": 0.625, "standard_error": pytest.approx(0.125)}
    assert report["fmr"] == {"mean": 0.5, "standard_error": pytest.approx(0.5)}
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize("rule", ["accuracy", "f1", "eer", 0.05])
def test_what_a_fold_shows_does_not_move_its_own_threshold(rule):
    rng = np.random.default_rng(0)
    similarity, fold = np.arange(400) % 2, np.repeat(np.arange(4), 100)
    scores = np.clip(0.3 + 0.4 * similarity + rng.normal(0, 0.2, 400), 0, 1)
    _, before = folded_report(similarity, scores, fold, rule)
    held_out = fold == 2
    assert before[held_out][0] == choose_threshold(similarity[~held_out], scores[~held_out], rule)
    scores[held_out] = 1 - scores[held_out]
    _, after = folded_report(similarity, scores, fold, rule)
    np.testing.assert_array_equal(after[held_out], before[held_out])
    assert (after[~held_out] != before[~held_out]).all()


def test_a_limit_is_one_of_the_people_of_the_other_folds():
    similarity, person1, person2, scores = all_pairs(0, 40, 3)
    fold = np.arange(similarity.size) % 2
    rule = FmrLimit(0.2, 0.95)
    _, thresholds = folded_report(similarity, scores, fold, rule, (person1, person2))
    for held_out in (0, 1):
        others = fold != held_out
        expected = choose_threshold(similarity[others], scores[others], rule, person1[others], person2[others])
        assert (thresholds[fold == held_out] == expected).all()
    with pytest.raises(SiameseError, match="pass person1 and person2"):
        folded_report(similarity, scores, fold, rule)


def test_folds_that_cannot_be_are_refused():
    with pytest.raises(PairFileError, match="at least two folds.*got 1"):
        folded_report([0, 1], [0.1, 0.2], [0, 0])
    with pytest.raises(SiameseError, match="got 0 same and 1 different pairs in fold 1"):
        folded_report([0, 1, 0], [0.1, 0.2, 0.3], [0, 0, 1])
    with pytest.raises(SiameseError, match=r"fold and similarity .*; got \(2,\) and \(3,\)"):
        folded_report([0, 1, 0], [0.1, 0.2, 0.3], [0, 1])
    with pytest.raises(SiameseError, match="needs 300 different pairs"):
        folded_report([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1], 0.01)
