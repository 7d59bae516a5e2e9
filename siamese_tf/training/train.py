"""`train_and_evaluate`: the one journey from a config to a calibrated model, its record and its pictures."""

import json
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config import TrainConfig
from siamese_tf.data.batches import steps_per_epoch
from siamese_tf.data.open import OpenedPairs, open_pairs
from siamese_tf.data.pair_file import TRAIN
from siamese_tf.errors import ConfigError, SiameseError
from siamese_tf.files import atomic_write
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.callbacks import KeepBest, ProgressBar, RestartDraws
from siamese_tf.training.checkpoint import CHECKPOINT, RunState, load_checkpoint
from siamese_tf.training.finish import calibrate_and_report
from siamese_tf.training.pipeline import training_batches
from siamese_tf.training.settle import settle
from siamese_tf.training.trainer import PairTrainer

PATHS = ("data_dir", "pairs", "test_pairs")  # where the same pairs stood is not part of what a run is


def train_and_evaluate(
    config: TrainConfig,
    workdir: str | Path | None = None,
    *,
    tower: keras.Model | None = None,
    resume: bool = False,
    quiet: bool = False,
    command: str = "train_and_evaluate",
) -> SiameseModel:
    """Trains, keeps the best validation checkpoint, calibrates, evaluates, and writes all of it to a folder.

    Makes TensorFlow deterministic for this process and seeds the generators of Python, NumPy and TensorFlow: the same
    config on the same machine gives the same weights, whether or not the run was stopped and resumed in between.

    Args:
        config: what to train on what, and how.
        workdir: gets `siamese.keras`, `record.json`, `config.json`, `history.csv`, the pictures, `logs/`, and
            `checkpoint.npz`; None means `runs/<dataset>/<objective>`.
        tower: a tower of your own, see `SiameseModel`; built anew for every run, `resume` included.
        resume: go on from the last finished epoch of the run in `workdir`, if it has one.
        quiet: no progress bar and no report.
        command: what to type to do this again, for the record.

    Returns:
        The trained, calibrated model with its record.

    Raises:
        SiameseError: the data cannot be had or lacks rows, the settings do not fit them, the loss became NaN, or
            `resume` finds a run with other settings.
    """
    say: Callable[[str], None] = (lambda line: None) if quiet else (lambda line: print(line, flush=True))
    started = time.perf_counter()
    pairs = open_pairs(config.dataset, data_dir=config.data_dir, pairs=config.pairs, test_pairs=config.test_pairs)
    for line in pairs.lines():
        say(line)
    config = settle(config, pairs, tower)
    workdir = Path(workdir) if workdir is not None else Path("runs") / pairs.dataset / config.objective
    hashes = {"train_sha256": pairs.train.sha256, "test_sha256": pairs.test and pairs.test.sha256}
    run = {name: value for name, value in config.to_dict().items() if name not in PATHS} | hashes
    state = (load_checkpoint(workdir, run) if resume else None) or RunState(run)
    if state.epochs_done:
        say(f"Resuming after epoch {state.epochs_done} of {config.epochs}.")
    elif (workdir / CHECKPOINT).exists():
        say(f"Replacing the run in {workdir} (--resume would have continued it).")
        (workdir / CHECKPOINT).unlink()
        shutil.rmtree(workdir / "logs", ignore_errors=True)
    with atomic_write(workdir / "config.json", "w") as file:
        json.dump(config.to_dict(), file, indent=2)
    model = _fit(config, pairs, state, workdir, tower, quiet)
    seconds = sum(row["seconds"] for row in state.history)
    calibrate_and_report(model, config, pairs, state, workdir, seconds=seconds, command=command, say=say)
    say(f"Everything is in {workdir} ({time.perf_counter() - started:.0f} s).")
    return model


def _fit(
    config: TrainConfig,
    pairs: OpenedPairs,
    state: RunState,
    workdir: Path,
    tower: keras.Model | None,
    quiet: bool,
) -> SiameseModel:
    """The model with the weights of the best epoch; `state` ends as the run does."""
    assert config.epochs is not None  # `settle` has set it
    steps = steps_per_epoch(len(pairs.train.rows(TRAIN)), config.batch_pairs)
    model, optimizer = _begin(config, pairs, tower, config.epochs * steps)
    if state.epochs_done:
        _assign(model.variables, state.variables, workdir)
        _assign(optimizer.variables, state.optimizer, workdir)
    trainer = PairTrainer(model, config)
    trainer.compile(optimizer=optimizer, jit_compile=False)
    progress = ProgressBar(steps, config.epochs, state.epochs_done)
    callbacks = [
        keras.callbacks.TerminateOnNaN(),
        KeepBest(model, pairs.train, state, workdir),
        keras.callbacks.TensorBoard(workdir / "logs", write_graph=False),
        *([RestartDraws(config.seed)] if tower is not None else []),
        *([] if quiet else [progress]),
    ]
    with nullcontext() if quiet else progress.bar:
        trainer.fit(
            training_batches(pairs.train, config, range(state.epochs_done, config.epochs)),
            steps_per_epoch=steps,
            initial_epoch=state.epochs_done,
            epochs=config.epochs,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )
    if state.epochs_done < config.epochs:
        raise SiameseError(
            f"the loss became NaN or infinite in epoch {state.epochs_done + 1}; try a lower --learning-rate than"
            f" {config.learning_rate:g}"
        )
    model.set_weights(state.best)
    return model


def _begin(
    config: TrainConfig, pairs: OpenedPairs, tower: keras.Model | None, steps: int
) -> tuple[SiameseModel, keras.optimizers.Optimizer]:
    """The model and its optimiser before the first of so many steps, the same at every call."""
    assert config.head is not None  # `settle` has set all three
    assert config.embedding_dim is not None
    assert config.learning_rate is not None
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    height, width, channels = pairs.train.images.shape[1:]
    model = SiameseModel((height, width, channels), tower or config.tower, config.embedding_dim, config.head)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(config.learning_rate, steps))
    optimizer.build(model.trainable_variables)
    return model, optimizer


def _assign(variables: list[tf.Variable], values: list[np.ndarray], workdir: Path) -> None:
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise ConfigError(
            f"{workdir / CHECKPOINT} holds weights of other shapes than this tower has. Resume with a tower like the"
            " one it was trained with, or train anew without --resume"
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
