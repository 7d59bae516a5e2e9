"""A model put through the verification protocol on pairs: threshold, report, folds, pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from siamese_tf.data.pairs.pair_file import PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.data.sampling.folds import people_in_several_folds
from siamese_tf.errors import PairFileError
from siamese_tf.evaluation.evaluate import EmbeddedPairs, ScoredSplit, classes_are_split, save_pictures, score_files
from siamese_tf.evaluation.plots.verification import save_det_plot, save_thresholds_plot
from siamese_tf.evaluation.thresholds import Rule, choose_threshold, describe_rule
from siamese_tf.evaluation.verification import folded_report, people_of_pairs, verification_report
from siamese_tf.files import atomic_write
from siamese_tf.models.siamese_model import SiameseModel


def verify_model(
    model: SiameseModel,
    opened: TrainTestPairs,
    *,
    fold: np.ndarray | None = None,
    rule: Rule | None = None,
    folder: Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """What a model achieves as a verifier on the last part of the pairs: test, or validation where there is no test.

    Args:
        model: a trained model.
        opened: the pairs; people are their labels, or without labels what `people_of_pairs` finds. Where the people of
            the last part are also those of the training, intervals and limits are over images, else over people.
        fold: integers (m,), the fold of each test pair: each is decided by the threshold of all others.
        rule: how the threshold is chosen, see `choose_threshold`: with folds on the other folds, else on the
            validation pairs. None is the best accuracy with folds, else the model's own threshold.
        folder: gets `report.json` and the pictures; None writes nothing.
        seed: of the intervals.

    Returns:
        The dict of `verification_report`, and `part`, its name; `chosen`, how the threshold was, for people; `folds`,
        the dict of `folded_report` and `people_in_several_folds`, or None.

    Raises:
        PairFileError: images of another size than the model's, or no validation pairs for the rule.
        ImageError: the model gives an embedding that is not finite, or none but zero.
        SiameseError: a part whose pairs are all same or all different, or a rule that the pairs cannot support.
    """
    scored = score_files(EmbeddedPairs(model, opened.train).check(), opened.test)
    part, last = list(scored.items())[-1]
    file = opened.train if opened.test is None else opened.test
    person1, person2 = _people(file, last)
    over_images = classes_are_split(opened) is False
    images = (last.img1, last.img2) if over_images else None
    threshold: float | np.ndarray
    folds = None
    if fold is not None:
        rule = rule or "accuracy"
        folds, threshold = folded_report(last.similarity, last.scores, fold, rule, images or (person1, person2))
        folds["people_in_several_folds"] = people_in_several_folds(fold, person1, person2)
        chosen = f"for each fold on all others, {describe_rule(rule)}"
    elif rule is not None:
        threshold = _of_validation(scored, part, rule, opened.train, over_images)
        chosen = f"on validation pairs, {describe_rule(rule)}"
    else:
        threshold, chosen = model.threshold, "the model's own"
    report = verification_report(last.similarity, person1, person2, last.scores, threshold, images=images, seed=seed)
    report = {"part": part, "chosen": chosen, **report, "folds": folds}
    if folder is not None:
        _write(report, scored, folder, opened.dataset)
    return report


def _of_validation(
    scored: dict[str, ScoredSplit], part: str, rule: Rule, file: PairDataset, over_images: bool
) -> float:
    validation = scored.get("validation")
    if validation is None or part == "validation":
        raise PairFileError(
            f"a threshold {describe_rule(rule)} is chosen on validation pairs and measured on test pairs; these pairs"
            f" are of {', '.join(scored)}. Give pairs of both, or keep to the model's own threshold"
        )
    sides = (validation.img1, validation.img2) if over_images else _people(file, validation)
    return choose_threshold(validation.similarity, validation.scores, rule, *sides)


def _people(file: PairDataset, split: ScoredSplit) -> tuple[np.ndarray, np.ndarray]:
    labels = file.labels
    if labels is None:
        labels = people_of_pairs(file.img1, file.img2, file.similarity, len(file.images))
    return labels[split.img1], labels[split.img2]


def _write(report: dict[str, Any], scored: dict[str, ScoredSplit], folder: Path, title: str) -> None:
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
