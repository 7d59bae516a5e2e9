"""Finalization of a run: calibration on the validation pairs, evaluation on all splits, and its output files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from siamese_tf.config.catalog import OBJECTIVES
from siamese_tf.config.resolved_config import ResolvedConfig
from siamese_tf.data.pairs.one_vs_rest import class_label
from siamese_tf.data.pairs.pair_file import PARTS, TEST, VALIDATION
from siamese_tf.evaluation.calibration import MIN_SLOPE, fit_logistic
from siamese_tf.evaluation.embedding_report import embedding_lines, embedding_report, normalize_for_distance
from siamese_tf.evaluation.evaluate import EmbeddedPairs, reports_of, save_pictures, score_files
from siamese_tf.evaluation.membership import evaluate_membership, membership_lines
from siamese_tf.evaluation.report import report_table
from siamese_tf.evaluation.thresholds import max_accuracy_threshold
from siamese_tf.files import atomic_write
from siamese_tf.models.model_file import save_model
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.checkpoint import RunState
from siamese_tf.training.record import build_record
from siamese_tf.training.run_data import RunData
from siamese_tf.training.workdir import ACCURACY, MODEL_FILE, RECORD

Log = Callable[[str], None]


def finalize_run(
    model: SiameseModel,
    config: ResolvedConfig,
    pairs: RunData,
    state: RunState,
    workdir: Path,
    *,
    command: str,
    log: Log,
    pictures: bool = True,
) -> None:
    """Calibrates and evaluates a trained model, sets its threshold and record, and writes the files of the run.

    Args:
        model: model with the weights of its best epoch.
        config: resolved config.
        pairs: data of the run.
        state: state of the finished run.
        workdir: folder to write to.
        command: command line that repeats this run.
        log: receives the lines of the report.
        pictures: writes the plots (PNG files).
    """
    task = pairs.task
    embedded = EmbeddedPairs(model, task.train)
    split = PARTS[pairs.calibration_split]
    if not calibrate(model, embedded, pairs.calibration_split):
        log(f"The model does not separate similar from dissimilar {split} pairs; its scores carry no information.")
    scored = score_files(embedded, task.test)
    reports = reports_of(scored, model.threshold, task)
    for line in [*report_table(reports), f"threshold {model.threshold:.4f}, chosen on the {split} pairs"]:
        log(line)
    image_report = _image_report(model, config, pairs, log)
    model.record = {**build_record(config, pairs, state, model.threshold, reports, command), **image_report}
    save_model(model, workdir / MODEL_FILE)
    with atomic_write(workdir / RECORD, "w") as file:
        json.dump(model.record, file, indent=2)
    if not pictures:
        return
    title = f"{task.dataset}, {config.objective}"
    save_pictures(scored, model.threshold, workdir, title=title)
    if state.history:
        from siamese_tf.evaluation.plots.training import save_accuracy_plot  # loads matplotlib

        save_accuracy_plot(state.history, workdir / ACCURACY, title=title)


def calibrate(model: SiameseModel, embedded: EmbeddedPairs, split: int = VALIDATION) -> bool:
    """Calibrates the probabilities of a model and chooses its threshold, both on the pairs of one split only.

    Args:
        model: trained model.
        embedded: its training and validation pairs.
        split: VALIDATION, or TRAIN without validation pairs.

    Returns:
        True if the model ranks these pairs better than chance.
    """
    rows = embedded.pairs.rows(split)
    similarity = embedded.pairs.similarity[rows]
    # A model file must have a positive scale, since the distance is lower for more similar pairs.
    if (scale := float(model.head.scale)) <= 0:
        model.head.scale.assign(abs(scale) or 1.0)
    slope, intercept = fit_logistic(similarity, embedded.logits(split))
    model.head.calibrate(slope, intercept)
    # A threshold above every score, for which no pair matches, can exceed 1 by rounding.
    model.threshold = min(1.0, max_accuracy_threshold(similarity, embedded.scored(split).scores))
    return slope > MIN_SLOPE


def _image_report(model: SiameseModel, config: ResolvedConfig, pairs: RunData, log: Log) -> dict[str, Any]:
    """Returns and logs the parts of the record about single images: embedding metrics and one-vs-rest membership."""
    report: dict[str, Any] = {}
    test = pairs.original.test
    labeled = pairs.task.test if config.rest_is_a_class else test  # labels of two classes, or of all classes
    reports_embeddings = OBJECTIVES[config.objective].reports_embeddings
    if reports_embeddings and test is not None and labeled is not None and labeled.labels is not None:
        images = test.images_of(TEST)
        embeddings = normalize_for_distance(model, model.embed(test.images[images]))
        report["embeddings"] = embedding_report(embeddings, labeled.labels[images])
        for line in ["", "embeddings of the test images:", *embedding_lines(report["embeddings"])]:
            log(line)
    if config.one_vs_rest is not None:
        label = class_label(pairs.original.train, config.one_vs_rest)
        class_info = pairs.task.train.manifest["one_vs_rest"]
        report["one_vs_rest"] = class_info | evaluate_membership(model, pairs.original, label, seed=config.seed)
        for line in ["", *membership_lines(report["one_vs_rest"], class_info["class"])]:
            log(line)
    return report
