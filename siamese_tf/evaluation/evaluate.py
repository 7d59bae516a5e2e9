"""Evaluates a model on the pairs of pair files: all metrics of all splits, each image embedded once."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.errors import PairFileError
from siamese_tf.evaluation.group_accuracy import group_accuracy
from siamese_tf.evaluation.plots.pairs import save_mistakes_plot, save_sample_plot
from siamese_tf.evaluation.plots.scores import save_roc_plot, save_scores_plot
from siamese_tf.evaluation.report import split_report
from siamese_tf.files import atomic_write
from siamese_tf.models.embeddings import check_some_comparable
from siamese_tf.models.probability import probability
from siamese_tf.models.siamese_model import SiameseModel


@dataclass(frozen=True, eq=False)
class ScoredSplit:
    """The pairs of one split with the scores of a model.

    Attributes:
        images: (n, h, w, c) uint8.
        img1, img2: (m,) int32, positions in `images`.
        similarity: (m,) uint8, 1 = same, 0 = different.
        scores: (m,) float64 probabilities, higher is more similar.
        private: True if plots that show the images must be readable by their owner only.
        labels: (n,) int64, the class of each image; None if unknown.
        groups: (n,) int64, the group of each image; None if unknown.
    """

    images: np.ndarray
    img1: np.ndarray
    img2: np.ndarray
    similarity: np.ndarray
    scores: np.ndarray
    private: bool = False
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None

    def report(self, threshold: float, *, over_classes: bool = False) -> dict[str, Any]:
        """Returns the dict of `split_report`, over classes or images; with groups, also that of `group_accuracy`."""
        labels = self.labels if over_classes else None
        report = split_report(self.similarity, self.img1, self.img2, self.scores, threshold, labels=labels)
        if self.groups is None:
            return report
        sides = self.groups[self.img1], self.groups[self.img2]
        return {**report, "groups": group_accuracy(self.similarity == 1, self.scores, threshold, *sides)}


def check_images(model: SiameseModel, pairs: PairDataset) -> None:
    """Raises a PairFileError unless the images have the model's input size."""
    if pairs.images.shape[1:] != model.input_size:
        raise PairFileError(
            f"the images of the pairs must be {model.input_size} (height, width, channels), the model's input size; got"
            f" {pairs.images.shape[1:]} in {pairs.display_name}. Generate pairs from the data set the model"
            " was trained on"
        )


class EmbeddedPairs:
    """Pairs with the embeddings of their images: each image that a pair uses is embedded once."""

    def __init__(self, model: SiameseModel, pairs: PairDataset):
        """Embeds the images.

        Raises:
            PairFileError: the images do not have the model's input size.
        """
        check_images(model, pairs)
        self.model, self.pairs = model, pairs
        self._used = np.flatnonzero(np.bincount(np.concatenate([pairs.img1, pairs.img2])))
        self.embeddings = np.zeros((len(pairs.images), model.embedding_dim), np.float32)
        self.embeddings[self._used] = model.embed_rows(pairs.images, self._used)

    def check(self) -> "EmbeddedPairs":
        """Checks that the model gives usable embeddings and returns itself; skip it for a model still in training.

        Raises:
            ImageError: an embedding is not finite, or all of them are zero.
        """
        check_some_comparable(self.embeddings[self._used], self.pairs.display_name)
        return self

    def logits(self, split: int) -> np.ndarray:
        """Returns the logits (m,) float64 of the pairs of TRAIN, VALIDATION or TEST, higher is more similar."""
        rows = self.pairs.rows(split)
        return self.model.pair_logits(self.embeddings, self.pairs.img1[rows], self.pairs.img2[rows])

    def scored(self, split: int) -> ScoredSplit:
        """Returns the scored pairs of TRAIN, VALIDATION or TEST."""
        pairs, rows = self.pairs, self.pairs.rows(split)
        scores = probability(self.logits(split))
        columns = (pairs.img1[rows], pairs.img2[rows], pairs.similarity[rows])
        return ScoredSplit(pairs.images, *columns, scores, pairs.private, pairs.labels, pairs.groups)


