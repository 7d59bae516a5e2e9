"""The end of a run: calibration on the validation pairs, the report on all three splits, the files it leaves."""

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from siamese_tf.config import TrainConfig
from siamese_tf.data.open import OpenedPairs
from siamese_tf.data.pair_file import PARTS, VALIDATION
from siamese_tf.evaluation.calibration import MIN_SLOPE, best_threshold, fit_logistic
from siamese_tf.evaluation.evaluate import EmbeddedPairs, save_pictures, score_files
from siamese_tf.evaluation.plots import save_accuracy_plot
from siamese_tf.evaluation.report import report_table
from siamese_tf.files import atomic_write
from siamese_tf.models.model_file import save_model
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.checkpoint import RunState
from siamese_tf.version import __version__

SCHEMA = 1
MODEL_FILE = "siamese.keras"
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "pillow")
METRICS = ("auc", "eer", "f1", "tar_at_far", "confusion")


def calibrate_and_report(
    model: SiameseModel,
    config: TrainConfig,
    pairs: OpenedPairs,
    state: RunState,
    workdir: Path,
    *,
    seconds: float,
    command: str,
    say: Callable[[str], None],
) -> None:
    """Turns the model's logits into probabilities, sets its threshold and record, and writes the files of a run."""
    embedded = EmbeddedPairs(model, pairs.train)
    if not calibrate(model, embedded):
        say("The model cannot tell similar validation pairs from dissimilar ones; its scores say nothing.")
    scored = score_files(embedded, pairs.test)
    reports = {name: split.report(model.threshold) for name, split in scored.items()}
    model.record = {
        "schema": SCHEMA,
        "dataset": pairs.dataset,
        "objective": config.objective,
        "tower": config.tower,
        "seed": config.seed,
        "command": command,
        "versions": _versions(),
        "pairs": {
            **{name: report["pairs"] for name, report in reports.items()},
            "sha256": {"train": pairs.train.sha256, "test": pairs.test and pairs.test.sha256},
            "leaks": pairs.leaks,
            "split": pairs.train.manifest.get("split"),
            "seed": pairs.train.manifest.get("seed"),
        },
        "training": {"epochs": config.epochs, "best_epoch": state.best_epoch, "seconds": round(seconds, 1)},
        "threshold": {"value": model.threshold, "chosen_on": PARTS[VALIDATION]},
        "accuracy": {
            **{name: reports[name]["accuracy"] if name in reports else None for name in PARTS},
            "test_ci95": reports["test"]["ci95"] if "test" in reports else None,
        },
        "metrics": {name: {key: report[key] for key in METRICS} for name, report in reports.items()},
    }
    save_model(model, workdir / MODEL_FILE)
    with atomic_write(workdir / "record.json", "w") as file:
        json.dump(model.record, file, indent=2)
    for line in report_table(reports):
        say(line)
    say(f"threshold {model.threshold:.4f}, chosen on the validation pairs")
    title = f"{pairs.dataset}, {config.objective}"
    save_pictures(scored, model.threshold, workdir, title=title)
    save_accuracy_plot(state.history, workdir / "accuracy.png", title=title)


def calibrate(model: SiameseModel, embedded: EmbeddedPairs) -> bool:
    """Fits probability and threshold to the validation pairs, and to nothing else.

    Returns:
        False where the model ranks them no better than chance.
    """
    rows = embedded.pairs.rows(VALIDATION)
    similarity = embedded.pairs.similarity[rows]
    slope, intercept = fit_logistic(similarity, embedded.logits(VALIDATION))
    model.head.calibrate(slope, intercept)
    # A threshold above every score, so that nothing is called the same, can lie a hair above 1.
    model.threshold = min(1.0, best_threshold(similarity, embedded.scored(VALIDATION).scores))
    return slope > MIN_SLOPE


def _versions() -> dict[str, str]:
    versions = {"siamese_tf": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    for package in PACKAGES:
        versions[package] = version(package)
    return versions
