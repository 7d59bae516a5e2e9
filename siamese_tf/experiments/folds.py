"""Cross-validation over people: a model for each fold, tested on people that it has never seen."""

import hashlib
import json
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.pairs.audit import audit_pairs
from siamese_tf.data.pairs.generate import pairs_of_split
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.data.sampling.draw_pairs import all_pairs, existing_pairs
from siamese_tf.data.sampling.folds import people_folds
from siamese_tf.data.sampling.split import ImageSplit, distinct_images
from siamese_tf.data.sampling.split_sizes import split_warnings
from siamese_tf.data.sources.load import load_source
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import ConfigError, DatasetError
from siamese_tf.evaluation.verification import mean_and_error
from siamese_tf.evaluation.verify_model import verify_model
from siamese_tf.files import atomic_write, is_private
from siamese_tf.locks import locked_workdir
from siamese_tf.printable import print_lines, warn
from siamese_tf.training.checkpoint import check_resumable, is_begun
from siamese_tf.training.finalize import Log
from siamese_tf.training.record import without_folders
from siamese_tf.training.run_data import RunData
from siamese_tf.training.train import train_and_evaluate
from siamese_tf.training.workdir import default_workdir, expected_workdir

REPORT = "folds.json"
NOT_OF_FOLDS = ("pairs", "test_pairs", "images", "one_vs_rest")
RATES = ("eer", "accuracy", "auc", "fmr", "fnmr")
MAX_PAIRS = 500_000  # of a fold's test images; of more the balanced ones are enough
BLOCK = 1024  # images in memory at a time


def train_folds(
    config: TrainConfig,
    folds: int,
    workdir: str | Path | None = None,
    *,
    resume: bool = False,
    quiet: bool = False,
    command: str = "train_folds",
    log: Log = print_lines,
) -> dict[str, Any]:
    """Trains and tests a model for each fold of the people of a data set, see `people_folds`.

    The threshold of a fold is that of its model, chosen on the validation people; the rates are of all pairs of its
    test images, see `verification_report`.

    Args:
        config: names a data set with classes, and no pairs.
        folds: how many, from 3 on.
        workdir: gets `fold-<number>/` with a run each, its verification in `verification/`, and `folds.json`; None
            means `runs/<dataset>/<objective>-folds`.
        resume: go on where an earlier call was stopped; finished folds are not trained again, others begin.
        quiet: of each run, neither a progress bar nor a report.
        command: what to type to do this again, for the records.
        log: gets a line after each fold.

    Returns:
        What stands in `folds.json`: `dataset`, `command`, `people`; `folds`, for each its number `fold`, `people` (by
        name), `seconds` of training, and RATES; and by each of these, the `mean` over the folds and its
        `standard_error`.

    Raises:
        ConfigError: a config with pairs or one class against the rest, too few folds, or nothing to resume.
        DatasetError: the data cannot be had, or has too few people, or too few with two images.
        SiameseError: see `train_and_evaluate`.
    """
    if given := [name for name in NOT_OF_FOLDS if getattr(config, name) is not None]:
        raise ConfigError(
            f"folds are of the people of a dataset, of which they make the pairs; got {', '.join(given)}. Leave out"
            f" {'that' if len(given) == 1 else 'those'}, or folds"
        )
    run = f"{config.objective}-folds"
    if resume and (expected := workdir or expected_workdir(config, run)):
        check_resumable(Path(expected), folds)
    image_format = ImageFormat.parse(config.image_size, config.color, config.resize)
    source = load_source(config.dataset, config.data_dir, image_format)
    splits = _splits(source, folds, config.seed)
    workdir = Path(workdir) if workdir is not None else default_workdir(source.name, run)
    with locked_workdir(workdir):
        return _train_folds_in(workdir, config, source, splits, resume=resume, quiet=quiet, command=command, log=log)


