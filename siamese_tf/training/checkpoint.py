"""The state of a run after an epoch: enough to go on as if it had never stopped."""

import hashlib
import json
import warnings
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.npz import write_npz
from siamese_tf.errors import ConfigError
from siamese_tf.files import open_regular
from siamese_tf.printable import short_reason

CHECKPOINT = "checkpoint.npz"
CONFIG = "config.json"
GROUPS = ("variables", "optimizer", "best")
FACTS, DIGEST = "facts", "sha256"


@dataclass
class RunState:
    """What a run is made of between two epochs.

    Attributes:
        run: the settings and the SHA-256 of the pair files; a run goes on only with the same.
        history: a row per finished epoch: `epoch` (from 1), `loss` and what else the objective measures,
            `validation_accuracy`, `learning_rate`, `seconds`.
        best_epoch: the epoch with the highest validation accuracy so far, the first of equals; 0 before the first.
        environment: of the last epoch, see `environment`; empty in checkpoints of the first versions.
        learning_rates: [epoch, rate] for each rate asked for, from that epoch on; empty where it never changed.
        whitening_seconds: that it took to whiten, after the last epoch.
        variables, optimizer, best: the arrays of the model, of its optimiser, and of the model after `best_epoch`.
    """

    run: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    environment: dict[str, Any] = field(default_factory=dict)
    learning_rates: list[list[float]] = field(default_factory=list)
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
    """Writes the state to `workdir/checkpoint.npz`, whole or not at all, with a SHA-256 over all that it holds."""
    facts = {
        "run": state.run,
        "history": state.history,
        "best_epoch": state.best_epoch,
        "environment": state.environment,
        **({"learning_rates": state.learning_rates} if state.learning_rates else {}),
        "arrays": {group: len(getattr(state, group)) for group in GROUPS},
    }
    arrays = {f"{group}.{number}": array for group in GROUPS for number, array in enumerate(getattr(state, group))}
    facts[DIGEST] = _digest(facts, arrays)
    write_npz(workdir / CHECKPOINT, {FACTS: np.array(json.dumps(facts)), **arrays})


def load_checkpoint(workdir: Path, run: dict[str, Any], may_change: Collection[str] = ()) -> RunState | None:
    """Reads the state of a run to go on with.

    Args:
        workdir: the folder of the run.
        run: what is asked for now, as in `RunState.run`.
        may_change: settings that an unfinished run may go on with although they differ.

    Returns:
        The state, its `run` as it was; None where the run had not finished an epoch.

    Raises:
        ConfigError: the file is damaged, or belongs to a run with other settings or pairs.
    """
    path = workdir / CHECKPOINT
    if not path.exists():
        return None
    try:
        with open_regular(path) as stream, warnings.catch_warnings():
            warnings.simplefilter("error")  # what NumPy finds odd about a header is damage
            state = _read(stream)
    except Exception as error:  # zipfile and NumPy's header parser raise a dozen kinds on damaged bytes
        raise ConfigError(f"{path} cannot be read: {short_reason(error)}. Train without --resume") from error
    now = json.loads(json.dumps(run))
    finished = state.epochs_done >= now.get("epochs", 0)
    allowed = () if finished else may_change
    if changed := [name for name in state.run | now if state.run.get(name) != now.get(name) and name not in allowed]:
        late = [name for name in changed if name in may_change]
        ended = f" The run is finished, so {', '.join(late)} can no longer change." if late else ""
        raise ConfigError(
            f"{path} is of another run: {_differences(state.run, now, changed)}.{ended}"
            " Resume it with its own settings, or train anew without --resume"
        )
    return state


def check_config(workdir: Path, run: dict[str, Any], may_change: Collection[str] = ()) -> None:
    """Refuses to go on with a run that has no checkpoint yet, where its `config.json` has other settings.

    Args:
        workdir, run, may_change: as for `load_checkpoint`.

    Raises:
        ConfigError: the settings differ, or the file cannot be read.
    """
    path = workdir / CONFIG
    before, now = TrainConfig.load(path).to_dict(), json.loads(json.dumps(run))
    shared = before.keys() & now.keys() - {*may_change}
    if changed := [name for name in shared if before[name] != now[name]]:
        raise ConfigError(
            f"{path} is of another run: {_differences(before, now, changed)}."
            " Resume it with its own settings, or train anew without --resume"
        )


def check_resumable(workdir: Path, folds: int | None = None) -> None:
    """Refuses to resume where no run was begun, before anything is opened or made.

    Args:
        workdir: the folder of a run, or of the folds of one.
        folds: how many these are.

    Raises:
        ConfigError: there is nothing to resume.
    """
    folders = [workdir] if folds is None else [workdir / f"fold-{number}" for number in range(folds)]
    if not any(is_begun(folder) for folder in folders):
        raise ConfigError(
            f"nothing to resume in {workdir}: no run was begun there. Check --workdir, or train anew without --resume"
        )


def is_begun(workdir: Path) -> bool:
    """Whether a folder holds a run, finished, or stopped in its first epoch, or after."""
    return (workdir / CHECKPOINT).exists() or (workdir / CONFIG).exists()


def _read(stream: IO[bytes]) -> RunState:
    with zipfile.ZipFile(stream) as archive:
        names = archive.namelist()
        stored = {name.removesuffix(".npy"): _read_array(archive, name) for name in names}
    if len(stored) < len(names):
        raise ValueError("two arrays have one name")
    facts = json.loads(str(stored.pop(FACTS)[()]))
    digest = facts.pop(DIGEST, None)
    if digest is not None and digest != _digest(facts, stored):  # the first versions wrote none
        raise ValueError("its SHA-256 is not that of what it holds")
    counts = facts.pop("arrays")
    expected = {f"{group}.{number}" for group in GROUPS for number in range(counts[group])}
    if set(stored) != expected:
        raise ValueError(f"it holds {len(stored)} arrays, not the {len(expected)} that it lists")
    groups: dict[str, Any] = {
        group: [stored[f"{group}.{number}"] for number in range(counts[group])] for group in GROUPS
    }
    return RunState(**facts, **groups)


def _read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _digest(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name].astype(arrays[name].dtype.newbyteorder("<"), order="C", copy=False)  # as it is stored
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()


def _differences(before: dict[str, Any], now: dict[str, Any], names: Collection[str]) -> str:
    if all(name.endswith("_sha256") for name in names):
        return "its pairs are others (of other images, folds or seeds, or made by another release)"
    return ", ".join(f"{name} was {before.get(name)!r} and is now {now.get(name)!r}" for name in sorted(names))
