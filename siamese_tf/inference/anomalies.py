"""Anomalies: images that are unlike all reference images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siamese_tf.data.sources.image_tree import find_image_tree
from siamese_tf.errors import ConfigError, DatasetError
from siamese_tf.inference.embed_files import embed_files
from siamese_tf.models.pair_scorer import BLOCK, row_slices
from siamese_tf.models.probability import probability
from siamese_tf.models.siamese_model import SiameseModel

NEIGHBORS = 5


@dataclass(frozen=True)
class Anomaly:
    """An image beside the reference that it resembles most.

    Attributes:
        image: path below the folder, with `/`.
        score: mean logit of the nearest references, negated: higher is more unusual.
        tail_probability: fraction of the references, and of this image, that are at least as unusual among the other
            references; in (0, 1], lower is more unusual.
        reference: path of the nearest reference below its folder.
        match_probability: probability of a match with it, in [0, 1].
    """

    image: str
    score: float
    tail_probability: float
    reference: str
    match_probability: float


@dataclass(frozen=True, eq=False)
class AnomalyReport:
    """Result of a search for anomalies.

    Attributes:
        images: the images, the most unusual first.
        references: number of references.
        unreadable: error message by path, of images and references.
    """

    images: list[Anomaly]
    references: int
    unreadable: dict[str, str]


def find_anomalies(
    model: SiameseModel, folder: str | Path, reference: str | Path, neighbors: int = NEIGHBORS
) -> AnomalyReport:
    """Compares every image of a folder with all images of a folder of references, at any depth of both.

    Args:
        model: trained or pretrained model.
        folder: folder of images.
        reference: folder of reference images.
        neighbors: number of nearest references whose logits are averaged.

    Raises:
        DatasetError: if a folder is missing or has no readable image, or there are fewer than `neighbors` + 1
            references.
        ConfigError: if `neighbors` is less than 1.
    """
    if neighbors < 1:
        raise ConfigError(f"the number of neighbors must be at least 1; got {neighbors}")
    unreadable: dict[str, str] = {}
    reference_names, references = _embed_folder(model, reference, unreadable)
    if len(references) <= neighbors:
        raise DatasetError(f"{reference} must have more than {neighbors} readable images; got {len(references)}")
    names, embeddings = _embed_folder(model, folder, unreadable)
    scores, nearest, logits = anomaly_scores(model, embeddings, references, neighbors)
    held_out, _, _ = anomaly_scores(model, references, references, neighbors, same=True)
    tails = tail_probabilities(scores, held_out)
    images = [
        Anomaly(names[row], float(scores[row]), float(tails[row]), reference_names[nearest[row]], float(match))
        for row, match in enumerate(probability(logits.astype(np.float64)))
    ]
    return AnomalyReport(sorted(images, key=lambda one: -one.score), len(references), unreadable)


def anomaly_scores(
    model: SiameseModel, embeddings: np.ndarray, references: np.ndarray, neighbors: int, same: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores embeddings by their nearest references.

    Args:
        model: model of the embeddings.
        embeddings: (n, d) float32.
        references: (m, d) float32, m at least `neighbors`, one more with `same`.
        neighbors: number of nearest references whose logits are averaged.
        same: the embeddings are the references, and each is compared with the others only.

    Returns:
        (n,) scores, higher is more unusual; (n,) indices of the nearest reference; (n,) logits of a match with it.
    """
    scores, logits = np.empty(len(embeddings)), np.empty(len(embeddings))
    nearest = np.empty(len(embeddings), np.int64)
    for rows in row_slices(len(embeddings), BLOCK):
        block = model.all_pairs.logit_matrix(embeddings[rows], references)
        if same:
            own = np.arange(len(block))
            block[own, own + rows.start] = -np.inf
        nearest[rows] = block.argmax(axis=1)
        logits[rows] = block.max(axis=1)
        scores[rows] = -np.partition(block, -neighbors, axis=1)[:, -neighbors:].mean(axis=1)
    return scores, nearest, logits


def tail_probabilities(scores: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Returns the (n,) fractions of the (m,) held-out scores, and of the score itself, that are at least the score.

    If the image comes from the same source as the references, the fraction is at most p with probability p.

    Reference:
        Laxhammar and Falkman 2010, "Conformal prediction for distribution-independent anomaly detection".
    """
    at_least = len(held_out) - np.searchsorted(np.sort(held_out), scores, side="left")
    return (1 + at_least) / (len(held_out) + 1)


def areas_under_roc(images: Sequence[Anomaly], normal: Sequence[str]) -> dict[str, float]:
    """Returns the area under the ROC curve of the scores, for each folder of anomalies and for all of them.

    Args:
        images: images in subfolders.
        normal: names of the subfolders without anomalies; images in other subfolders are anomalies.

    Returns:
        Areas in [0, 1], higher is better, by subfolder; "all" for all anomalies.

    Raises:
        ConfigError: if there is no image of one of the two kinds, or no image in a subfolder of `normal`.
    """
    from sklearn.metrics import roc_auc_score

    folders = np.array([one.image.split("/")[0] if "/" in one.image else "" for one in images])
    scores, is_normal = np.array([one.score for one in images]), np.isin(folders, normal)
    missing = sorted(set(normal) - set(folders))
    if missing or is_normal.all():
        raise ConfigError(
            f"the normal images must be in some of the subfolders {', '.join(sorted(set(folders)))}; got"
            f" {', '.join(normal)}. Leave a subfolder for anomalies"
        )
    areas = {}
    for name in [*sorted(set(folders[~is_normal])), "all"]:
        chosen = is_normal | (folders == name) | (name == "all")
        areas[name or "."] = float(roc_auc_score(~is_normal[chosen], scores[chosen]))
    return areas


def _embed_folder(model: SiameseModel, folder: str | Path, unreadable: dict[str, str]) -> tuple[list[str], np.ndarray]:
    """Returns the names and embeddings of the images of a folder; adds the others to `unreadable`."""
    found = find_image_tree(folder)
    unreadable.update({f"{folder}/{name}": reason for name, reason in found.refused.items()})
    embeddings, errors = embed_files(model, found.files.values())
    unreadable.update({str(path): error for path, error in zip(found.files.values(), errors, strict=True) if error})
    usable = np.array([error is None for error in errors], bool)
    if not usable.any():
        raise DatasetError(f"{folder} must have images that can be read; got none. Check the path")
    return [name for name, fine in zip(found.files, usable, strict=True) if fine], embeddings[usable]
