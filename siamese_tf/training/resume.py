"""Going on with a run from its checkpoint."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from siamese_tf.errors import ConfigError
from siamese_tf.printable import warn
from siamese_tf.training.checkpoint import CHECKPOINT, RunState, check_config, check_resumable, load_checkpoint
from siamese_tf.training.environment import environment, environment_changes
from siamese_tf.training.trainer import Trainer


def resumed_state(
    workdir: Path, run: dict[str, Any], may_change: Collection[str], log: Callable[[str], None]
) -> RunState:
    """Reads the state of the run in a folder, and reports what is not as it was.

    Args:
        workdir: the folder of the run.
        run: what is asked for now, as in `RunState.run`.
        may_change: settings that may differ; the state gets those of `run`.
        log: gets where the run goes on, and with which learning rate if that is another.

    Returns:
        The state; a new one where no epoch was finished.

    Raises:
        ConfigError: no run was begun in the folder, or see `load_checkpoint`.
    """
    check_resumable(workdir)
    state = load_checkpoint(workdir, run, may_change)
    if state is None:
        check_config(workdir, run, may_change)
        log(f"There is no checkpoint of the run in {workdir}: it begins anew.")
        return RunState(run)
    log(f"Resuming after epoch {state.epochs_done} of {run['epochs']}.")
    before, rate = state.run["learning_rate"], run["learning_rate"]
    if rate != before:
        log(f"The learning rate is {rate:g} from epoch {state.epochs_done + 1} on; it was {before:g}.")
        state.learning_rates = [*(state.learning_rates or [[1, before]]), [state.epochs_done + 1, rate]]
    if changes := environment_changes(state.environment, environment()):
        warn(f"{', '.join(changes)}: the weights will not be bit for bit those of a run without a break")
    state.run = run
    return state


def restore(trainer: Trainer, state: RunState, workdir: Path) -> None:
    """Sets the variables of a trainer and of its optimizer to those of a state.

    Raises:
        ConfigError: their shapes differ.
    """
    _assign(trainer.state, state.variables, workdir)
    _assign(trainer.optimizer.variables, state.optimizer, workdir)
    if trainer.config.schedule in ("constant", "plateau"):  # among the variables may be another learning rate
        trainer.optimizer.learning_rate = trainer.config.learning_rate


def _assign(variables: list[tf.Variable], values: list[np.ndarray], workdir: Path) -> None:
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise ConfigError(
            f"{workdir / CHECKPOINT} holds weights of other shapes than this tower has. Resume with a tower like the"
            " one it was trained with, or train anew without --resume"
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(tf.cast(value, variable.dtype))  # a bfloat16 variable is stored as float32
