"""Objectives side by side: each trained with the same seeds, on the same pairs, with the same tower and budget."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError, PairFileError
from siamese_tf.evaluation.comparison import compare_records
from siamese_tf.evaluation.plots.comparison import save_comparison_plot
from siamese_tf.experiments.budget import budget, budget_lines, tower_parameters, with_one_budget
from siamese_tf.files import atomic_write
from siamese_tf.locks import locked_workdir
from siamese_tf.printable import print_lines, warn
from siamese_tf.training.checkpoint import is_begun
from siamese_tf.training.finalize import Log
from siamese_tf.training.record import last_part, without_folders
from siamese_tf.training.run_data import RunData, load_run_data
from siamese_tf.training.train import PATHS, train_and_evaluate
from siamese_tf.training.workdir import default_workdir

NAME_PATHS = ("dataset", "start_from", *PATHS)
SHARED = (
    "dataset",
    *PATHS,
    "image_size",
    "color",
    "resize",
    "one_vs_rest",
    "rest_is_a_class",
    "tower",
    "embedding_dim",
)


def compare_objectives(
    configs: Sequence[TrainConfig],
    seeds: int = 5,
    workdir: str | Path | None = None,
    *,
    command: str = "compare_objectives",
    log: Log = print_lines,
) -> dict[str, Any]:
    """Trains every objective with the seeds 0, 1, ..., and compares their test accuracies.

    A finished run that stands in the folder is read and not trained again, an unfinished one goes on. Each run is the
    matter of `train_and_evaluate`; Keras' global state is cleared after it.

    Args:
        configs: one an objective, of the same pairs and tower; their seeds are not looked at. All get as many images
            through the tower as the first one on listed pairs, see `with_one_budget`.
        seeds: how many, at least 1.
        workdir: gets `<objective>/<seed>/` with a run each, `comparison.json` and `comparison.png`; None means
            `runs/<dataset>/compare`.
        command: what to type to do this again, for the records.
        log: gets the budgets, and a line after each run.

    Returns:
        What stands in `comparison.json`: `dataset`, `command`, `seeds`, `pairs`, `tower_parameters`; by objective,
        `budgets` and `configs`; and what `compare_records` gives.

    Raises:
        ConfigError: configs that cannot be compared, or a folder that holds a run with other settings or pairs.
        SiameseError: see `train_and_evaluate`.
    """
    _check(configs, seeds)
    pairs = load_run_data(configs[0])
    if pairs.task.test is None:
        raise PairFileError(f"{pairs.task.train.path} has no test pairs to compare on. Name a file with --test-pairs")
    configs = with_one_budget(configs, pairs)
    parameters = tower_parameters(configs[0], pairs)
    budgets = {config.objective: budget(config, pairs) for config in configs}
    warn(*pairs.task.warning_lines())
    for line in [*pairs.task.lines(), *budget_lines(configs[0].tower, parameters, budgets)]:
        log(line)
    workdir = Path(workdir) if workdir is not None else default_workdir(pairs.task.dataset, "compare")
    with locked_workdir(workdir):
        records = _run_all(configs, seeds, pairs, workdir, command, log)
        comparison = {
            "dataset": pairs.task.dataset,
            "command": without_folders(command),
            "seeds": list(range(seeds)),
            "pairs": records[configs[0].objective][0]["pairs"],
            "tower_parameters": parameters,
            "budgets": {name: asdict(one) for name, one in budgets.items()},
            "configs": {config.objective: _settings(config) for config in configs},
            **compare_records(records),
        }
        with atomic_write(workdir / "comparison.json", "w") as file:
            json.dump(comparison, file, indent=2)
        save_comparison_plot(comparison, workdir / "comparison.png", title=f"{pairs.task.dataset}: objectives compared")
        return comparison


def _settings(config: TrainConfig) -> dict[str, Any]:
    """Returns the settings for the report: of paths, which differ by machine and may name a client, the last part."""
    settings = config.to_dict()
    paths = {name: last_part(settings[name]) for name in NAME_PATHS if settings[name] is not None}
    return {**settings, **paths}


def _check(configs: Sequence[TrainConfig], seeds: int) -> None:
    names = [config.objective for config in configs]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"a comparison is of different objectives, at least one; got {', '.join(names) or 'none'}")
    if seeds < 1:
        raise ConfigError(f"seeds must be 1 or more; got {seeds}")
    for name in SHARED:
        values = {config.objective: getattr(config, name) for config in configs}
        if len(set(values.values())) > 1:
            raise ConfigError(f"objectives are compared on the same pairs with the same tower; {name} is {values}")


def _run_all(
    configs: Sequence[TrainConfig], seeds: int, pairs: RunData, workdir: Path, command: str, log: Log
) -> dict[str, list[dict[str, Any]]]:
    """By objective, the record of each seed; the first seed of all objectives comes first."""
    runs = [(config.objective, replace(config, seed=seed)) for seed in range(seeds) for config in configs]
    folders = [workdir / name / str(config.seed) for name, config in runs]
    found = [_finished(config, pairs, folder) for (_, config), folder in zip(runs, folders, strict=True)]
    records: dict[str, list[dict[str, Any]]] = {config.objective: [] for config in configs}
    to_train, trained, began = found.count(None), 0, time.perf_counter()
    if to_train:
        log(f"{to_train} of {len(runs)} runs to train; how long that takes is told after the first of them")
    for number, ((name, config), folder, record) in enumerate(zip(runs, folders, found, strict=True), 1):
        how = "read, not trained again"
        if record is None:
            record = _train(config, pairs, folder, command)
            trained += 1
            spent = time.perf_counter() - began
            how = f"{_clock(spent)} so far, {_clock(spent / trained * (to_train - trained))} left"
        if early := record["training"].get("stopped_at_nan"):
            how = f"stopped at NaN in epoch {early}; {how}"
        records[name].append(record)
        log(f"[{number}/{len(runs)}] {name}, seed {config.seed}: test {record['accuracy']['test']:.4f} ({how})")
    return records


def _train(config: TrainConfig, pairs: RunData, folder: Path, command: str) -> dict[str, Any]:
    resume = is_begun(folder)
    record = train_and_evaluate(config, folder, pairs=pairs, resume=resume, quiet=True, command=command).record
    keras.backend.clear_session()
    return record


def _finished(config: TrainConfig, pairs: RunData, folder: Path) -> dict[str, Any] | None:
    """The record of the run in a folder, if it has finished; what it was trained for must be what is asked for now."""
    settings, result = folder / "config.json", folder / "record.json"
    if not settings.exists():
        return None
    record = _read_record(result) if result.exists() else None
    now = config.to_dict() | {"sha256": _sha256(pairs)}
    before = TrainConfig.load(settings).to_dict() | {"sha256": record["pairs"]["sha256"] if record else _sha256(pairs)}
    changed = [name for name in now if name not in PATHS and now[name] != before[name]]
    if changed:
        said = ", ".join(f"{name} was {before[name]!r} and is now {now[name]!r}" for name in changed)
        raise ConfigError(f"{folder} holds another run: {said}. Name another --workdir, or remove that folder")
    return record


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        compare_records({"it": [record]})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{path} is not the record of a finished run: {error!r}. Remove that folder") from error
    return record


def _sha256(pairs: RunData) -> dict[str, str | None]:
    task = pairs.task
    return {"train": task.train.sha256, "test": task.test.sha256 if task.test is not None else None}


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
