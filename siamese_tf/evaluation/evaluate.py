"""A model on the pairs of files: every number of every split, each image embedded once."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.errors import PairFileError
from siamese_tf.evaluation.plots.pairs import save_mistakes_plot, save_sample_plot
from siamese_tf.evaluation.plots.training import save_roc_plot, save_scores_plot
from siamese_tf.evaluation.report import split_report
from siamese_tf.files import atomic_write
from siamese_tf.models.embeddings import check_some_comparable
from siamese_tf.models.pair_logits import probability
from siamese_tf.models.siamese_model import SiameseModel


@dataclass(frozen=True, eq=False)
class ScoredSplit:
    """The pairs of one split with the scores of a model.

    Attributes:
        images: (n, h, w, c) uint8.
        img1, img2: (m,) int32, positions in `images`.
        similarity: (m,) uint8, 1 = same, 0 = different.
        scores: (m,) float64 probabilities, higher is more similar.
        private: whether only their owner may see pictures of the images.
        labels: (n,) int64, the class of each image; None where nobody says.
    """

    images: np.ndarray
    img1: np.ndarray
    img2: np.ndarray
    similarity: np.ndarray
    scores: np.ndarray
    private: bool = False
    labels: np.ndarray | None = None

    def report(self, threshold: float, *, over_classes: bool = False) -> dict[str, Any]:
        """See `split_report`; its interval is over classes or over images."""
        labels = self.labels if over_classes else None
        return split_report(self.similarity, self.img1, self.img2, self.scores, threshold, labels=labels)


def check_images(model: SiameseModel, pairs: PairDataset) -> None:
    """Raises a PairFileError where the images are not of the model's size."""
    if pairs.images.shape[1:] != model.input_size:
        raise PairFileError(
            f"the model takes images of {model.input_size} (height, width, channels), and the pair file"
            f" {pairs.path or ''} holds {pairs.images.shape[1:]}. Make pairs from the data set it was trained on"
        )


class EmbeddedPairs:
    """A pair file seen through a model: every image that a pair uses is embedded, once."""

    def __init__(self, model: SiameseModel, pairs: PairDataset):
        """Embeds the images.

        Raises:
            PairFileError: the images are not of the model's size.
        """
        check_images(model, pairs)
        self.model, self.pairs = model, pairs
        self._used = np.flatnonzero(np.bincount(np.concatenate([pairs.img1, pairs.img2])))
        self.embeddings = np.zeros((len(pairs.images), model.embedding_dim), np.float32)
        self.embeddings[self._used] = model.embed_rows(pairs.images, self._used)

    def check(self) -> "EmbeddedPairs":
        """Returns itself, of a saved model that can tell anything; one in training may still be without embeddings.

        Raises:
            ImageError: an embedding is not finite, or all of them are zero.
        """
        check_some_comparable(self.embeddings[self._used], str(self.pairs.path or "the pairs"))
        return self

    def logits(self, split: int) -> np.ndarray:
        """(m,) float64 logits of the pairs of TRAIN, VALIDATION or TEST, higher is more similar."""
        rows = self.pairs.rows(split)
        return self.model.pair_logits(self.embeddings, self.pairs.img1[rows], self.pairs.img2[rows])

    def scored(self, split: int) -> ScoredSplit:
        """The pairs of TRAIN, VALIDATION or TEST, scored."""
        pairs, rows = self.pairs, self.pairs.rows(split)
        scores = probability(self.logits(split))
        columns = (pairs.img1[rows], pairs.img2[rows], pairs.similarity[rows])
        return ScoredSplit(pairs.images, *columns, scores, pairs.private, pairs.labels)


def score_files(train: EmbeddedPairs, test: PairDataset | None) -> dict[str, ScoredSplit]:
    """By its name, every split that the files have pairs of; the test pairs come from `test` alone."""
    splits = {
        name: train.scored(split)
        for split, name in ((TRAIN, "train"), (VALIDATION, "validation"))
        if len(train.pairs.rows(split))
    }
    if test is not None:
        embedded = train if test is train.pairs else EmbeddedPairs(train.model, test)
        splits["test"] = embedded.scored(TEST)
    return splits


def classes_are_split(opened: TrainTestPairs) -> bool | None:
    """Whether the last part, test or without it validation, has no class (person) of the training images.

    Intervals are then over classes, else over images: what they resample is what was split.

    Returns:
        None where that cannot be known: without labels, or without training images and a manifest that tells.
    """
    last = opened.train if opened.test is None else opened.test
    images = last.images_of(VALIDATION if opened.test is None else TEST)
    trained = opened.train.images_of(TRAIN) if len(opened.train.rows(TRAIN)) else np.empty(0, np.int64)
    if last.labels is None or opened.train.labels is None or not images.size:
        return None
    if not trained.size:
        return {"class": True, "image": False}.get(str(last.manifest.get("split")))
    named = all(isinstance(file.manifest.get("class_names"), list) for file in (opened.train, last))
    return not _classes(opened.train, trained, named) & _classes(last, images, named)


def _classes(file: PairDataset, images: np.ndarray, named: bool) -> set[Any]:
    """The classes of images, by their names where two files are compared that have names, else by their labels."""
    assert file.labels is not None
    labels, names = np.unique(file.labels[images]).tolist(), file.manifest.get("class_names", [])
    return {str(names[label]) if named and 0 <= label < len(names) else label for label in labels}


def reports_of(scored: dict[str, ScoredSplit], threshold: float, opened: TrainTestPairs) -> dict[str, dict[str, Any]]:
    """Returns by the name of the split the dict of `split_report`, with the interval over what was split."""
    over_classes = classes_are_split(opened) is True
    return {name: split.report(threshold, over_classes=over_classes) for name, split in scored.items()}


def evaluate_model(
    model: SiameseModel, opened: TrainTestPairs, folder: Path | None = None, **more: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """What a model achieves on pairs, with the threshold it has.

    Args:
        model: a trained model.
        opened: the pairs.
        folder: gets `report.json` and the pictures; None writes nothing.
        more: what `report.json` says besides, by its name.

    Returns:
        By the name of the split (train, validation, test), the dict of `split_report`.

    Raises:
        PairFileError: the images are not of the model's size.
        ImageError: the model gives an embedding that is not finite, or none but zero.
        SiameseError: a split whose pairs are all similar or all dissimilar.
    """
    scored = score_files(EmbeddedPairs(model, opened.train).check(), opened.test)
    reports = reports_of(scored, model.threshold, opened)
    if folder is not None:
        with atomic_write(folder / "report.json", "w") as file:
            json.dump({**reports, **more}, file, indent=2)
        save_pictures(scored, model.threshold, folder, title=opened.dataset)
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
