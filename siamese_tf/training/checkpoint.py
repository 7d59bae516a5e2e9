"""The state of a run after an epoch: enough to go on as if it had never stopped."""

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from siamese_tf.errors import ConfigError
from siamese_tf.files import atomic_write

CHECKPOINT = "checkpoint.npz"
GROUPS = ("variables", "optimizer", "best")


@dataclass
class RunState:
    """What a run is made of between two epochs.

    Attributes:
        run: the config and the SHA-256 of the pair files; a run goes on only with the same.
        history: a row per finished epoch: `epoch` (from 1), `loss`, `validation_accuracy`, `learning_rate`, `seconds`.
        best_epoch: the epoch with the highest validation accuracy so far, the first of equals; 0 before the first.
        variables, optimizer, best: the arrays of the model, of its optimiser, and of the model after `best_epoch`.
    """

    run: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    variables: list[np.ndarray] = field(default_factory=list)
    optimizer: list[np.ndarray] = field(default_factory=list)
    best: list[np.ndarray] = field(default_factory=list)

    @property
    def epochs_done(self) -> int:
        return len(self.history)


def save_checkpoint(state: RunState, workdir: Path) -> None:
    """Writes the state to `workdir/checkpoint.npz`, whole or not at all."""
    facts = {"run": state.run, "history": state.history, "best_epoch": state.best_epoch}
    arrays = {f"{group}.{number}": array for group in GROUPS for number, array in enumerate(getattr(state, group))}
    with atomic_write(workdir / CHECKPOINT) as file:
        np.savez(file, facts=np.array(json.dumps(facts)), **arrays)


def load_checkpoint(workdir: Path, run: dict[str, Any]) -> RunState | None:
    """Reads the state of a run to go on with.

    Args:
        workdir: the folder of the run.
        run: what is asked for now, as in `RunState.run`.

    Returns:
        The state; None where the run had not finished an epoch.

    Raises:
        ConfigError: the file is damaged, or belongs to a run with other settings or pairs.
    """
    path = workdir / CHECKPOINT
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            groups: dict[str, Any] = {
                group: [
                    file[f"{group}.{number}"] for number in range(sum(name.startswith(f"{group}.") for name in file))
                ]
                for group in GROUPS
            }
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path} cannot be read: {error}. Remove it, and train without --resume") from error
    if facts["run"] != json.loads(json.dumps(run)):
        raise ConfigError(
            f"{path} is of another run: {_differences(facts['run'], run)}. Resume it with its own settings"
        )
    return RunState(**facts, **groups)


def _differences(before: dict[str, Any], now: dict[str, Any]) -> str:
    keys = sorted(key for key in before | now if before.get(key) != now.get(key))
    return ", ".join(f"{key} was {before.get(key)!r} and is now {now.get(key)!r}" for key in keys)
