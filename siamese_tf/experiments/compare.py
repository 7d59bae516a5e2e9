"""Comparison of objectives, trained with the same seeds, pairs, tower and budget."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from tensorflow import keras

from siamese_tf.config.data_config import IMAGE_FORMAT
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError, PairFileError
from siamese_tf.evaluation.comparison import compare_records
from siamese_tf.experiments.budget import budget, budget_lines, tower_parameters, with_one_budget
from siamese_tf.experiments.finished_run import finished_record
from siamese_tf.files import atomic_write
from siamese_tf.locks import locked_workdir
from siamese_tf.printable import print_lines, warn
from siamese_tf.training.checkpoint import contains_run
from siamese_tf.training.finalize import Log
from siamese_tf.training.record import last_part, without_folders
from siamese_tf.training.resume import PATH_SETTINGS, with_settings_of
from siamese_tf.training.run_data import RunData, load_run_data
from siamese_tf.training.train import train_and_evaluate
from siamese_tf.training.workdir import default_workdir

MAY_BE_PATHS = ("dataset", "start_from", *PATH_SETTINGS)
SHARED_SETTINGS = (
    "dataset",
    *PATH_SETTINGS,
    *IMAGE_FORMAT,
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
    pictures: bool = True,
    command: str = "compare_objectives",
    log: Log = print_lines,
) -> dict[str, Any]:
    """Trains every objective with the seeds 0, 1, ..., and compares their test accuracies.

    Finished runs in the folder are not repeated; unfinished ones are resumed. The global state of Keras is cleared
    after each run.

    Args:
        configs: one config per objective, with the same pairs and tower; their seeds are ignored, and their epochs are
            replaced so that all have about the same number of training images, see `with_one_budget`.
        seeds: number of seeds, at least 1.
        workdir: folder for the runs, in `<objective>/<seed>/`, and for `comparison.json` and `comparison.png`. None
            means `runs/<dataset>/compare`.
        pictures: writes the plots (PNG files) of the runs and of the comparison.
        command: command line that repeats the comparison, for the records.
        log: receives the budgets, and a line after each run.

    Returns:
        The contents of `comparison.json`: `dataset`, `command`, `seeds`, `pairs`, `tower_parameters`; `budgets` and
        `configs` by objective; and the result of `compare_records`.

    Raises:
        ConfigError: if the configs cannot be compared, or the folder contains a run with other settings or pairs.
        PairFileError: if there are no test pairs.
        SiameseError: see `train_and_evaluate`.
    """
    _check(configs, seeds)
    pairs = load_run_data(configs[0])
    if pairs.task.test is None:
        raise PairFileError(
            f"{pairs.task.train.path} must have test pairs for a comparison; it has none. Set --test-pairs"
        )
    workdir = Path(workdir) if workdir is not None else default_workdir(pairs.task.dataset, "compare")
    configs = [with_settings_of(config, workdir / config.objective / "0") for config in configs]
    configs = with_one_budget(configs, pairs)
    parameters = tower_parameters(configs[0], pairs)
    budgets = {config.objective: budget(config, pairs) for config in configs}
    warn(*pairs.task.warning_lines())
    for line in [*pairs.task.lines(), *budget_lines(configs[0].tower, parameters, budgets)]:
        log(line)
    with locked_workdir(workdir):
        records = _run_all(configs, seeds, pairs, workdir, pictures, command, log)
        comparison = {
            "dataset": pairs.task.dataset,
            "command": without_folders(command),
            "seeds": list(range(seeds)),
            "pairs": records[configs[0].objective][0]["pairs"],
            "tower_parameters": parameters,
            "budgets": {name: asdict(one) for name, one in budgets.items()},
            "configs": {config.objective: _shareable_settings(config) for config in configs},
            **compare_records(records),
        }
        with atomic_write(workdir / "comparison.json", "w") as file:
            json.dump(comparison, file, indent=2)
        if pictures:
            _save_plot(comparison, workdir)
        return comparison


def _save_plot(comparison: dict[str, Any], workdir: Path) -> None:
    from siamese_tf.evaluation.plots.comparison import save_comparison_plot  # loads matplotlib

    title = f"{comparison['dataset']}: objectives compared"
    save_comparison_plot(comparison, workdir / "comparison.png", title=title)


def _shareable_settings(config: TrainConfig) -> dict[str, Any]:
    """Returns the settings with each path shortened to its last part, since folders may name people or clients."""
    settings = config.to_dict()
    shortened = {name: last_part(settings[name]) for name in MAY_BE_PATHS if settings[name] is not None}
    return {**settings, **shortened}


def _check(configs: Sequence[TrainConfig], seeds: int) -> None:
    names = [config.objective for config in configs]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"objectives must be one or more distinct names; got {', '.join(names) or 'none'}")
    if seeds < 1:
        raise ConfigError(f"seeds must be at least 1; got {seeds}")
    for name in SHARED_SETTINGS:
        values = {config.objective: getattr(config, name) for config in configs}
        if len(set(values.values())) > 1:
            raise ConfigError(f"{name} must be the same for all objectives, which share pairs and tower; got {values}")


def _run_all(
    configs: Sequence[TrainConfig], seeds: int, pairs: RunData, workdir: Path, pictures: bool, command: str, log: Log
) -> dict[str, list[dict[str, Any]]]:
    """Trains the missing runs, one seed after another; returns the records by objective, in the order of the seeds."""
    runs = [replace(config, seed=seed) for seed in range(seeds) for config in configs]
    folders = [workdir / config.objective / str(config.seed) for config in runs]
    finished = [finished_record(config, pairs, folder) for config, folder in zip(runs, folders, strict=True)]
    records: dict[str, list[dict[str, Any]]] = {config.objective: [] for config in configs}
    to_train, trained, started = finished.count(None), 0, time.perf_counter()
    if to_train:
        log(f"{to_train} of {len(runs)} runs to train; the remaining time is shown after the first of them")
    for number, (config, folder, record) in enumerate(zip(runs, folders, finished, strict=True), 1):
        status = "already finished"
        if record is None:
            record = _train(config, pairs, folder, pictures, command)
            trained += 1
            elapsed = time.perf_counter() - started
            status = f"{_clock(elapsed)} elapsed, {_clock(elapsed / trained * (to_train - trained))} left"
        if epoch := record["training"].get("stopped_at_nan"):
            status = f"stopped at NaN in epoch {epoch}; {status}"
        records[config.objective].append(record)
        accuracy = record["accuracy"]["test"]
        log(f"[{number}/{len(runs)}] {config.objective}, seed {config.seed}: test {accuracy:.4f} ({status})")
    return records


def _train(config: TrainConfig, pairs: RunData, folder: Path, pictures: bool, command: str) -> dict[str, Any]:
    resume = contains_run(folder)
    model = train_and_evaluate(
        config, folder, pairs=pairs, resume=resume, quiet=True, pictures=pictures, command=command
    )
    keras.backend.clear_session()
    return model.record


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
