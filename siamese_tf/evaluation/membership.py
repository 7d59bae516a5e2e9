"""One class against the rest ("is it a 7?"): decides whether an image shows a class from a few reference images."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.data.pairs.one_vs_rest import label_in, labels_of
from siamese_tf.data.pairs.pair_file import PARTS, TEST, TRAIN, VALIDATION, PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.errors import ConfigError, PairFileError
from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.evaluate import check_images
from siamese_tf.evaluation.roc import auc
from siamese_tf.evaluation.thresholds import best_f1_threshold
from siamese_tf.models.probability import probability
from siamese_tf.models.siamese_model import SiameseModel


def membership_scores(model: SiameseModel, references: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Computes the probability that images show the class of the references; each image is embedded once.

    score = sigmoid(mean over the references of the logit of (reference, image))

    Args:
        model: a trained model.
        references: (r, h, w, c) uint8 or float, see `as_images`; one or more images of the class.
        images: (n, h, w, c), likewise.

    Returns:
        (n,) float64 in [0, 1], higher is more likely a member of the class.

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
    """Computes the metrics of telling members of a class from other images.

    Args:
        member: (n,), 1 = in the class, 0 = not; both must occur.
        scores: (n,), finite, higher = more likely in the class.
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
        "auc": auc(member, scores),
        "confusion": counts,
        "threshold": float(threshold),
    }


def evaluate_membership(
    model: SiameseModel, pairs: TrainTestPairs, label: int, *, references: int = 10, seed: int = 0
) -> dict[str, Any]:
    """Evaluates how well a model tells one class from the others with reference images.

    References are drawn from the training images, the threshold is chosen on the validation images, and the test images
    are used for the final metrics only; see `PairDataset.images_of` for the images of a split.

    Args:
        model: a trained model.
        pairs: pairs whose files have the true labels.
        label: the class, in `pairs.train`.
        references: number of reference images, at least 1; all training images of the class if there are fewer.
        seed: seed of the draw of references.

    Returns:
        `references`, the number used; `threshold` and `chosen_on`; `validation` and `test`, each the dict of
        `membership_report`, `test` being None without test pairs.

    Raises:
        ConfigError: `references` below 1.
        PairFileError: a file without labels or with images of another size than the model's, or a split without images
            of the class, or without others.
    """
    if references < 1:
        raise ConfigError(f"references must be 1 or more; got {references}")
    for dataset in [pairs.train] if pairs.test is None else [pairs.train, pairs.test]:
        check_images(model, dataset)
    images, member = _split_images(pairs.train, TRAIN, label)
    candidates = np.flatnonzero(member)
    drawn = np.random.default_rng(seed).choice(candidates, min(references, len(candidates)), replace=False)
    reference_images = images[drawn]

    images, member = _split_images(pairs.train, VALIDATION, label)
    scores = membership_scores(model, reference_images, images)
    threshold = best_f1_threshold(member, scores)
    report = {
        "references": len(reference_images),
        "threshold": threshold,
        "chosen_on": PARTS[VALIDATION],
        "validation": membership_report(member, scores, threshold),
        "test": None,
    }
    if pairs.test is not None:
        images, member = _split_images(pairs.test, TEST, label_in(pairs.test, pairs.train, label))
        report["test"] = membership_report(member, membership_scores(model, reference_images, images), threshold)
    return report


def membership_lines(report: dict[str, Any], name: str) -> list[str]:
    """Formats the report of `evaluate_membership`; `name` is the name of the class."""
    lines = [
        f"is it {name}? from {report['references']} reference images,"
        f" threshold {report['threshold']:.4f} chosen on {report['chosen_on']} images"
    ]
    for split in ("validation", "test"):
        if numbers := report[split]:
            lines.append(
                f"{split + ':':<12}F1 {numbers['f1']:.4f}, precision {numbers['precision']:.4f}, recall"
                f" {numbers['recall']:.4f}, AUC {numbers['auc']:.4f}; {numbers['members']:,} of {numbers['images']:,}"
                f" images are {name}"
            )
    return lines


def _split_images(pairs: PairDataset, split: int, label: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images (n, h, w, c) of a split, and (n,) bool, True for those of the class."""
    positions = pairs.images_of(split)
    member = labels_of(pairs)[positions] == label
    members = int(member.sum())
    if members in (0, len(member)):
        raise PairFileError(
            f"the {PARTS[split]} split must have images of class {label} and others; got {members} images of class"
            f" {label} and {len(member) - members} others. Choose another class, or a pair file whose {PARTS[split]}"
            " split has both"
        )
    return pairs.images[positions], member
