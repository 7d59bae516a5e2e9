"""`train_and_evaluate`: the one journey from a config to a calibrated model, its record and its pictures."""

import json
import shutil
import time
from collections.abc import Collection
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import SiameseError
from siamese_tf.files import atomic_write
from siamese_tf.locks import locked_workdir
from siamese_tf.models.keras_settings import keras_settings
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.towers.build import PARAMETERS
from siamese_tf.printable import print_lines, warn
from siamese_tf.training.build import build_trainer
from siamese_tf.training.callbacks import HISTORY, HalveLROnPlateau, ReseedEachEpoch, ValidationCheckpoint
from siamese_tf.training.checkpoint import CHECKPOINT, CONFIG, RunState, check_resumable
from siamese_tf.training.collapse import CollapseMonitor
from siamese_tf.training.environment import environment
from siamese_tf.training.event_log import EventLog
from siamese_tf.training.finalize import ACCURACY, RECORD, Log, finalize_run
from siamese_tf.training.pipeline import known_labels, training_batches, training_steps
from siamese_tf.training.progress import training_progress
from siamese_tf.training.resolve import resolve_config
from siamese_tf.training.resume import restore, resumed_state
from siamese_tf.training.run_data import RunData, load_run_data
from siamese_tf.training.trainer import Trainer
from siamese_tf.training.whitening import only_embedding_layer_trains, whiten
from siamese_tf.training.workdir import default_workdir, expected_workdir

PATHS = ("data_dir", "pairs", "test_pairs", "images")  # where the same pairs stood is not part of what a run is


@keras_settings()
def train_and_evaluate(
    config: TrainConfig,
    workdir: str | Path | None = None,
    *,
    tower: keras.Model | None = None,
    pairs: RunData | None = None,
    resume: bool = False,
    quiet: bool = False,
    command: str = "train_and_evaluate",
) -> SiameseModel:
    """Trains, keeps the best validation checkpoint, whitens if asked, calibrates, evaluates, and writes it to a folder.

    Makes TensorFlow deterministic for this process and seeds the generators of Python, NumPy and TensorFlow: the same
    config on the same machine gives the same weights, whether or not the run was stopped and resumed in between.

    Args:
        config: what to train on what, and how.
        workdir: gets `siamese.keras`, `record.json`, `config.json`, `history.csv`, the pictures, `logs/`, and
            `checkpoint.npz`; where nothing but a whitened layer is learned, neither `history.csv`, `accuracy.png`,
            `logs/` nor a checkpoint. None means `runs/<dataset>/<objective>`, where a data set seen as one class
            against the rest has a name of its own.
        tower: a tower of your own, see `SiameseModel`; built anew for every run, `resume` included.
        pairs: those of the config, where they are open already, so that several runs share them; the caller prints
            their warnings.
        resume: go on from the last finished epoch of the run in `workdir`; from the beginning where none was finished.
            The settings must be those of the run, but for `learning_rate`: set to another, it holds from there on.
        quiet: no progress and no report; warnings go to standard error all the same.
        command: what to type to do this again, for the record.

    Returns:
        The trained, calibrated model with its record.

    Raises:
        SiameseError: the data cannot be had or lacks rows, the settings do not fit them, the loss became NaN in the
            first epoch (later, the model of the best epoch before is returned), `resume` finds no run, or one with
            other settings, or another run is writing to `workdir`.
    """
    if resume and (expected := workdir or expected_workdir(config, config.objective)):
        check_resumable(Path(expected))
    may_change = ("learning_rate",) if config.learning_rate is not None else ()  # a default is no wish
    log: Log = (lambda line: None) if quiet else print_lines
    started = time.perf_counter()
    if pairs is None:
        pairs = load_run_data(config)
        warn(*pairs.task.warning_lines())
    config = resolve_config(config, pairs, tower)
    for line in pairs.lines(config):
        log(line)
    if config.tower in PARAMETERS:
        assert config.embedding_dim is not None  # `resolve_config` has set it
        count = PARAMETERS[config.tower](pairs.task.train.image_format.shape, config.embedding_dim)
        log(f"tower {config.tower}, which has {count:,} parameters for these images")
    workdir = Path(workdir) if workdir is not None else default_workdir(pairs.task.dataset, config.objective)
    with locked_workdir(workdir):
        resume_with = may_change if resume else None
        model = _train_in(workdir, config, tower, pairs, resume_with=resume_with, quiet=quiet, command=command, log=log)
    log(f"Everything is in {workdir} ({time.perf_counter() - started:.0f} s).")
    return model


