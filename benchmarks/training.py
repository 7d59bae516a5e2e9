"""Training speed with the same network and batch as the baseline, and the time to given test accuracies."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from processes import alternate, worker
from reference import BATCH, LEARNING_RATE, network, stacked
from rows import Row, rate, times
from time_to_accuracy import time_to_accuracy_rows

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TRAIN, load_pair_file

REPEATS, STEPS = 5, 24  # number of timed runs, and steps of BATCH pairs in each
MIN_SPEEDUP = 1.5  # over the images per second of Keras `fit`


def rows(files: list[Path]) -> list[Row]:
    return [*_images_rows(str(files[0])), *time_to_accuracy_rows(files)]


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


def our_fit(train_file: str, precision: str) -> Callable[[], float]:
    """Prepares STEPS training steps of the reference network; returns an action that returns its seconds."""
    return default_fit(
        train_file,
        objective="bce",
        tower="reference",
        head="concat",
        batch_pairs=BATCH,
        pairs_per_step="listed",
        learning_rate=LEARNING_RATE,
        precision=precision,
    )


def default_fit(train_file: str, objective: str, **settings: Any) -> Callable[[], float]:
    """Prepares STEPS training steps with the default settings and others; returns an action that returns its seconds.

    Args:
        train_file: file with training pairs.
        objective: name of the objective.
        settings: further keywords of TrainConfig.
    """
    from siamese_tf.training.build import build_trainer
    from siamese_tf.training.pipeline import training_batches
    from siamese_tf.training.resolve import resolve_config
    from siamese_tf.training.run_data import load_run_data

    config = TrainConfig(pairs=train_file, objective=objective, epochs=1, **settings)
    pairs = load_run_data(config)
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


if __name__ == "__main__":
    worker()
