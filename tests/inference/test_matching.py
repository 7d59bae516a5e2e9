"""An image compared with people with several images each, and the bound kept by the corrected threshold."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit, logit

from siamese_tf.errors import ImageError
from siamese_tf.inference import matching
from siamese_tf.inference.matching import Match, corrected_threshold, gallery_threshold, nearest_people, rank_people
from siamese_tf.inference.people import People


class Angles:
    """A model without TensorFlow: logit = 10 cos - 5 for embeddings of length 1."""

    def __init__(self):
        self.all_pairs = SimpleNamespace(logit_matrix=self.logits, prepared_logits=self.logits)

    @staticmethod
    def logits(probes, rows):
        return np.round(10 * probes @ rows.T - 5, 5)


def at(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


# Pictures of a person


def test_pencil():
    # cos is 1, 0, 0.5 at 0, 90 and 60 degrees: logits 5, -5 and 0. The mean of the first two is 0, their best 5.
    people = [("anna", at(0, 90)), ("ben", at(60))]
    (anna, ben) = rank_people(Angles(), at(0)[0], people, "mean", 0.5)
    assert (anna.name, ben.name) == ("anna", "ben")
    assert [anna.score, ben.score] == pytest.approx([0.5, 0.5], abs=1e-6)
    anna, ben = rank_people(Angles(), at(0)[0], people, "best", 0.75)
    assert anna == Match("anna", pytest.approx(expit(5.0), abs=1e-6), 0.75, True)
    assert ben == Match("ben", pytest.approx(0.5, abs=1e-6), 0.75, False)


def test_the_best_comes_first_and_of_equal_ones_the_first_given():
    people = [("far", at(120)), ("one", at(30)), ("two", at(-30)), ("near", at(0))]
    found = rank_people(Angles(), at(0)[0], people, "mean", 0.5)
    assert [match.name for match in found] == ["near", "one", "two", "far"]
    assert [match.same for match in found] == [True, True, True, False]


def test_a_score_on_the_threshold_is_the_same():
    (found,) = rank_people(Angles(), at(0)[0], [("anna", at(0))], "mean", float(expit(5.0)))
    assert found.same


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_no_match(value):
    model = Angles()
    model.all_pairs.logit_matrix = lambda probes, rows: np.full((1, len(rows)), value)
    with pytest.raises(ImageError, match="must be finite"):
        rank_people(model, at(0)[0], [("anna", at(0))], "mean", 0.5)


def crowd(seed: int) -> tuple[People, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    pictures = [at(*rng.uniform(0, 360, count)) for count in rng.integers(1, 5, 30)]
    ends = np.cumsum([len(rows) for rows in pictures])
    return People([f"p{number}" for number in range(30)], ends, np.concatenate(pictures)), pictures


@pytest.mark.parametrize("match", ["mean", "best"])
@pytest.mark.parametrize("count", [1, 7, 30, 99])
def test_the_nearest_are_those_of_the_slow_reference(match, count, monkeypatch):
    monkeypatch.setattr(matching, "_PROBE_BATCH", 4)
    people, pictures = crowd(seed=1)
    probes = at(*range(0, 360, 33))
    over = {"mean": np.mean, "best": np.max}[match]
    found = list(nearest_people(Angles(), probes, people, count, match))
    assert len(found) == len(probes)
    for probe, (same, near) in zip(probes, found, strict=True):
        np.testing.assert_array_equal(probe, same)
        slow = np.array([over(10 * rows @ probe - 5) for rows in pictures])
        assert set(near) == set(np.argsort(-slow)[:count])


def test_the_threshold_counts_people_or_images():
    people, images = crowd(seed=3)
    for match, count in (("mean", 30), ("best", sum(map(len, images)))):
        assert gallery_threshold(0.4, people, match) == corrected_threshold(0.4, count)


# The threshold for many


@pytest.mark.parametrize("threshold", [0.01, 0.21, 0.5, 0.99])
@pytest.mark.parametrize("comparisons", [2, 10, 100_000])
def test_the_logarithm_of_the_comparisons_is_added(threshold, comparisons):
    raised = corrected_threshold(threshold, comparisons)
    assert logit(raised) == pytest.approx(logit(threshold) + np.log(comparisons), rel=1e-9)


def test_one_comparison_or_none_leaves_the_threshold_and_so_do_the_ends():
    assert corrected_threshold(0.3, 1) == corrected_threshold(0.3, 0) == 0.3
    assert (corrected_threshold(0.0, 1000), corrected_threshold(1.0, 1000)) == (0.0, 1.0)


def calibrated(rng: np.random.Generator, same: bool, spread: float, *shape: int) -> np.ndarray:
    """Logits that are what they say: normal of variance 2 m, with mean m for pairs of the same and -m of different."""
    return rng.normal(spread if same else -spread, np.sqrt(2 * spread), shape)


@pytest.mark.parametrize("spread", [1.0, 4.0, 9.0])
@pytest.mark.parametrize("people", [1, 10, 300])
def test_strangers_stay_below_the_bound_however_many_people_there_are(spread, people):
    """1 / c is what one comparison of two different people may reach: (1 - threshold) / threshold."""
    threshold, trials = 0.9, 4_000
    rng = np.random.default_rng(int(people + spread))
    best = np.max([calibrated(rng, False, spread, trials) for _ in range(people)], axis=0)
    bound = (1 - threshold) / threshold
    assert (expit(best) >= corrected_threshold(threshold, people)).mean() <= bound
    if people == 300:
        assert (expit(best) >= threshold).mean() > bound, "the bound would be broken without raising the threshold"


@pytest.mark.parametrize("pictures", [3, 20])
def test_for_several_pictures_the_mean_counts_once_and_the_best_as_often_as_there_are_pictures(pictures):
    """The worst case of each: pictures that all say the same for the mean, and independent ones for the best."""
    threshold, trials, spread = 0.9, 100_000, 1.0
    bound = (1 - threshold) / threshold
    rng = np.random.default_rng(pictures)
    logits = calibrated(rng, False, spread, trials, pictures)
    assert (expit(logits.mean(axis=1)) >= threshold).mean() <= (expit(logits[:, 0]) >= threshold).mean() <= bound
    best = expit(logits.max(axis=1))
    assert (best >= corrected_threshold(threshold, pictures)).mean() <= (expit(logits[:, 0]) >= threshold).mean()
    if pictures == 20:
        assert (best >= threshold).mean() > bound


@pytest.mark.parametrize("people", [3, 40])
def test_at_one_half_no_other_threshold_errs_less_on_somebody_against_nobody(people):
    """Half of the probes show one given person of the gallery as often as any other, half show a stranger.

    Of person and stranger the logit less log(people) tells the odds: its decision at 1/2 has the least errors, weighed
    by how probable that person (1 in `people`) and the stranger are.
    """
    trials, spread = 400_000, 4.0
    rng = np.random.default_rng(people)
    same, different = (calibrated(rng, kind, spread, trials) for kind in (True, False))
    cuts = np.log(people) + np.linspace(-3, 3, 25)
    errors = [(same < cut).mean() / people + (different >= cut).mean() for cut in cuts]
    raised = logit(corrected_threshold(0.5, people))
    mine = (same < raised).mean() / people + (different >= raised).mean()
    assert mine <= min(errors) * 1.02
    assert (same < 0).mean() / people + (different >= 0).mean() > 1.2 * mine
