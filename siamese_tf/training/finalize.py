"""The end of a run: calibration on the validation pairs, the report on all three splits, the files it leaves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.one_vs_rest import class_label
from siamese_tf.data.pairs.pair_file import TEST, VALIDATION
from siamese_tf.evaluation.calibration import MIN_SLOPE, fit_logistic
from siamese_tf.evaluation.embedding_report import embedding_lines, embedding_report, normalize_for_distance
from siamese_tf.evaluation.evaluate import EmbeddedPairs, reports_of, save_pictures, score_files
from siamese_tf.evaluation.membership import evaluate_membership, membership_lines
from siamese_tf.evaluation.plots.training import save_accuracy_plot
from siamese_tf.evaluation.report import report_table
from siamese_tf.evaluation.thresholds import max_accuracy_threshold
from siamese_tf.files import atomic_write
from siamese_tf.models.model_file import save_model
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.checkpoint import RunState
from siamese_tf.training.record import build_record
from siamese_tf.training.run_data import RunData

MODEL_FILE = "siamese.keras"
RECORD = "record.json"
ACCURACY = "accuracy.png"

Log = Callable[[str], None]


def finalize_run(
    model: SiameseModel,
    config: TrainConfig,
    pairs: RunData,
    state: RunState,
    workdir: Path,
    *,
    command: str,
    log: Log,
) -> None:
    """Turns the model's logits into probabilities, sets its threshold and record, and writes the files of a run.

    Args:
        model: with the weights of its best epoch.
        config: settled.
        pairs: those of the run.
        state: of the finished run.
        workdir: gets the files.
        command: what to type to do this again.
        log: gets the lines of the report.
    """
    task = pairs.task
    embedded = EmbeddedPairs(model, task.train)
    if not calibrate(model, embedded):
        log("The model cannot tell similar validation pairs from dissimilar ones; its scores say nothing.")
    scored = score_files(embedded, task.test)
    reports = reports_of(scored, model.threshold, task)
    for line in [*report_table(reports), f"threshold {model.threshold:.4f}, chosen on the validation pairs"]:
        log(line)
    more = _image_report(model, config, pairs, log)
    model.record = {**build_record(config, pairs, state, model.threshold, reports, command), **more}
    save_model(model, workdir / MODEL_FILE)
    with atomic_write(workdir / RECORD, "w") as file:
        json.dump(model.record, file, indent=2)
    title = f"{task.dataset}, {config.objective}"
    save_pictures(scored, model.threshold, workdir, title=title)
    if state.history:
        save_accuracy_plot(state.history, workdir / ACCURACY, title=title)


def calibrate(model: SiameseModel, embedded: EmbeddedPairs) -> bool:
    """Fits probability and threshold to the validation pairs, and to nothing else.

    Returns:
        False where the model ranks them no better than chance.
    """
    rows = embedded.pairs.rows(VALIDATION)
    similarity = embedded.pairs.similarity[rows]
    if (scale := float(model.head.scale)) <= 0:  # no model file has one: a distance is lower for a more similar pair
        model.head.scale.assign(abs(scale) or 1.0)
    slope, intercept = fit_logistic(similarity, embedded.logits(VALIDATION))
    model.head.calibrate(slope, intercept)
    # A threshold above every score, so that nothing is called the same, can lie a hair above 1.
    model.threshold = min(1.0, max_accuracy_threshold(similarity, embedded.scored(VALIDATION).scores))
    return slope > MIN_SLOPE


def _image_report(model: SiameseModel, config: TrainConfig, pairs: RunData, log: Log) -> dict[str, Any]:
    """What the record says of images, not of pairs: how classes group, and whether one is told from the rest."""
    about: dict[str, Any] = {}
    test = pairs.original.test
    told_apart = pairs.task.test if config.rest_is_a_class else test  # by classes, or by the class and the rest
    if config.objective == "triplet" and test is not None and told_apart is not None and told_apart.labels is not None:
        images = test.images_of(TEST)
        embeddings = normalize_for_distance(model, model.embed(test.images[images]))
        about["embeddings"] = embedding_report(embeddings, told_apart.labels[images])
        for line in ["", "embeddings of the test images:", *embedding_lines(about["embeddings"])]:
            log(line)
    if config.one_vs_rest is not None:
        label = class_label(pairs.original.train, config.one_vs_rest)
        class_info = pairs.task.train.manifest["one_vs_rest"]
        about["one_vs_rest"] = class_info | evaluate_membership(model, pairs.original, label, seed=config.seed)
        for line in ["", *membership_lines(about["one_vs_rest"], class_info["class"])]:
            log(line)
    return about
