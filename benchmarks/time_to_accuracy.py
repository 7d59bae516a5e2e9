"""Time of the default training to given test accuracies, and of all of it beside the keras.io example."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from processes import Run, run_in_process, worker
from reference import fit_example, fit_for
from rows import Row, duration, times

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TEST, VALIDATION, PairDataset
from siamese_tf.evaluation.thresholds import max_accuracy_threshold

TARGET = 0.9751  # test accuracy of the reference implementation after 40 epochs
HIGHER_TARGET = 0.99
MAX_SECONDS = 27.0  # a thirtieth of the time of the reference implementation
RUNS = 3  # the median counts
BASELINE_SECONDS = 30.0  # duration of the baseline
STEPS_PER_CHECK, CHECKED_PAIRS = 25, 2_000  # steps between validations, and validation pairs used


def time_to_accuracy_rows(files: list[Path]) -> list[Row]:
    """Measures the time to each target; the files serve the baseline only."""
    dataset = files[0].parent.name
    plain = run_in_process(fit_for, BASELINE_SECONDS, *map(str, files)).result
    baseline = f"{plain['accuracy']:.4f} after {BASELINE_SECONDS:.0f} s ({plain['epochs']:.1f} epochs), keras fit"
    found = []
    for target in (TARGET, HIGHER_TARGET):
        runs = [_run_alone(time_to_accuracy, dataset, target) for _ in range(RUNS)]
        median = sorted(runs, key=lambda one: (one.result["accuracy"] < target, one.wall))[RUNS // 2]
        reached = median.result["accuracy"] >= target
        ours = f"{median.result['accuracy']:.4f} after {median.result['steps']:,} steps"
        limited = dataset == "mnist" and target == TARGET
        found.append(
            Row(
                f"time to test accuracy {target}",
                f"{_wall_and_cpu(median)} ({ours})" if reached else f"not reached: {ours}",
                baseline,
                target=f"at most {MAX_SECONDS:.0f} s" if limited else "",
                met=not limited or (reached and median.wall <= MAX_SECONDS),
            )
        )
    return found


def example_rows(files: list[Path]) -> list[Row]:
    """Measures a whole run beside the keras.io example; empty for a data set other than MNIST, which it is made for."""
    if files[0].parent.name != "mnist":
        return []
    ours = _run_alone(train_by_default, files[0].parent.name)
    example = run_in_process(fit_example, *map(str, files))
    return [
        Row(
            "main3.py, processor time and test accuracy",
            f"{_wall_and_cpu(ours)} ({ours.result:.4f})",
            f"{_wall_and_cpu(example)} ({example.result:.4f}), keras.io example",
            times(example.cpu / ours.cpu),
            "at least 1.0x, and more accurate",
            example.cpu >= ours.cpu and ours.result > example.result,
        )
    ]


def _run_alone(function: Callable[..., Any], *arguments: Any) -> Run:
    """Calls a function in a subprocess and an empty folder, without pair files."""
    with tempfile.TemporaryDirectory() as folder:
        return run_in_process(function, *arguments, cwd=Path(folder))


def _wall_and_cpu(run: Run) -> str:
    return f"{duration(run.wall)}, {duration(run.cpu)} of processor time"


def train_by_default(dataset: str) -> float:
    """Generates pairs in the working directory and does what `main3.py` does; returns the test accuracy."""
    from siamese_tf import train_and_evaluate

    return train_and_evaluate(TrainConfig(dataset=dataset)).record["accuracy"]["test"]


def time_to_accuracy(dataset: str, target: float) -> dict[str, float]:
    """Generates pairs in the working directory and trains as `main3.py` does, until test accuracy reaches the target.

    The threshold maximizes the accuracy on CHECKED_PAIRS validation pairs. Once that accuracy reaches the target, the
    test pairs are scored; they decide only when to stop.

    Returns:
        Number of steps, and test accuracy.
    """
    from tensorflow import keras

    from siamese_tf.training.build import build_trainer
    from siamese_tf.training.epochs import training_steps
    from siamese_tf.training.pipeline import training_batches
    from siamese_tf.training.resolve import resolve_config
    from siamese_tf.training.run_data import load_run_data

    config = TrainConfig(dataset=dataset)
    pairs = load_run_data(config)
    config = resolve_config(config, pairs, None)
    trainer = build_trainer(config, pairs, None)
    result: dict[str, float] = {"steps": 0, "accuracy": 0.0}

    def check_accuracy(epoch: int, logs: dict[str, Any]) -> None:
        result["steps"] += STEPS_PER_CHECK
        with trainer.ema_weights() as ema_model:
            threshold, accuracy = _validate(ema_model, pairs.task.train)
            if accuracy >= target:
                result["accuracy"] = _accuracy(ema_model, pairs.task.test, threshold)
                trainer.stop_training = result["accuracy"] >= target

    trainer.fit(
        training_batches(pairs, config, range(config.epochs)),
        steps_per_epoch=STEPS_PER_CHECK,
        epochs=config.epochs * training_steps(pairs, config) // STEPS_PER_CHECK,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=check_accuracy)],
        shuffle=False,
        verbose=0,
    )
    return result


def _validate(model: Any, pairs: PairDataset) -> tuple[float, float]:
    """Returns the threshold that maximizes the accuracy on CHECKED_PAIRS validation pairs, and that accuracy."""
    rows = pairs.rows(VALIDATION)[:CHECKED_PAIRS]
    scores = model.score_pairs(pairs.images, pairs.img1[rows], pairs.img2[rows])
    threshold = max_accuracy_threshold(pairs.similarity[rows], scores)
    return threshold, float(np.mean((scores >= threshold) == pairs.similarity[rows]))


def _accuracy(model: Any, pairs: PairDataset, threshold: float) -> float:
    rows = pairs.rows(TEST)
    scores = model.score_pairs(pairs.images, pairs.img1[rows], pairs.img2[rows])
    return float(np.mean((scores >= threshold) == pairs.similarity[rows]))


if __name__ == "__main__":
    worker()
