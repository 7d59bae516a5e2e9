"""Checkpoint of a run: everything needed to resume it with the same result as without an interruption."""

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
HINT = "Resume with the original settings, or start a new run without --resume"


@dataclass
class RunState:
    """State of a run between two epochs.

    Attributes:
        run: settings and SHA-256 of the pair files, which must be equal to resume the run.
        history: one row per finished epoch: `epoch` (from 1), `loss` and the other metrics of the objective,
            `validation_accuracy` (None if the epoch was not validated), `learning_rate`, `seconds`.
        best_epoch: first epoch with the highest validation accuracy so far; 0 before the first epoch.
        environment: result of `environment` in the last epoch; empty in checkpoints of early versions.
        learning_rates: [epoch, rate] pairs, each rate applying from that epoch; empty if it never changed.
        whitening_seconds: duration of whitening, after the last epoch.
        variables, optimizer, best: arrays of the trainer, of its optimizer, and of the model after `best_epoch`.
    """

    run: dict[str, Any]
    history: list[dict[str, Any]] = field(default_factory=list)
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
        """Duration of training and whitening."""
        return sum(row["seconds"] for row in self.history) + self.whitening_seconds


def save_checkpoint(state: RunState, workdir: Path) -> None:
    """Writes the state to `workdir/checkpoint.npz`, atomically and with a SHA-256 of its contents."""
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
    """Loads the state of a run to resume.

    Args:
        workdir: folder of the run.
        run: current settings and hashes, as in `RunState.run`.
        may_change: names of settings that may differ if the run is unfinished.

    Returns:
        The state, with `run` as saved; None if the run has not finished an epoch.

    Raises:
        ConfigError: if the file is damaged, or belongs to a run with other settings or pairs.
    """
    path = workdir / CHECKPOINT
    if not path.exists():
        return None
    try:
        with open_regular(path) as stream, warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy only warns about some damaged headers
            state = _read(stream)
    except Exception as error:  # zipfile and NumPy raise many exception types on damaged files
        raise ConfigError(f"{path} cannot be read: {short_reason(error)}. Train without --resume") from error
    now = json.loads(json.dumps(run))
    finished = state.epochs_done >= now.get("epochs", 0)
    allowed = () if finished else may_change
    if changed := [name for name in state.run | now if state.run.get(name) != now.get(name) and name not in allowed]:
        late = [name for name in changed if name in may_change]
        ended = f" The run is finished, so {', '.join(late)} can no longer change." if late else ""
        raise ConfigError(f"{path} belongs to another run: {_differences(state.run, now, changed)}.{ended} {HINT}")
    return state


def check_config(workdir: Path, run: dict[str, Any], may_change: Collection[str] = ()) -> None:
    """Checks that the `config.json` of a run without a checkpoint has the current settings.

    Args:
        workdir, run, may_change: see `load_checkpoint`.

    Raises:
        ConfigError: if the settings differ, or the file cannot be read.
    """
    path = workdir / CONFIG
    before, now = TrainConfig.load(path).to_dict(), json.loads(json.dumps(run))
    shared = before.keys() & now.keys() - {*may_change}
    if changed := [name for name in shared if before[name] != now[name]]:
        raise ConfigError(f"{path} belongs to another run: {_differences(before, now, changed)}. {HINT}")


def check_resumable(workdir: Path, folds: int | None = None) -> None:
    """Checks that there is a run to resume; reads no data and creates no files.

    Args:
        workdir: folder of a run, or of several folds.
        folds: number of folds; None for a single run.

    Raises:
        ConfigError: if there is nothing to resume.
    """
    folders = [workdir] if folds is None else [workdir / f"fold-{number}" for number in range(folds)]
    if not any(contains_run(folder) for folder in folders):
        raise ConfigError(
            f"nothing to resume in {workdir}: it contains no run. Check --workdir, or start a new run without --resume"
        )


def contains_run(workdir: Path) -> bool:
    """Returns True if the folder contains a run, finished or not, even one stopped in its first epoch."""
    return (workdir / CHECKPOINT).exists() or (workdir / CONFIG).exists()


def _read(stream: IO[bytes]) -> RunState:
    with zipfile.ZipFile(stream) as archive:
        names = archive.namelist()
        stored = {name.removesuffix(".npy"): _read_array(archive, name) for name in names}
    if len(stored) < len(names):
        raise ValueError("two arrays have the same name")
    facts = json.loads(str(stored.pop(FACTS)[()]))
    digest = facts.pop(DIGEST, None)
    if digest is not None and digest != _digest(facts, stored):  # absent in checkpoints of early versions
        raise ValueError("its contents do not match its SHA-256")
    counts = facts.pop("arrays")
    expected = {f"{group}.{number}" for group in GROUPS for number in range(counts[group])}
    if set(stored) != expected:
        raise ValueError(f"it must contain the {len(expected)} arrays that it lists; got {len(stored)}")
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
        array = arrays[name].astype(arrays[name].dtype.newbyteorder("<"), order="C", copy=False)  # as stored
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()


def _differences(before: dict[str, Any], now: dict[str, Any], names: Collection[str]) -> str:
    if all(name.endswith("_sha256") for name in names):
        return "its pairs differ (other images, folds or seeds, or generated by another release)"
    return ", ".join(f"{name} was {before.get(name)!r} and is now {now.get(name)!r}" for name in sorted(names))
