"""Resumption of a run from its checkpoint."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from siamese_tf.config.settings import AUTO
from siamese_tf.config.train_config import FORMER_DEFAULTS, TrainConfig
from siamese_tf.errors import ConfigError
from siamese_tf.printable import warn
from siamese_tf.training.checkpoint import CHECKPOINT, CONFIG, RunState, check_config, check_resumable, load_checkpoint
from siamese_tf.training.environment import environment, environment_changes
from siamese_tf.training.run_data import RunData
from siamese_tf.training.trainer import Trainer

PATH_SETTINGS = ("data_dir", "pairs", "test_pairs", "images")  # may differ, since the same data can be moved


def run_identity(config: TrainConfig, pairs: RunData) -> dict[str, Any]:
    """Returns the values that must match to resume a run: resolved settings except paths, and SHA-256 of the pairs."""
    original = pairs.original
    settings = {name: value for name, value in config.to_dict().items() if name not in PATH_SETTINGS}
    hashes = {"train_sha256": original.train.sha256, "test_sha256": original.test and original.test.sha256}
    return settings | hashes


def with_settings_of(config: TrainConfig, workdir: Path) -> TrainConfig:
    """Returns a config whose automatic settings are those of the run in a folder, if there is one.

    So a run can be continued on another processor, and one of an earlier release, which trained in float32, in whole
    passes over the data, and with FORMER_DEFAULTS.

    Raises:
        ConfigError: if the `config.json` in the folder cannot be read.
    """
    if not (workdir / CONFIG).exists():
        return config
    before = TrainConfig.load(workdir / CONFIG)
    if config.precision == AUTO:
        config = replace(config, precision=before.precision)
    defaults = TrainConfig.defaults()
    for name, former in FORMER_DEFAULTS.items():
        if getattr(config, name) == defaults[name] and getattr(before, name) == former:
            config = replace(config, **{name: former})
    if config.epochs is None and config.images_shown == before.images_shown:
        config = replace(config, epochs=before.epochs, steps_per_epoch=config.steps_per_epoch or before.steps_per_epoch)
    return config


def resumed_state(
    workdir: Path, run: dict[str, Any], may_change: Collection[str], log: Callable[[str], None]
) -> RunState:
    """Loads the state of the run in a folder, and reports changes of the learning rate and of the environment.

    Args:
        workdir: folder of the run.
        run: result of `run_identity` for the current settings.
        may_change: names of settings that may differ; the state gets their values from `run`.
        log: receives the epoch to resume from, and a changed learning rate.

    Returns:
        The state; a new one if no epoch was finished.

    Raises:
        ConfigError: if the folder contains no run; or see `load_checkpoint`.
    """
    check_resumable(workdir)
    state = load_checkpoint(workdir, run, may_change)
    if state is None:
        check_config(workdir, run, may_change)
        log(f"No checkpoint of the run in {workdir} yet: starting from the first epoch.")
        return RunState(run)
    log(f"Resuming after epoch {state.epochs_done} of {run['epochs']}.")
    before, rate = state.run["learning_rate"], run["learning_rate"]
    if rate != before:
        log(f"The learning rate is {rate:g} from epoch {state.epochs_done + 1} on; it was {before:g}.")
        state.learning_rates = [*(state.learning_rates or [[1, before]]), [state.epochs_done + 1, rate]]
    if changes := environment_changes(state.environment, environment()):
        warn(f"{', '.join(changes)}; the weights will differ slightly from those of an uninterrupted run")
    state.run = run
    return state


def restore(trainer: Trainer, state: RunState, workdir: Path) -> None:
    """Sets the variables of a trainer and its optimizer to those of a state.

    Raises:
        ConfigError: if their shapes differ.
    """
    _assign(trainer.state, state.variables, workdir)
    _assign(trainer.optimizer.variables, state.optimizer, workdir)
    if trainer.config.schedule in ("constant", "plateau"):  # the variables include the rate of the last epoch
        trainer.optimizer.learning_rate = trainer.config.learning_rate


def _assign(variables: list[tf.Variable], values: list[np.ndarray], workdir: Path) -> None:
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise ConfigError(
            f"{workdir / CHECKPOINT} must have weights with the shapes of this tower; they differ. Resume with the"
            " original tower, or start a new run without --resume"
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(tf.cast(value, variable.dtype))  # a bfloat16 variable is stored as float32