def _train_in(
    workdir: Path,
    config: TrainConfig,
    tower: keras.Model | None,
    pairs: RunData,
    *,
    resume_with: Collection[str] | None,
    quiet: bool,
    command: str,
    log: Log,
) -> SiameseModel:
    """The run of a resolved config, in a folder that no other run writes to meanwhile.

    Args:
        resume_with: the settings that may differ from those of the run that goes on; None begins a new run.
    """
    original = pairs.original
    hashes = {"train_sha256": original.train.sha256, "test_sha256": original.test and original.test.sha256}
    run = {name: value for name, value in config.to_dict().items() if name not in PATHS} | hashes
    state = RunState(run) if resume_with is None else resumed_state(workdir, run, resume_with, log)
    state.environment = environment()
    trainer = build_trainer(
        config, pairs, tower, resumed=state.epochs_done > 0
    )  # before anything of an earlier run is touched
    closed_form = config.whiten and only_embedding_layer_trains(trainer.model.tower)
    if closed_form:
        trainer.ema_model.set_weights(trainer.model.get_weights())
        _whiten(trainer.ema_model, config, pairs, state, log)
    if state.epochs_done:
        restore(trainer, state, workdir)
    else:
        _clear(workdir, log)
    with atomic_write(workdir / CONFIG, "w") as file:
        json.dump(config.to_dict(), file, indent=2)
    if not closed_form:
        _fit(trainer, pairs, state, workdir, quiet)
        if config.whiten:
            _whiten(trainer.ema_model, config, pairs, state, log)
    finalize_run(trainer.ema_model, config, pairs, state, workdir, command=command, log=log)
    return trainer.ema_model


def _clear(workdir: Path, log: Log) -> None:
    """Of an earlier run, removes what the new one might not write."""
    if (workdir / CHECKPOINT).exists():
        log(f"Replacing the run in {workdir} (--resume would have continued it).")
        shutil.rmtree(workdir / "logs", ignore_errors=True)
    elif (workdir / RECORD).exists():
        log(f"Replacing the run in {workdir}.")
    else:
        return
    for name in (CHECKPOINT, RECORD, HISTORY, ACCURACY):
        (workdir / name).unlink(missing_ok=True)


def _fit(trainer: Trainer, pairs: RunData, state: RunState, workdir: Path, quiet: bool) -> None:
    """Trains on to the last epoch, and leaves the model with the weights of the best one."""
    config = trainer.config
    assert config.epochs is not None  # `resolve_config` has set it
    steps = training_steps(pairs, config)
    callbacks = [
        keras.callbacks.TerminateOnNaN(),
        ValidationCheckpoint(pairs.task.train, state, workdir, trainer.step.names),
        EventLog(workdir / "logs"),
        *([ReseedEachEpoch(config.seed)] if config.tower == "custom" else []),
        *([HalveLROnPlateau(config, state)] if config.schedule == "plateau" else []),
        *([CollapseMonitor(trainer, config)] if config.objective == "triplet" else []),
    ]
    with nullcontext() if quiet else training_progress(steps, config.epochs, state.epochs_done) as progress:
        trainer.fit(
            training_batches(pairs, config, range(state.epochs_done, config.epochs)),
            steps_per_epoch=steps,
            initial_epoch=state.epochs_done,
            epochs=config.epochs,
            callbacks=[*callbacks, *([progress] if progress else [])],
            shuffle=False,
            verbose=0,
        )
    if state.epochs_done < config.epochs:
        _stopped_at_nan(config, state)
    trainer.ema_model.set_weights(state.best)


def _stopped_at_nan(config: TrainConfig, state: RunState) -> None:
    """Warns that the run ended early; where no epoch was good, raises an error."""
    failure = f"the loss became NaN or infinite in epoch {state.epochs_done + 1}"
    lower = f"a lower --learning-rate than {config.learning_rate:g}"
    if not state.epochs_done:
        raise SiameseError(f"{failure}; try {lower}")
    warn(
        f"{failure} of {config.epochs}; the model is that of epoch {state.best_epoch}, the best before. To train on"
        f" after epoch {state.epochs_done}: --resume with {lower}"
    )


def _whiten(model: SiameseModel, config: TrainConfig, pairs: RunData, state: RunState, log: Log) -> None:
    started = time.perf_counter()
    labels = known_labels(pairs, config)
    whiten(model, pairs.task.train.images, pairs.train_images, labels)
    state.whitening_seconds = time.perf_counter() - started
    known = labels[pairs.train_images][labels[pairs.train_images] >= 0]
    log(f"the last layer whitens what differs in {len(known):,} images of {len(np.unique(known)):,} classes")
