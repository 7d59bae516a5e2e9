"""Evaluates a model as a verifier: threshold, report, folds and plots."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from siamese_tf.data.pairs.pair_file import PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.data.sampling.folds import people_in_several_folds
from siamese_tf.errors import PairFileError
from siamese_tf.evaluation.evaluate import EmbeddedPairs, ScoredSplit, classes_are_split, save_pictures, score_files
from siamese_tf.evaluation.folded_report import folded_report
from siamese_tf.evaluation.people import people_of_pairs
from siamese_tf.evaluation.plots.verification import save_det_plot, save_thresholds_plot
from siamese_tf.evaluation.thresholds import Rule, choose_threshold, describe_rule
from siamese_tf.evaluation.verification import verification_report
from siamese_tf.files import atomic_write
from siamese_tf.models.siamese_model import SiameseModel


def verify_model(
    model: SiameseModel,
    pairs: TrainTestPairs,
    *,
    fold: np.ndarray | None = None,
    rule: Rule | None = None,
    folder: Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Computes the verification report of a model on the test pairs, or on the validation pairs if there is no test.

    Args:
        model: a trained model.
        pairs: the pairs; people are their labels, or without labels the result of `people_of_pairs`. If the people of
            the reported split are also those of the training, intervals and limits are over images, else over people.
        fold: integers (m,), the fold of each test pair: each is decided by the threshold of all others.
        rule: the threshold rule, see `choose_threshold`: applied to the other folds with folds, else to the validation
            pairs. None selects the best accuracy with folds, else the model's own threshold.
        folder: receives `report.json` and the plots; None writes nothing.
        seed: seed of the intervals.

    Returns:
        The dict of `verification_report`, and `part`, the name of the split; `chosen`, a description of the threshold;
        `folds`, the dict of `folded_report` with `people_in_several_folds`, or None.

    Raises:
        PairFileError: images of another size than the model's, or no validation pairs for the rule.
        ImageError: embeddings that are not finite, or all zero.
        SiameseError: a split whose pairs are all same or all different, or a rule that the pairs cannot support.
    """
    scored = score_files(EmbeddedPairs(model, pairs.train).check(), pairs.test)
    part, last = list(scored.items())[-1]
    reported = pairs.train if pairs.test is None else pairs.test
    person1, person2 = _people(reported, last)
    over_images = classes_are_split(pairs) is False
    images = (last.img1, last.img2) if over_images else None
    threshold: float | np.ndarray
    folds = None
    if fold is not None:
        rule = rule or "accuracy"
        folds, threshold = folded_report(last.similarity, last.scores, fold, rule, images or (person1, person2))
        folds["people_in_several_folds"] = people_in_several_folds(fold, person1, person2)
        chosen = f"for each fold on all others, {describe_rule(rule)}"
    elif rule is not None:
        threshold = _validation_threshold(scored, part, rule, pairs.train, over_images)
        chosen = f"on validation pairs, {describe_rule(rule)}"
    else:
        threshold, chosen = model.threshold, "the model's own"
    report = verification_report(last.similarity, person1, person2, last.scores, threshold, images=images, seed=seed)
    report = {"part": part, "chosen": chosen, **report, "folds": folds}
    if folder is not None:
        _write_report(report, scored, folder, pairs.dataset)
    return report


def _validation_threshold(
    scored: dict[str, ScoredSplit], part: str, rule: Rule, train: PairDataset, over_images: bool
) -> float:
    validation = scored.get("validation")
    if validation is None or part == "validation":
        raise PairFileError(
            f"a threshold {describe_rule(rule)} must be chosen on validation pairs and measured on test pairs; got"
            f" pairs of {', '.join(scored)}. Pass pairs of both, or use the model's own threshold"
        )
    sides = (validation.img1, validation.img2) if over_images else _people(train, validation)
    return choose_threshold(validation.similarity, validation.scores, rule, *sides)


def _people(pairs: PairDataset, split: ScoredSplit) -> tuple[np.ndarray, np.ndarray]:
    labels = pairs.labels
    if labels is None:
        labels = people_of_pairs(pairs.img1, pairs.img2, pairs.similarity, len(pairs.images))
    return labels[split.img1], labels[split.img2]


def _write_report(report: dict[str, Any], scored: dict[str, ScoredSplit], folder: Path, title: str) -> None:
    with atomic_write(folder / "report.json", "w") as file:
        json.dump(report, file, indent=2)
    threshold, last = report["threshold"], scored[report["part"]]
    if report["folds"] is not None:
        title = f"{title}, mean threshold of {len(report['folds']['folds'])} folds"
    save_pictures(scored, threshold, folder, title=title)
    curves = {name: (split.similarity, split.scores) for name, split in scored.items()}
    save_det_plot(curves, folder / "det.png", title=title)
    path, title = folder / "thresholds.png", f"{title}, {report['part']} pairs"
    save_thresholds_plot(last.similarity, last.scores, threshold, path, title=title)
