"""Reader of the record of a finished run, which must have the same settings and pairs."""

import json
from pathlib import Path
from typing import Any

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError
from siamese_tf.evaluation.comparison import compare_records
from siamese_tf.training.checkpoint import CONFIG
from siamese_tf.training.resume import PATH_SETTINGS
from siamese_tf.training.run_data import RunData
from siamese_tf.training.workdir import RECORD


def finished_record(config: TrainConfig, pairs: RunData, folder: Path) -> dict[str, Any] | None:
    """Returns the record of the run in a folder, or None if it is missing or unfinished.

    Raises:
        ConfigError: if the run has other settings or pairs, or its record cannot be read.
    """
    if not (folder / CONFIG).exists():
        return None
    record = _read_record(folder / RECORD) if (folder / RECORD).exists() else None
    now = config.to_dict() | {"sha256": _sha256(pairs)}
    sha256 = record["pairs"]["sha256"] if record else _sha256(pairs)
    before = TrainConfig.load(folder / CONFIG).to_dict() | {"sha256": sha256}
    changed = [name for name in now if name not in PATH_SETTINGS and now[name] != before[name]]
    if changed:
        changes = ", ".join(f"{name} was {before[name]!r} and is now {now[name]!r}" for name in changed)
        raise ConfigError(f"{folder} contains another run: {changes}. Choose another --workdir, or remove that folder")
    return record


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        compare_records({"any": [record]})  # fails if a key is missing
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{path} is not the record of a finished run: {error!r}. Remove that folder") from error
    return record


def _sha256(pairs: RunData) -> dict[str, str | None]:
    task = pairs.task
    return {"train": task.train.sha256, "test": task.test.sha256 if task.test is not None else None}