def _train_folds_in(
    workdir: Path,
    config: TrainConfig,
    source: Source,
    splits: Sequence[ImageSplit],
    *,
    resume: bool,
    quiet: bool,
    command: str,
    log: Log,
) -> dict[str, Any]:
    """The runs of all folds, in a folder that no other run writes to meanwhile."""
    if not resume:
        (workdir / REPORT).unlink(missing_ok=True)
    people = sum(len(_names(source, split.test)) for split in splits)
    note, *unreadable = source.lines()
    for line in (f"{note}; {len(splits)} folds of {people:,} people", *unreadable):
        log(line)
    given = "train, validation and test of the folder are not used as a split; the folds are of all its people"
    warn(*source.warnings, *([] if source.is_validation is None else [given]))
    rows = []
    for number, split in enumerate(splits):
        folder = workdir / f"fold-{number}"
        row = _train_fold(config, source, split, folder, resume=resume, quiet=quiet, command=command)
        rows.append({"fold": number, **row})
        log(f"[{number + 1}/{len(splits)}] EER {row['eer']:.4f} on {', '.join(row['people'])} ({row['seconds']:.0f} s)")
    means = {name: mean_and_error([row[name] for row in rows]) for name in RATES}
    report = {"dataset": source.name, "command": without_folders(command), "people": people, "folds": rows, **means}
    with atomic_write(workdir / REPORT, "w", private=is_private(source.origin)) as file:  # it names people
        json.dump(report, file, indent=2)
    return report


def fold_lines(report: dict[str, Any]) -> list[str]:
    """The report of `train_folds`, for people."""
    rows = report["folds"]
    names = {"eer": "EER (lower is better)", "accuracy": "accuracy", "auc": "AUC", "fmr": "FMR", "fnmr": "FNMR"}
    lines = [f"{len(rows)} folds of {report['people']:,} people, each tested by a model that never saw them:"]
    for name, label in names.items():
        lines.append(f"{label:<24}{report[name]['mean']:>8.4f} +- {report[name]['standard_error']:.4f}")
    return [*lines, f"training a fold took {statistics.median(row['seconds'] for row in rows):.0f} s (median)"]


def _splits(source: Source, folds: int, seed: int) -> list[ImageSplit]:
    ema_model, duplicates = distinct_images(source)
    images = np.flatnonzero(ema_model)
    made = []
    for number, fold in enumerate(people_folds(source.labels[images], folds, seed)):
        for name, part in fold._asdict().items():
            if not existing_pairs(source.labels[images[part]])[0]:
                raise DatasetError(
                    f"{source.name}: nobody in the {name} part of fold {number} has two images, so no pair is of one"
                    " person. Ask for fewer folds or another seed, or add images"
                )
        made.append(ImageSplit(images[fold.train], images[fold.validation], images[fold.test], duplicates))
    return made


def _train_fold(
    config: TrainConfig, source: Source, split: ImageSplit, folder: Path, *, resume: bool, quiet: bool, command: str
) -> dict[str, Any]:
    train, test = pairs_of_split(source, split, "class", config.seed)
    train, test = _hashed(train), _hashed(test)
    leaks, warnings = audit_pairs([train, test]).leaks, tuple(split_warnings(train.manifest))
    original = TrainTestPairs(train, test, source.name, source.note, leaks, warnings=warnings)
    warn(*(f"{folder.name}: {line}" for line in original.warning_lines()))
    pairs = RunData(original, original, train.images_of(TRAIN))
    resume = resume and is_begun(folder)  # the first may be finished, and this one not begun
    model = train_and_evaluate(config, folder, pairs=pairs, resume=resume, quiet=quiet, command=command)
    report = verify_model(model, replace(original, test=_thorough(test)), folder=folder / "verification")
    keras.backend.clear_session()
    return {
        "people": _names(source, split.test),
        "seconds": model.record["training"]["seconds"],
        **{name: report[name] for name in RATES},
    }


def _hashed(pairs: PairDataset) -> PairDataset:
    """With a hash, as those of a file have, by which a run is not resumed on other pairs."""
    digest = hashlib.sha256()
    for array in (pairs.img1, pairs.img2, pairs.split, pairs.images):
        for start in range(0, len(array), BLOCK):
            digest.update(array[start : start + BLOCK].tobytes())
    return replace(pairs, sha256=digest.hexdigest())


def _thorough(test: PairDataset) -> PairDataset:
    """All pairs of the test images, where these can be listed."""
    assert test.labels is not None  # it was made of a data set with classes
    if sum(existing_pairs(test.labels)) > MAX_PAIRS:
        return test
    img1, img2, similarity = all_pairs(test.labels)
    return replace(test, img1=img1, img2=img2, similarity=similarity, split=np.full(len(img1), TEST, np.uint8))


def _names(source: Source, images: np.ndarray) -> Sequence[str]:
    return [source.class_names[label] for label in np.unique(source.labels[images])]
