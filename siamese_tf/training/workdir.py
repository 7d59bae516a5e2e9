"""Folder of a run: its default path, the names of its files, and the removal of an earlier run."""

import shutil
from collections.abc import Callable
from pathlib import Path

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.training.checkpoint import CHECKPOINT

MODEL_FILE = "siamese.keras"
RECORD = "record.json"
HISTORY = "history.csv"
ACCURACY = "accuracy.png"
LOGS = "logs"


def default_workdir(dataset: str, run: str) -> Path:
    """Returns `runs/<dataset>/<run>`.

    Args:
        dataset: name of the data set, such as "mnist" or the name of an image folder.
        run: name of an objective, or of a set of runs, such as "compare".
    """
    return Path("runs") / dataset / run


def expected_workdir(config: TrainConfig, run: str) -> Path | None:
    """Returns the default folder of a run without loading its data, or None if the name depends on the data."""
    if config.dataset == "auto" or config.pairs is not None or config.one_vs_rest is not None:
        return None
    return default_workdir(Path(config.dataset).resolve().name, run)


def clear_workdir(workdir: Path, log: Callable[[str], None]) -> None:
    """Removes the files of an earlier run that a new run might not overwrite, and logs that it is replaced.

    Does nothing if the folder contains no run.
    """
    if (workdir / CHECKPOINT).exists():
        log(f"Replacing the run in {workdir} (--resume would have continued it).")
        shutil.rmtree(workdir / LOGS, ignore_errors=True)
    elif (workdir / RECORD).exists():
        log(f"Replacing the run in {workdir}.")
    else:
        return
    for name in (CHECKPOINT, RECORD, HISTORY, ACCURACY):
        (workdir / name).unlink(missing_ok=True)
