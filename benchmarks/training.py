"""Training: images a second at the same network and batch, and the time from nothing to a given accuracy."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from processes import in_a_process, serve, take_turns
from reference import BATCH, LEARNING_RATE, fit_for, network, stacked
from rows import Row, duration, rate, times

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset, load_pair_file
from siamese_tf.evaluation.thresholds import max_accuracy_threshold

TURNS, STEPS = 5, 24  # of each way, and steps of BATCH pairs in a turn
ENOUGH = 1.5  # times the images a second of plain `fit`
TARGET = 0.9751  # what the reference set-up has after 40 epochs
IN_TIME = 27.0  # seconds: a thirtieth of what it needs for that
RACES = 3  # of which the middle one counts
PATIENCE = 30.0  # seconds that the plain way gets
EVERY, WATCHED = 25, 2_000  # steps between two looks at the validation pairs, and how many of these are looked at


def rows(files: list[Path]) -> list[Row]:
    return [*_images_rows(str(files[0])), _time_row(files)]


def _images_rows(train_file: str) -> list[Row]:
    ways = [(way, (train_file, precision)) for way in (our_fit, plain_fit) for precision in ("float32", "bfloat16")]
    turns = take_turns(TURNS, *ways)
    rates = [rate(2 * BATCH * STEPS, statistics.median(column), "images") for column in zip(*turns, strict=True)]
    found = []
    for precision, ours, plain in (("float32", 0, 2), ("bfloat16", 1, 3), ("bfloat16", 1, 2)):
        ratio = statistics.median(turn[plain] / turn[ours] for turn in turns)
        as_it_comes = (ours, plain) == (1, 2)
        found.append(
            Row(
                f"training the reference network, {precision}, {BATCH:,} pairs a step",
                rates[ours],
                f"{rates[plain]}, keras fit in {'float32' if plain == 2 else 'bfloat16'}",
                times(ratio),
                f"at least {ENOUGH}x" if as_it_comes else "",
                not as_it_comes or ratio >= ENOUGH,
            )
        )
    return found


def _time_row(files: list[Path]) -> Row:
    dataset = files[0].parent.name
    races = []
    for _ in range(RACES):
        with tempfile.TemporaryDirectory() as folder:  # without pairs
            races.append(in_a_process(race, dataset, cwd=Path(folder)))
    raced = sorted(races, key=lambda one: (one.answer["accuracy"] < TARGET, one.wall))[RACES // 2]
    reached = raced.answer["accuracy"] >= TARGET
    plain = in_a_process(fit_for, PATIENCE, *map(str, files)).answer
    ours = f"{raced.answer['accuracy']:.4f} after {raced.answer['steps']:,} steps"
    return Row(
        f"from nothing to {TARGET} of the test pairs",
        f"{duration(raced.wall)} ({ours})" if reached else f"not reached: {ours}",
        f"{plain['accuracy']:.4f} after {PATIENCE:.0f} s ({plain['epochs']:.1f} epochs), keras fit",
        bar=f"at most {IN_TIME:.0f} s" if dataset == "mnist" else "",
        met=dataset != "mnist" or (reached and raced.wall <= IN_TIME),
    )


def our_fit(train_file: str, precision: str) -> Callable[[], float]:
    """To take turns: STEPS steps of our training, as every run makes them."""
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


def plain_fit(train_file: str, precision: str) -> Callable[[], float]:
    """To take turns: as many steps of Keras' `fit` on the same pairs, stacked in memory."""
    from tensorflow import keras

    keras.mixed_precision.set_global_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
    pairs = load_pair_file(train_file)
    a, b, similarity = stacked(pairs, np.resize(pairs.rows(TRAIN), BATCH * (STEPS + 1)))
    model = network(pairs.images.shape[1:])
    return lambda: _steady_seconds(
        lambda watch: model.fit([a, b], similarity, batch_size=BATCH, epochs=1, callbacks=[watch], verbose=0)
    )


def _steady_seconds(fit: Callable[[Any], Any]) -> float:
    """Seconds from the end of the first step to that of the last; what `fit` does before and after comes once a run."""
    from tensorflow import keras

    ends: list[float] = []
    fit(keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter())))
    assert len(ends) == STEPS + 1
    return ends[-1] - ends[0]


def race(dataset: str) -> dict[str, float]:
    """Makes the pairs here and trains as `main3.py` does, until TARGET of the test pairs are told right.

    The threshold is the best for the validation pairs looked at. The test pairs are looked at where the accuracy on
    those reaches TARGET, and end the training; they decide nothing else.

    Returns:
        The steps taken, and the accuracy on the test pairs.
    """
    from tensorflow import keras

    from siamese_tf.training.build import build_trainer
    from siamese_tf.training.pipeline import training_batches, training_steps
    from siamese_tf.training.resolve import resolve_config
    from siamese_tf.training.run_data import load_run_data

    config = TrainConfig(dataset=dataset)
    pairs = load_run_data(config)
    config = resolve_config(config, pairs, None)
    trainer = build_trainer(config, pairs, None)
    answer: dict[str, float] = {"steps": 0, "accuracy": 0.0}

    def look(epoch: int, logs: dict[str, Any]) -> None:
        answer["steps"] += EVERY
        with trainer.ema_weights() as ema_model:
            threshold, accuracy = _validate(ema_model, pairs.task.train)
            if accuracy >= TARGET:
                answer["accuracy"] = _accuracy(ema_model, pairs.task.test, threshold)
                trainer.stop_training = answer["accuracy"] >= TARGET

    trainer.fit(
        training_batches(pairs, config, range(config.epochs)),
        steps_per_epoch=EVERY,
        epochs=config.epochs * training_steps(pairs, config) // EVERY,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=look)],
        shuffle=False,
        verbose=0,
    )
    return answer


def _validate(model: Any, pairs: PairDataset) -> tuple[float, float]:
    """The best threshold for the first validation pairs, and its accuracy there."""
    rows = pairs.rows(VALIDATION)[:WATCHED]
    scores = model.score_pairs(pairs.images, pairs.img1[rows], pairs.img2[rows])
    threshold = max_accuracy_threshold(pairs.similarity[rows], scores)
    return threshold, float(np.mean((scores >= threshold) == pairs.similarity[rows]))


def _accuracy(model: Any, pairs: PairDataset, threshold: float) -> float:
    rows = pairs.rows(TEST)
    scores = model.score_pairs(pairs.images, pairs.img1[rows], pairs.img2[rows])
    return float(np.mean((scores >= threshold) == pairs.similarity[rows]))


if __name__ == "__main__":
    serve()
