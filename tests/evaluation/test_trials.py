"""Reports of published trials, and models whose accuracy on them is known."""

import numpy as np
import pytest

from siamese_tf.evaluation.classify_episodes import choose_classes
from siamese_tf.evaluation.episodes import Episodes
from siamese_tf.evaluation.intervals import wilson_interval
from siamese_tf.evaluation.trials import assign_within_runs, trial_report

RUNS, WAYS = 30, 4
RUN = np.repeat(np.arange(RUNS), WAYS)
TARGET = np.concatenate([np.random.default_rng(run).permutation(WAYS) for run in range(RUNS)])
EPISODES = Episodes(np.arange(RUNS * WAYS).reshape(RUNS, WAYS, 1)[RUN], RUNS * WAYS + np.arange(len(RUN)), TARGET)
NAMES = [f"run{run + 1:02d}" for run in range(RUNS)]
PERFECT = np.float32(np.eye(WAYS)[TARGET])


def report(logits):
    return trial_report(EPISODES, choose_classes(logits), logits, RUN, NAMES)


def test_a_worked_example():
    # Both trials of run 1 choose way 0; assigned one to one, the second gets way 1. Run 2 is right.
    logits = np.float32([[3, 1], [2, 1.5], [0, 1], [1, 0]])
    episodes = Episodes(np.zeros((4, 2, 1), int), np.arange(4), np.array([0, 1, 1, 0]))
    found = trial_report(episodes, choose_classes(logits), logits, np.array([0, 0, 1, 1]), ["a", "b"])
    assert found == {
        "ways": 2,
        "shots": 1,
        "episodes": 4,
        "correct": 3,
        "accuracy": 0.75,
        "chance": 0.5,
        "ci95": list(wilson_interval(3, 4)),
        "ci95_count": 4,
        "ci95_over": "trials",
        "runs": [
            {"name": "a", "trials": 2, "correct": 1, "accuracy": 0.5},
            {"name": "b", "trials": 2, "correct": 2, "accuracy": 1.0},
        ],
        "one_to_one_assignment": {"correct": 4, "accuracy": 1.0, "comparable": False},
    }


@pytest.mark.parametrize("logits", [np.zeros_like(PERFECT), np.random.default_rng(9).normal(size=PERFECT.shape)])
def test_a_constant_and_a_random_model_are_at_chance(logits):
    found = report(logits)
    low, high = found["ci95"]
    assert low < found["chance"] < high
    assert 0.12 < found["one_to_one_assignment"]["accuracy"] < 0.38  # three standard errors


def test_a_label_swapped_model_is_never_right_and_a_perfect_one_always():
    for logits, accuracy in ((-PERFECT, 0), (PERFECT, 1)):
        found = report(logits)
        assert found["accuracy"] == found["one_to_one_assignment"]["accuracy"] == accuracy
        assert {run["accuracy"] for run in found["runs"]} == {accuracy}


def test_every_way_of_a_run_is_assigned_once_and_the_seed_decides_ties():
    tied = np.zeros_like(PERFECT)
    one, again, other = (assign_within_runs(tied, RUN, seed) for seed in (0, 0, 1))
    assert (np.sort(one.reshape(RUNS, WAYS)) == np.arange(WAYS)).all()
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
