"""Training speed with the same network and batch as the baseline, and the time to given test accuracies."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from processes import Run, alternate, run_in_process, worker
from reference import BATCH, LEARNING_RATE, fit_example, fit_for, network, stacked
from rows import Row, duration, rate, times

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset, load_pair_file
from siamese_tf.evaluation.thresholds import max_accuracy_threshold

REPEATS, STEPS = 5, 24  # number of timed runs, and steps of BATCH pairs in each
MIN_SPEEDUP = 1.5  # over the images per second of Keras `fit`
TARGET = 0.9751  # test accuracy of the reference implementation after 40 epochs
HIGHER_TARGET = 0.99
MAX_SECONDS = 27.0  # a thirtieth of the time of the reference implementation
RUNS = 3  # the median counts
BASELINE_SECONDS = 30.0  # duration of the baseline
STEPS_PER_CHECK, CHECKED_PAIRS = 25, 2_000  # steps between validations, and validation pairs used


def rows(files: list[Path]) -> list[Row]:
    rows = [*_images_rows(str(files[0])), *_time_to_accuracy_rows(files)]
    return [*rows, _example_row(files)] if files[0].parent.name == "mnist" else rows


def _images_rows(train_file: str) -> list[Row]:
    fits = [(fit, (train_file, precision)) for fit in (our_fit, baseline_fit) for precision in ("float32", "bfloat16")]
    turns = alternate(REPEATS, *fits)
    rates = [rate(2 * BATCH * STEPS, statistics.median(column), "images") for column in zip(*turns, strict=True)]
    found = []
    for precision, ours, plain in (("float32", 0, 2), ("bfloat16", 1, 3), ("bfloat16", 1, 2)):
        ratio = statistics.median(turn[plain] / turn[ours] for turn in turns)
        against_float32 = (ours, plain) == (1, 2)
        found.append(
            Row(
                f"training the reference network, {precision}, {BATCH:,} pairs per step",
                rates[ours],
                f"{rates[plain]}, keras fit in {'float32' if plain == 2 else 'bfloat16'}",
                times(ratio),
                f"at least {MIN_SPEEDUP}x" if against_float32 else "",
                not against_float32 or ratio >= MIN_SPEEDUP,
            )
        )
    return found


def _time_to_accuracy_rows(files: list[Path]) -> list[Row]:
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


def _example_row(files: list[Path]) -> Row:
    ours = _run_alone(train_by_default, files[0].parent.name)
    example = run_in_process(fit_example, *map(str, files))
    return Row(
        "training with the defaults and testing",
        f"{_wall_and_cpu(ours)} ({ours.result:.4f})",
        f"{_wall_and_cpu(example)} ({example.result:.4f}), keras.io example",
        times(example.cpu / ours.cpu),
        "at least 1.0x, and more accurate",
        example.cpu >= ours.cpu and ours.result > example.result,
    )


def _run_alone(function: Callable[..., Any], *arguments: Any) -> Run:
    """Calls a function in a subprocess and an empty folder, without pair files."""
    with tempfile.TemporaryDirectory() as folder:
        return run_in_process(function, *arguments, cwd=Path(folder))


def _wall_and_cpu(run: Run) -> str:
    return f"{duration(run.wall)}, {duration(run.cpu)} of processor time"


def our_fit(train_file: str, precision: str) -> Callable[[], float]:
    """Prepares STEPS training steps of siamese_tf; returns an action that returns its seconds."""
    from siamese_tf.training.build import build_trainer
    from siamese_tf.training.pipeline import training_batches
    from siamese_tf.training.resolve import resolve_config
    from siamese_tf.training.run_data import load_run_data

    pairs = load_run_data(TrainConfig(pairs=train_file))
    config = TrainConfig(
        pairs=train_file,
        objective="bce",
        tower="reference",
        head="concat",
        batch_pairs=BATCH,
        pairs_per_step="listed",
        learning_rate=LEARNING_RATE,
        precision=precision,
        epochs=1,
    )
    config = resolve_config(config, pairs, None)
    trainer = build_trainer(config, pairs, None)
    return lambda: _steady_seconds(
        lambda watch: trainer.fit(
            training_batches(pairs, config, range(STEPS)),
            steps_per_epoch=STEPS + 1,
            epochs=1,
            callbacks=[watch],
            shuffle=False,
            verbose=0,
        )
    )


def baseline_fit(train_file: str, precision: str) -> Callable[[], float]:
    """Prepares STEPS steps of Keras `fit` on the same pairs, stacked in memory; see `our_fit`."""
    from tensorflow import keras

    keras.mixed_precision.set_global_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
    pairs = load_pair_file(train_file)
    a, b, similarity = stacked(pairs, np.resize(pairs.rows(TRAIN), BATCH * (STEPS + 1)))
    model = network(pairs.images.shape[1:])
    return lambda: _steady_seconds(
        lambda watch: model.fit([a, b], similarity, batch_size=BATCH, epochs=1, callbacks=[watch], verbose=0)
    )


def _steady_seconds(fit: Callable[[Any], Any]) -> float:
    """Returns the seconds from the end of the first step to the end of the last, without the fixed costs of `fit`."""
    from tensorflow import keras

    ends: list[float] = []
    fit(keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter())))
    assert len(ends) == STEPS + 1
    return ends[-1] - ends[0]


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
