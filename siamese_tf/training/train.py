"""`train_and_evaluate`: one run, from a config to a calibrated model, its record and its plots."""

import json
import time
from collections.abc import Collection
from pathlib import Path

import numpy as np
from tensorflow import keras

from siamese_tf.config.catalog import CUSTOM, TOWERS
from siamese_tf.config.resolved_config import ResolvedConfig
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.files import atomic_write
from siamese_tf.locks import locked_workdir
from siamese_tf.models.keras_settings import keras_settings
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.towers.parameter_counts import parameter_count
from siamese_tf.printable import print_lines, warn
from siamese_tf.training.build import build_trainer
from siamese_tf.training.checkpoint import CONFIG, RunState, check_resumable
from siamese_tf.training.environment import environment
from siamese_tf.training.finalize import Log, finalize_run
from siamese_tf.training.fit import fit_trainer
from siamese_tf.training.pipeline import known_labels
from siamese_tf.training.resolve import resolve_config
from siamese_tf.training.resume import restore, resumed_state, run_identity, with_settings_of
from siamese_tf.training.run_data import RunData, load_run_data
from siamese_tf.training.transfer import with_tower_of_weights
from siamese_tf.training.whitening import only_embedding_layer_trains, whiten
from siamese_tf.training.workdir import clear_workdir, default_workdir, expected_workdir


@keras_settings()
def train_and_evaluate(
    config: TrainConfig,
    workdir: str | Path | None = None,
    *,
    tower: keras.Model | None = None,
    pairs: RunData | None = None,
    resume: bool = False,
    quiet: bool = False,
    pictures: bool = True,
    command: str = "train_and_evaluate",
) -> SiameseModel:
    """Trains a model, restores its best epoch, calibrates and evaluates it, and writes the results to a folder.

    Makes TensorFlow deterministic for this process and seeds the generators of Python, NumPy and TensorFlow: the same
    config on the same machine gives the same weights, even if the run was interrupted and resumed.

    Args:
        config: settings of the run.
        workdir: folder for `siamese.keras`, `record.json`, `config.json`, `history.csv`, the plots, `logs/` and
            `checkpoint.npz`. A run that only fits a whitening layer writes no `history.csv`, `accuracy.png`, `logs/`
            or checkpoint. None means `runs/<dataset>/<objective>`, where the name of the data set includes the class
            for a one-vs-rest task.
        tower: custom tower, see `SiameseModel`. Build a new one for every run, also to resume.
        pairs: loaded data of the config, to share them between runs; the caller prints their warnings.
        resume: continues the run in `workdir` after its last finished epoch, or from the start if it has none. The
            settings must be those of the run, except `learning_rate`, whose new value applies to the remaining epochs.
        quiet: prints neither progress nor report; warnings still go to standard error.
        pictures: writes the plots (PNG files).
        command: command line that repeats this run, for the record.

    Returns:
        The trained, calibrated model with its record.

    Raises:
        SiameseError: if the data cannot be loaded or lack rows, or the settings do not fit the data; the loss became
            NaN in the first epoch (in a later one, the model of the best epoch is returned); `resume` finds no run, or
            a run with other settings; or another run is writing to `workdir`.
    """
    if resume and (expected := workdir or expected_workdir(config, config.objective)):
        check_resumable(Path(expected))
    # Only an explicit learning rate may replace that of the run; a default may not.
    may_change = ("learning_rate",) if config.learning_rate is not None else ()
    log: Log = (lambda line: None) if quiet else print_lines
    started = time.perf_counter()
    if pairs is None:
        pairs = load_run_data(config)
        warn(*pairs.task.warning_lines())
    workdir = Path(workdir) if workdir is not None else default_workdir(pairs.task.dataset, config.objective)
    if resume:
        config = with_settings_of(config, workdir)
    elif tower is None:
        config = with_tower_of_weights(config)
    config = resolve_config(config, pairs, tower)
    for line in [*pairs.lines(config), *_tower_lines(config, pairs)]:
        log(line)
    with locked_workdir(workdir):
        model, state = _train(workdir, config, tower, pairs, may_change if resume else None, quiet, log)
        finalize_run(model, config, pairs, state, workdir, command=command, log=log, pictures=pictures)
    log(f"Results are in {workdir} ({time.perf_counter() - started:.0f} s).")
    return model


def _tower_lines(config: ResolvedConfig, pairs: RunData) -> list[str]:
    lines = [] if config.precision == "float32" else [f"precision of the tower in training: {config.precision}"]
    if config.tower == CUSTOM or not TOWERS[config.tower].logs_parameters:
        return lines
    count = parameter_count(config.tower, pairs.task.train.image_format.shape, config.embedding_dim)
    return [f"tower {config.tower}: {count:,} parameters", *lines]


def _train(
    workdir: Path,
    config: ResolvedConfig,
    tower: keras.Model | None,
    pairs: RunData,
    resume_with: Collection[str] | None,
    quiet: bool,
    log: Log,
) -> tuple[SiameseModel, RunState]:
    """Trains and whitens the model of a resolved config.

    Args:
        workdir: folder of the run, locked by the caller.
        config: resolved config.
        tower: custom tower, or None.
        pairs: data of the run.
        resume_with: names of settings that may differ when resuming a run; None starts a new run.
        quiet: shows no progress.
        log: receives status lines.

    Returns:
        The model with the weights of its best epoch, and the state of the run.
    """
    run = run_identity(config, pairs)
    state = RunState(run) if resume_with is None else resumed_state(workdir, run, resume_with, log)
    state.environment = environment()
    # Building and whitening may fail, so they must come before an earlier run is replaced.
    trainer = build_trainer(config, pairs, tower, resumed=state.epochs_done > 0)
    model = trainer.ema_model
    closed_form = config.whiten and only_embedding_layer_trains(trainer.model.tower)
    if closed_form:
        model.set_weights(trainer.model.get_weights())
        _whiten(model, config, pairs, state, log)
    if state.epochs_done:
        restore(trainer, state, workdir)
    else:
        clear_workdir(workdir, log)
    with atomic_write(workdir / CONFIG, "w") as file:
        json.dump(config.to_dict(), file, indent=2)
    if not closed_form:
        fit_trainer(trainer, pairs, state, workdir, quiet)
        if config.whiten:
            _whiten(model, config, pairs, state, log)
    return model, state


def _whiten(model: SiameseModel, config: ResolvedConfig, pairs: RunData, state: RunState, log: Log) -> None:
    started = time.perf_counter()
    labels = known_labels(pairs, config)
    whiten(model, pairs.task.train.images, pairs.train_images, labels)
    state.whitening_seconds = time.perf_counter() - started
    known = labels[pairs.train_images][labels[pairs.train_images] >= 0]
    log(f"fitted the whitening layer to {len(known):,} images of {len(np.unique(known)):,} classes")
