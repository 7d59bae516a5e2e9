"""Is it a 7? A model that compares two images decides whether one shows a class, from a handful of reference images."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.data.pairs.one_vs_rest import label_in, labels_of
from siamese_tf.data.pairs.pair_file import PARTS, TEST, TRAIN, VALIDATION, PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.errors import ConfigError, PairFileError
from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.evaluate import check_images
from siamese_tf.evaluation.thresholds import best_f1_threshold
from siamese_tf.models.pair_logits import probability
from siamese_tf.models.siamese_model import SiameseModel


def membership_scores(model: SiameseModel, references: np.ndarray, images: np.ndarray) -> np.ndarray:
    """How probable it is that images show what the references show; each image is embedded once.

    score = sigmoid(mean over the references of the logit of (reference, image))

    Args:
        model: a trained model.
        references: (r, h, w, c) uint8 or float, see `as_images`; images of one class, at least one.
        images: (n, h, w, c), likewise.

    Returns:
        (n,) float64 in [0, 1], higher is more probably a member of the class.

    Raises:
        ImageError: images of another shape, dtype or range.
    """
    embeddings = np.concatenate([model.embed(references), model.embed(images)])
    rows = np.arange(len(references), len(embeddings))
    logits = np.zeros(len(images))
    for reference in range(len(references)):
        logits += model.pair_logits(embeddings, np.full_like(rows, reference), rows)
    return probability(logits / len(references))


def membership_report(member: ArrayLike, scores: ArrayLike, threshold: float) -> dict[str, Any]:
    """How well scores tell members from others.

    Args:
        member: (n,), 1 = of the class, 0 = not; both must occur.
        scores: (n,), finite, higher = more probably of the class.
        threshold: an image with score >= threshold is called a member; chosen on validation images.

    Returns:
        Python numbers only: `images`, `members`, `precision`, `recall`, `f1`, `auc` (higher is better), `confusion`
        with `tp`, `fp`, `tn`, `fn`, and `threshold`.

    Raises:
        SiameseError: input that is not n scored images, members and others.
    """
    counts = metrics.confusion(member, scores, threshold)
    return {
        "images": sum(counts.values()),
        "members": counts["tp"] + counts["fn"],
        "precision": metrics.precision(counts),
        "recall": metrics.recall(counts),
        "f1": metrics.f1(counts),
        "auc": metrics.auc(member, scores),
        "confusion": counts,
        "threshold": float(threshold),
    }


def evaluate_membership(
    model: SiameseModel, opened: TrainTestPairs, label: int, *, references: int = 10, seed: int = 0
) -> dict[str, Any]:
    """What a model achieves in telling one class from the others by reference images.

    References are drawn from the training images, the threshold is chosen on the validation images, and test images
    are looked at for the last numbers alone; see `PairDataset.images_of` for which those are.

    Args:
        model: a trained model.
        opened: pairs whose files have the true labels.
        label: the class, in `opened.train`.
        references: how many images to compare with, at least 1; all the training images of the class where fewer.
        seed: of the drawing.

    Returns:
        `references`, how many there were; `threshold` and `chosen_on`; `validation` and `test`, each the dict of
        `membership_report`, `test` None where there are no test pairs.

    Raises:
        ConfigError: no reference was asked for.
        PairFileError: a file has no labels or images of another size than the model's, or a part lacks images of the
            class, or others.
    """
    if references < 1:
        raise ConfigError(f"references is {references}; expected 1 or more images to compare with.")
    for file in [opened.train] if opened.test is None else [opened.train, opened.test]:
        check_images(model, file)
    images, member = _part(opened.train, TRAIN, label)
    candidates = np.flatnonzero(member)
    drawn = np.random.default_rng(seed).choice(candidates, min(references, len(candidates)), replace=False)
    shown = images[drawn]

    images, member = _part(opened.train, VALIDATION, label)
    scores = membership_scores(model, shown, images)
    threshold = best_f1_threshold(member, scores)
    report = {
        "references": len(shown),
        "threshold": threshold,
        "chosen_on": PARTS[VALIDATION],
        "validation": membership_report(member, scores, threshold),
        "test": None,
    }
    if opened.test is not None:
        images, member = _part(opened.test, TEST, label_in(opened.test, opened.train, label))
        report["test"] = membership_report(member, membership_scores(model, shown, images), threshold)
    return report


def membership_lines(report: dict[str, Any], name: str) -> list[str]:
    """The report of `evaluate_membership` for people; `name` is what the class is called."""
    lines = [
        f"is it {name}? from {report['references']} reference images,"
        f" threshold {report['threshold']:.4f} chosen on {report['chosen_on']} images"
    ]
    for part in ("validation", "test"):
        if numbers := report[part]:
            lines.append(
                f"{part + ':':<12}F1 {numbers['f1']:.4f}, precision {numbers['precision']:.4f}, recall"
                f" {numbers['recall']:.4f}, AUC {numbers['auc']:.4f}; {numbers['members']:,} of {numbers['images']:,}"
                f" images are {name}"
            )
    return lines


def _part(file: PairDataset, part: int, label: int) -> tuple[np.ndarray, np.ndarray]:
    """The images (n, h, w, c) of a part, and which of them (n,) bool are of the class."""
    positions = file.images_of(part)
    member = labels_of(file)[positions] == label
    members = int(member.sum())
    if members in (0, len(member)):
        raise PairFileError(
            f"the {PARTS[part]} part has {members} images of class {label} and {len(member) - members} others;"
            f" expected at least one of each. Choose another class, or a pair file whose {PARTS[part]} part has both."
        )
    return file.images[positions], member
