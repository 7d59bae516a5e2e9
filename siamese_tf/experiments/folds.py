"""Cross-validation over people: one model per fold, tested on people outside its training data."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.pairs.pair_file import TRAIN
from siamese_tf.data.sampling.split import ImageSplit
from siamese_tf.data.sources.load import load_source
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import ConfigError
from siamese_tf.evaluation.verification import mean_and_error
from siamese_tf.evaluation.verify_model import verify_model
from siamese_tf.experiments.fold_data import fold_pairs, fold_splits, people_names, with_all_pairs
from siamese_tf.files import atomic_write, is_private
from siamese_tf.locks import locked_workdir
from siamese_tf.printable import print_lines, warn
from siamese_tf.training.checkpoint import check_resumable, contains_run
from siamese_tf.training.finalize import Log
from siamese_tf.training.record import without_folders
from siamese_tf.training.run_data import RunData
from siamese_tf.training.train import train_and_evaluate
from siamese_tf.training.workdir import default_workdir, expected_workdir

REPORT = "folds.json"
UNSUPPORTED = ("pairs", "test_pairs", "images", "one_vs_rest")
RATES = ("eer", "accuracy", "auc", "fmr", "fnmr")


def train_folds(
    config: TrainConfig,
    folds: int,
    workdir: str | Path | None = None,
    *,
    resume: bool = False,
    quiet: bool = False,
    pictures: bool = True,
    command: str = "train_folds",
    log: Log = print_lines,
) -> dict[str, Any]:
    """Trains and tests one model per fold of the people of a data set, see `people_folds`.

    The threshold of each model is chosen on the validation people of its fold; the rates are computed on all pairs of
    its test images, see `with_all_pairs` and `verification_report`.

    Args:
        config: config with a data set that has classes, and without pairs.
        folds: number of folds, at least 3.
        workdir: folder for `fold-<number>/` with one run each and its `verification/`, and for `folds.json`. None
            means `runs/<dataset>/<objective>-folds`.
        resume: continues an interrupted call; finished folds are not trained again.
        quiet: shows neither progress nor report of the runs.
        pictures: writes the plots (PNG files) of the runs; those of the verification are always written.
        command: command line that repeats the cross-validation, for the records.
        log: receives a line after each fold.

    Returns:
        The contents of `folds.json`: `dataset`, `command`, `people`; `folds`, with `fold` (its number), `people` (names
        of the test people), `seconds` of training and RATES for each; and the `mean` and `standard_error` of each of
        RATES over the folds.

    Raises:
        ConfigError: if the config has pairs or a one-vs-rest task, there are too few folds, or nothing to resume.
        DatasetError: if the data cannot be loaded, or have too few people, or too few people with two images.
        SiameseError: see `train_and_evaluate`.
    """
    if given := [name for name in UNSUPPORTED if getattr(config, name) is not None]:
        raise ConfigError(
            f"folds must be used with a dataset only, whose people they split; got {', '.join(given)}. Leave out"
            f" {'that' if len(given) == 1 else 'those'}, or folds"
        )
    run = f"{config.objective}-folds"
    if resume and (expected := workdir or expected_workdir(config, run)):
        check_resumable(Path(expected), folds)
    image_format = ImageFormat.parse(config.image_size, config.color, config.resize, config.invert, config.center)
    source = load_source(config.dataset, config.data_dir, image_format)
    splits = fold_splits(source, folds, config.seed)
    workdir = Path(workdir) if workdir is not None else default_workdir(source.name, run)
    options = {"quiet": quiet, "pictures": pictures, "command": command}
    with locked_workdir(workdir):
        if not resume:
            (workdir / REPORT).unlink(missing_ok=True)
        rows = _train_all(config, source, splits, workdir, resume, options, log)
        return _write_report(source, rows, workdir, command)


def fold_lines(report: dict[str, Any]) -> list[str]:
    """Returns the report of `train_folds` as text, one string per line."""
    rows = report["folds"]
    names = {"eer": "EER (lower is better)", "accuracy": "accuracy", "auc": "AUC", "fmr": "FMR", "fnmr": "FNMR"}
    lines = [f"{len(rows)} folds of {report['people']:,} people, each tested by a model not trained on them:"]
    for name, label in names.items():
        lines.append(f"{label:<24}{report[name]['mean']:>8.4f} +- {report[name]['standard_error']:.4f}")
    return [*lines, f"training time per fold: {statistics.median(row['seconds'] for row in rows):.0f} s (median)"]


def _train_all(
    config: TrainConfig,
    source: Source,
    splits: Sequence[ImageSplit],
    workdir: Path,
    resume: bool,
    options: dict[str, Any],
    log: Log,
) -> list[dict[str, Any]]:
    """Trains and verifies all folds; returns the `folds` rows of the report."""
    note, *unreadable = source.lines()
    people = sum(len(people_names(source, split.test)) for split in splits)
    for line in (f"{note}; {len(splits)} folds of {people:,} people", *unreadable):
        log(line)
    ignored = "the folders train, validation and test do not define the split; the folds are drawn from all people"
    warn(*source.warnings, *([] if source.is_validation is None else [ignored]))
    rows = []
    for number, split in enumerate(splits):
        row = _train_fold(config, source, split, workdir / f"fold-{number}", resume, options)
        rows.append({"fold": number, **row})
        log(f"[{number + 1}/{len(splits)}] EER {row['eer']:.4f} on {', '.join(row['people'])} ({row['seconds']:.0f} s)")
    return rows


def _train_fold(
    config: TrainConfig, source: Source, split: ImageSplit, folder: Path, resume: bool, options: dict[str, Any]
) -> dict[str, Any]:
    original = fold_pairs(source, split, config.seed)
    warn(*(f"{folder.name}: {line}" for line in original.warning_lines()))
    pairs = RunData(original, original, original.train.images_of(TRAIN))
    resume = resume and contains_run(folder)  # earlier folds may be finished and this one not started
    model = train_and_evaluate(config, folder, pairs=pairs, resume=resume, **options)
    assert original.test is not None  # `fold_pairs` draws both
    report = verify_model(model, replace(original, test=with_all_pairs(original.test)), folder=folder / "verification")
    keras.backend.clear_session()
    return {
        "people": people_names(source, split.test),
        "seconds": model.record["training"]["seconds"],
        **{name: report[name] for name in RATES},
    }


def _write_report(source: Source, rows: list[dict[str, Any]], workdir: Path, command: str) -> dict[str, Any]:
    report = {
        "dataset": source.name,
        "command": without_folders(command),
        "people": sum(len(row["people"]) for row in rows),
        "folds": rows,
        **{name: mean_and_error([row[name] for row in rows]) for name in RATES},
    }
    with atomic_write(workdir / REPORT, "w", private=is_private(source.origin)) as file:  # names people
        json.dump(report, file, indent=2)
    return report