def score_files(train: EmbeddedPairs, test: PairDataset | None) -> dict[str, ScoredSplit]:
    """Scores every split that the files have pairs of, by its name; test pairs come from `test` only."""
    splits = {
        name: train.scored(split)
        for split, name in ((TRAIN, "train"), (VALIDATION, "validation"))
        if len(train.pairs.rows(split))
    }
    if test is not None:
        embedded = train if test is train.pairs else EmbeddedPairs(train.model, test)
        splits["test"] = embedded.scored(TEST)
    return splits


def classes_are_split(pairs: TrainTestPairs) -> bool | None:
    """Returns True if the last split, test or else validation, shares no class (person) with the training images.

    Intervals are then over classes, else over images: they resample the unit by which the data were split.

    Returns:
        None if unknown: without labels, or without training images and a manifest that records the split.
    """
    last = pairs.train if pairs.test is None else pairs.test
    images = last.images_of(VALIDATION if pairs.test is None else TEST)
    trained = pairs.train.images_of(TRAIN) if len(pairs.train.rows(TRAIN)) else np.empty(0, np.int64)
    if last.labels is None or pairs.train.labels is None or not images.size:
        return None
    if not trained.size:
        return {"group": True, "class": True, "image": False}.get(str(last.manifest.get("split")))
    named = all(isinstance(dataset.manifest.get("class_names"), list) for dataset in (pairs.train, last))
    return not _classes(pairs.train, trained, named) & _classes(last, images, named)


def _classes(pairs: PairDataset, images: np.ndarray, named: bool) -> set[Any]:
    """Returns the classes of images: their names if `named`, which makes two files comparable, else their labels."""
    assert pairs.labels is not None
    labels, names = np.unique(pairs.labels[images]).tolist(), pairs.manifest.get("class_names", [])
    return {str(names[label]) if named and 0 <= label < len(names) else label for label in labels}


def reports_of(scored: dict[str, ScoredSplit], threshold: float, pairs: TrainTestPairs) -> dict[str, dict[str, Any]]:
    """Returns the dict of `split_report` by the name of the split, with intervals over classes if these were split."""
    over_classes = classes_are_split(pairs) is True
    return {name: split.report(threshold, over_classes=over_classes) for name, split in scored.items()}


def evaluate_model(
    model: SiameseModel, pairs: TrainTestPairs, folder: Path | None = None, **more: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Evaluates a model on pairs at its own threshold.

    Args:
        model: a trained model.
        pairs: the pairs.
        folder: receives `report.json` and the plots; None writes nothing.
        more: additional entries of `report.json`.

    Returns:
        The dict of `split_report` by the name of the split (train, validation, test).

    Raises:
        PairFileError: the images do not have the model's input size.
        ImageError: embeddings that are not finite, or all zero.
        SiameseError: a split whose pairs are all same or all different.
    """
    scored = score_files(EmbeddedPairs(model, pairs.train).check(), pairs.test)
    reports = reports_of(scored, model.threshold, pairs)
    if folder is not None:
        with atomic_write(folder / "report.json", "w") as file:
            json.dump({**reports, **more}, file, indent=2)
        save_pictures(scored, model.threshold, folder, title=pairs.dataset)
    return reports


def save_pictures(scored: dict[str, ScoredSplit], threshold: float, folder: Path, title: str) -> None:
    """Writes `roc.png` for all splits, and `scores.png`, `sample.png` and `mistakes.png` for the last one."""
    curves = {name: (split.similarity, split.scores) for name, split in scored.items()}
    save_roc_plot(curves, folder / "roc.png", title=title)
    name, last = list(scored.items())[-1]
    title = f"{title}, {name} pairs"
    save_scores_plot(last.similarity, last.scores, threshold, folder / "scores.png", title=title)
    pairs = (last.images, last.img1, last.img2, last.similarity, last.scores, threshold)
    save_sample_plot(*pairs, folder / "sample.png", title=title, private=last.private)
    save_mistakes_plot(*pairs, folder / "mistakes.png", title=title, private=last.private)
