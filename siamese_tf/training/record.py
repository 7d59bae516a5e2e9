"""Record of a run, `record.json`: its settings, data and results as plain values."""

import os
import re
import shlex
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import OBJECTIVES
from siamese_tf.config.resolved_config import ResolvedConfig
from siamese_tf.data.pairs.pair_file import PARTS
from siamese_tf.training.checkpoint import RunState
from siamese_tf.training.run_data import RunData
from siamese_tf.version import __version__

SCHEMA = 1
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "pillow")
METRICS = ("auc", "eer", "f1", "tar_at_far", "confusion")
OF_GROUPS = ("groups",)  # of pairs with groups only


def build_record(
    config: ResolvedConfig,
    pairs: RunData,
    state: RunState,
    threshold: float,
    reports: Mapping[str, Mapping[str, Any]],
    command: str,
) -> dict[str, Any]:
    """Builds the record of a finished run.

    Args:
        config: resolved config.
        pairs: data of the run.
        state: state of the finished run.
        threshold: threshold of the model.
        reports: results of `split_report` by name of the split.
        command: command line that repeats the run; recorded `without_folders`.

    Returns:
        Plain values. The triplet objective adds `triplet` (mining and batches). Optional entries of `training` are
        `whitened`, if the model was whitened; `learning_rates`, if the run was resumed with another learning rate, see
        `RunState`; and `stopped_at_nan`, the epoch in which the loss became NaN, if it was not the first.
    """
    return {
        "schema": SCHEMA,
        "dataset": pairs.task.dataset,
        "objective": config.objective,
        "tower": config.tower,
        "seed": config.seed,
        "command": without_folders(command),
        "versions": _versions(config),
        "pairs": _pairs(pairs, reports),
        "training": {
            "epochs": state.epochs_done,
            "best_epoch": state.best_epoch,
            "seconds": round(state.seconds, 1),
            "precision": config.precision,
            **({"learning_rates": state.learning_rates} if state.learning_rates else {}),
            **({"whitened": True} if config.whiten else {}),
            **({"stopped_at_nan": state.epochs_done + 1} if 0 < state.epochs_done < config.epochs else {}),
        },
        **_objective_entries(config, pairs),
        "threshold": {"value": threshold, "chosen_on": PARTS[pairs.calibration_split]},
        "accuracy": {
            **{name: reports[name]["accuracy"] if name in reports else None for name in PARTS},
            "test_ci95": reports["test"]["ci95"] if "test" in reports else None,
        },
        "metrics": {
            name: {key: report[key] for key in (*METRICS, *OF_GROUPS) if key in report}
            for name, report in reports.items()
        },
    }


def without_folders(command: str) -> str:
    """Shortens each path in a command line to its last part: models are shared, and folders may name people or clients.

    `siamese-tf train --dataset /home/ann/acme/faces` becomes `siamese-tf train --dataset faces`.
    """
    try:
        arguments = shlex.split(command)
    except ValueError:  # unbalanced quotation marks
        arguments = command.split()
    flags = [argument.partition("=") if argument.startswith("-") else ("", "", argument) for argument in arguments]
    return shlex.join(f"{flag}{sign}{last_part(value)}" for flag, sign, value in flags)


def last_part(path: str) -> str:
    """Returns the name of a file or folder without its parents; any other text unchanged."""
    separators = os.sep + (os.altsep or "")
    return re.split(f"[{re.escape(separators)}]", path.rstrip(separators))[-1] or path


def _pairs(pairs: RunData, reports: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    task = pairs.task
    return {
        **{name: report["pairs"] for name, report in reports.items()},
        "sha256": {"train": task.train.sha256, "test": task.test and task.test.sha256},
        "leaks": task.leaks,
        "split": task.train.manifest.get("split"),
        "seed": task.train.manifest.get("seed"),
    }


def _objective_entries(config: ResolvedConfig, pairs: RunData) -> dict[str, Any]:
    record = OBJECTIVES[config.objective].record
    return {config.objective: load_builder(record)(config, pairs)} if record else {}


def _versions(config: ResolvedConfig) -> dict[str, str]:
    versions = {"siamese_tf": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    packages = (*PACKAGES, "tensorflow-addons") if config.losses == "addons" else PACKAGES
    return versions | {package: version(package) for package in packages}
