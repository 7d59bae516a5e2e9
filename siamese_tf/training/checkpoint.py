"""The state of a run after an epoch: enough to go on as if it had never stopped."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from siamese_tf.data.npz import write_npz
from siamese_tf.errors import ConfigError

CHECKPOINT = "checkpoint.npz"
GROUPS = ("variables", "optimizer", "best")


@dataclass
class RunState:
    """What a run is made of between two epochs.

    Attributes:
        run: the settings and the SHA-256 of the pair files; a run goes on only with the same.
        history: a row per finished epoch: `epoch` (from 1), `loss` and what else the objective measures,
            `validation_accuracy`, `learning_rate`, `seconds`.
        best_epoch: the epoch with the highest validation accuracy so far, the first of equals; 0 before the first.
        whitening_seconds: that it took to whiten, after the last epoch.
        variables, optimizer, best: the arrays of the model, of its optimiser, and of the model after `best_epoch`.
    """

    run: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    whitening_seconds: float = 0.0
    variables: list[np.ndarray] = field(default_factory=list)
    optimizer: list[np.ndarray] = field(default_factory=list)
    best: list[np.ndarray] = field(default_factory=list)

    @property
    def epochs_done(self) -> int:
        return len(self.history)

    @property
    def seconds(self) -> float:
        """That the training took."""
        return sum(row["seconds"] for row in self.history) + self.whitening_seconds


def save_checkpoint(state: RunState, workdir: Path) -> None:
    """Writes the state to `workdir/checkpoint.npz`, whole or not at all."""
    counts = {group: len(getattr(state, group)) for group in GROUPS}
    facts = {"run": state.run, "history": state.history, "best_epoch": state.best_epoch, "arrays": counts}
    arrays = {f"{group}.{number}": array for group in GROUPS for number, array in enumerate(getattr(state, group))}
    write_npz(workdir / CHECKPOINT, {"facts": np.array(json.dumps(facts)), **arrays})


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
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            counts = facts.pop("arrays")
            groups: dict[str, Any] = {
                group: [file[f"{group}.{number}"] for number in range(counts[group])] for group in GROUPS
            }
        state = RunState(**facts, **groups)
    except Exception as error:  # zipfile and NumPy's header parser raise a dozen kinds on damaged bytes
        raise ConfigError(f"{path} cannot be read: {error}. Train without --resume") from error
    if state.run != json.loads(json.dumps(run)):
        raise ConfigError(
            f"{path} is of another run: {_differences(state.run, run)}."
            " Resume it with its own settings, or train anew without --resume"
        )
    return state


def _differences(before: dict[str, Any], now: dict[str, Any]) -> str:
    keys = sorted(key for key in before | now if before.get(key) != now.get(key))
    return ", ".join(f"{key} was {before.get(key)!r} and is now {now.get(key)!r}" for key in keys)
