"""The threshold at an upper confidence limit of the FMR: by hand, against every threshold, then the errors."""

import re

import numpy as np
import pytest

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.fmr_limit import FmrLimit, threshold_at_fmr_limit
from siamese_tf.evaluation.fmr_threshold import threshold_at_fmr
from siamese_tf.evaluation.jackknife import effective_size, upper_limit


def drawn(people=30, each=3, seed=0, levels=1000):
    """All pairs of some people: similarity, scores, person1, person2."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), each)
    first, second = (labels[side] for side in np.triu_indices(labels.size, 1))
    effects = rng.normal(0, 0.04, people)
    scores = np.where(first == second, 0.6, 0.3 + effects[first] + effects[second]) + rng.normal(0, 0.12, first.size)
    return (first == second).astype(np.uint8), np.round(levels * scores.clip(0, 1)) / levels, first, second


def fmr_at(similarity, scores, threshold):
    return np.mean(scores[similarity == 0] >= threshold)


def size_at(similarity, scores, person1, person2, level, confidence):
    """The effective size of the different pairs at a threshold, person by person."""
    different = similarity == 0
    left_out = [
        np.mean(scores[different & (person1 != person) & (person2 != person)] >= level)
        for person in range(person1.max() + 1)
    ]
    return effective_size(np.mean(scores[different] >= level), np.array(left_out), 1 - confidence)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("fmr", "confidence"), [(0.02, 0.95), (0.05, 0.9), (0.2, 0.99)])
def test_it_is_the_lowest_threshold_whose_limit_is_that_of_the_rule(seed, fmr, confidence):
    pairs = drawn(seed=seed, levels=100)
    similarity, scores, *_ = pairs
    threshold = threshold_at_fmr_limit(*pairs, FmrLimit(fmr, confidence))
    levels = np.unique(scores)
    plain = min(level for level in levels if fmr_at(similarity, scores, level) <= fmr)
    size = min(30 * 29 / 2, size_at(*pairs, plain, confidence))
    passing = [
        level for level in [*levels, 2.0] if upper_limit(fmr_at(similarity, scores, level), size, 1 - confidence) <= fmr
    ]
    fnmr = np.mean(scores[similarity == 1] < threshold)
    assert fmr_at(similarity, scores, threshold) in [fmr_at(similarity, scores, level) for level in passing]
    assert fnmr == min(np.mean(scores[similarity == 1] < level) for level in passing)
    assert threshold > threshold_at_fmr(similarity, scores, fmr)


def test_without_a_mistake_the_distinct_pairs_of_people_decide():
    """25 people form 300 pairs: 1 - 0.05 ** (1 / 300) is just below 0.01; the 276 pairs of 24 people are above it."""
    for people, enough in ((25, True), (24, False)):
        similarity, _, first, second = drawn(people, each=2)
        scores = np.where(similarity == 1, 0.8, 0.2)
        if enough:
            assert threshold_at_fmr_limit(similarity, scores, first, second, FmrLimit(0.01, 0.95)) == 0.5
        else:
            with pytest.raises(
                SiameseError, match=r"needs 299 .* of 24 people count as 276\. .* allow a rate of 0\.02"
            ):
                threshold_at_fmr_limit(similarity, scores, first, second, FmrLimit(0.01, 0.95))


def test_more_confidence_is_a_higher_threshold():
    found = [threshold_at_fmr_limit(*drawn(), FmrLimit(0.05, confidence)) for confidence in (0.6, 0.8, 0.95, 0.99)]
    assert found == sorted(found)
    assert len(set(found)) == 4


@pytest.mark.parametrize("people", [3, 8, 12])
def test_what_the_people_cannot_support_is_refused_with_what_they_can(people):
    pairs = drawn(people)
    with pytest.raises(SiameseError) as caught:
        threshold_at_fmr_limit(*pairs, FmrLimit(0.001, 0.95))
    text = str(caught.value)
    assert text.startswith(
        "choosing a threshold at a false match rate of at most 0.001 at 95% needs 2,995 independent different pairs"
    )
    assert f"of {people} people count as" in text
    advised = re.search(r"or allow a rate of (\S+)$", text)
    if people == 3:
        assert "Add people" in text
    else:
        assert 0 < threshold_at_fmr_limit(*pairs, FmrLimit(float(advised[1]), 0.95)) <= 1


def test_who_is_on_a_pair_must_be_known_of_every_pair():
    similarity, scores, first, second = drawn(5)
    with pytest.raises(SiameseError, match=r"person1, person2 and similarity .*; got \(3,\)"):
        threshold_at_fmr_limit(similarity, scores, first[:3], second, FmrLimit(0.1, 0.95))
    with pytest.raises(SiameseError, match="at least one of each"):
        threshold_at_fmr_limit(np.ones(3), np.ones(3), first[:3], second[:3], FmrLimit(0.1, 0.95))


def test_scores_that_tie_are_decided_alike():
    similarity, _, first, second = drawn(25, each=2)
    scores = np.where(np.arange(similarity.size) % 7 == 0, 0.9, 0.1) * 1.0
    scores[similarity == 1] = 0.9
    threshold = threshold_at_fmr_limit(similarity, scores, first, second, FmrLimit(0.1, 0.95))
    assert fmr_at(similarity, scores, threshold) == 0
    assert metrics.confusion(similarity, scores, threshold)["tp"] == 0
