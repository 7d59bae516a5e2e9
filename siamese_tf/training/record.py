"""`record.json`: what a run was, and what came of it, as plain values."""

import os
import re
import shlex
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import PARTS, VALIDATION
from siamese_tf.training.checkpoint import RunState
from siamese_tf.training.run_data import RunData
from siamese_tf.version import __version__

SCHEMA = 1
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "pillow")
METRICS = ("auc", "eer", "f1", "tar_at_far", "confusion")


def build_record(
    config: TrainConfig,
    pairs: RunData,
    state: RunState,
    threshold: float,
    reports: Mapping[str, Mapping[str, Any]],
    command: str,
) -> dict[str, Any]:
    """The record of a finished run.

    Args:
        config: settled.
        pairs: those of the run.
        state: of the finished run.
        threshold: the model's, chosen on the validation pairs.
        reports: by the name of the split, the dict of `split_report`.
        command: what to type to do this again; the record has it `without_folders`.

    Returns:
        Plain values; the objective triplet adds `triplet`, how its steps were made, whitening `whitened`, a run that
        was resumed with another learning rate `learning_rates`, see `RunState`, and a run whose loss became NaN after
        good epochs `stopped_at_nan`, the epoch in which it did.
    """
    assert config.epochs is not None  # `resolve_config` has set it
    task = pairs.task
    return {
        "schema": SCHEMA,
        "dataset": task.dataset,
        "objective": config.objective,
        "tower": config.tower,
        "seed": config.seed,
        "command": without_folders(command),
        "versions": _versions(config),
        "pairs": {
            **{name: report["pairs"] for name, report in reports.items()},
            "sha256": {"train": task.train.sha256, "test": task.test and task.test.sha256},
            "leaks": task.leaks,
            "split": task.train.manifest.get("split"),
            "seed": task.train.manifest.get("seed"),
        },
        "training": {
            "epochs": state.epochs_done,
            "best_epoch": state.best_epoch,
            "seconds": round(state.seconds, 1),
            **({"learning_rates": state.learning_rates} if state.learning_rates else {}),
            **({"whitened": True} if config.whiten else {}),
            **({"stopped_at_nan": state.epochs_done + 1} if 0 < state.epochs_done < config.epochs else {}),
        },
        **({"triplet": _triplet(config, pairs)} if config.objective == "triplet" else {}),
        "threshold": {"value": threshold, "chosen_on": PARTS[VALIDATION]},
        "accuracy": {
            **{name: reports[name]["accuracy"] if name in reports else None for name in PARTS},
            "test_ci95": reports["test"]["ci95"] if "test" in reports else None,
        },
        "metrics": {name: {key: report[key] for key in METRICS} for name, report in reports.items()},
    }


def without_folders(command: str) -> str:
    """A command line with the last part of each path in it: models are passed on, and folders name people and clients.

    `siamese-tf train --dataset /home/ann/acme/faces` becomes `siamese-tf train --dataset faces`.
    """
    try:
        arguments = shlex.split(command)
    except ValueError:  # a quotation that does not end
        arguments = command.split()
    flags = [argument.partition("=") if argument.startswith("-") else ("", "", argument) for argument in arguments]
    return shlex.join(f"{flag}{sign}{last_part(value)}" for flag, sign, value in flags)


def last_part(path: str) -> str:
    """The name of a file or folder without those above it; any other text as it is."""
    separators = os.sep + (os.altsep or "")
    return re.split(f"[{re.escape(separators)}]", path.rstrip(separators))[-1] or path


def _triplet(config: TrainConfig, pairs: RunData) -> dict[str, Any]:
    return {
        "mining": config.mining,
        "margin": config.margin,
        "losses": config.losses,
        "classes_per_batch": config.classes_per_batch,
        "images_per_class": config.images_per_class,
        "short_classes": pairs.short_classes(config),
    }


def _versions(config: TrainConfig) -> dict[str, str]:
    versions = {"siamese_tf": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    packages = (*PACKAGES, "tensorflow-addons") if config.losses == "addons" else PACKAGES
    return versions | {package: version(package) for package in packages}
