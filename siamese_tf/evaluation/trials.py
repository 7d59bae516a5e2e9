"""Accuracy on a published list of one-shot trials in runs, each trial scored on its own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from siamese_tf.evaluation.episodes import Episodes
from siamese_tf.evaluation.intervals import wilson_interval


def trial_report(
    episodes: Episodes,
    chosen: np.ndarray,
    logits: np.ndarray,
    runs: np.ndarray,
    run_names: Sequence[str],
    seed: int = 0,
) -> dict[str, Any]:
    """Reports the accuracy of the chosen classes, with the Wilson interval over the trials.

    Args:
        episodes: the trials; those of a run have the same support, and each way is the target of one of them.
        chosen: (episodes,) the chosen way of each trial.
        logits: (episodes, ways), higher is more similar.
        runs: (episodes,) integers from 0, the run of each trial.
        run_names: name of each run.
        seed: seed of the assignment of classes with the same logit.

    Returns:
        Python numbers and containers: `ways`, `shots`, `episodes`, `correct`, `accuracy` in [0, 1], `chance`, the 95%
        interval `ci95` over `ci95_count` trials, `ci95_over`, `"trials"`, and `runs`, a list of dicts with the `name`,
        number of `trials`, `correct` ones and `accuracy` of each run. `one_to_one_assignment` has the `correct` ones
        and the `accuracy` of `assign_within_runs`, which knows the other trials of a run and is not comparable.
    """
    _, ways, shots = episodes.support.shape
    is_right = chosen == episodes.target
    assigned = int(np.count_nonzero(assign_within_runs(logits, runs, seed) == episodes.target))
    count, correct = len(is_right), int(np.count_nonzero(is_right))
    return {
        "ways": ways,
        "shots": shots,
        "episodes": count,
        "correct": correct,
        "accuracy": correct / count,
        "chance": 1 / ways,
        "ci95": list(wilson_interval(correct, count)),
        "ci95_count": count,
        "ci95_over": "trials",
        "runs": [_of_run(name, is_right[runs == run]) for run, name in enumerate(run_names)],
        "one_to_one_assignment": {"correct": assigned, "accuracy": assigned / count, "comparable": False},
    }


def assign_within_runs(logits: np.ndarray, runs: np.ndarray, seed: int = 0) -> np.ndarray:
    """Assigns the ways of each run to its trials one to one, with the highest sum of logits.

    Args:
        logits: (episodes, ways), higher is more similar.
        runs: (episodes,) integers, the run of each trial; every run has as many trials as ways, in the same order.
        seed: seed of the choice among assignments with the same sum, so that a constant model is at chance.

    Returns:
        (episodes,) int64, the assigned way of each trial.
    """
    rng = np.random.default_rng(seed)
    assigned = np.empty(len(logits), np.int64)
    for run in np.unique(runs):
        trials = rng.permutation(np.flatnonzero(runs == run))
        rows, ways = linear_sum_assignment(logits[trials], maximize=True)
        assigned[trials[rows]] = ways
    return assigned


def _of_run(name: str, is_right: np.ndarray) -> dict[str, Any]:
    correct = int(np.count_nonzero(is_right))
    return {"name": name, "trials": len(is_right), "correct": correct, "accuracy": correct / len(is_right)}
