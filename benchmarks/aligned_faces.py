"""Verification and identification of aligned faces with the pretrained model, of which nothing is trained.

    python benchmarks/aligned_faces.py FOLDER

aligns the faces of a folder with one folder per person, such as AT&T's, and prints the error rates over all pairs of
them.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from rows import Row, show

from siamese_tf.data.sources.image_tree import find_image_tree
from siamese_tf.evaluation.thresholds import eer_threshold, threshold_at_fmr
from siamese_tf.inference.align_folder import align_folder
from siamese_tf.models.faces.detection import load_detector
from siamese_tf.models.pretrained.packages import pretrained_model

FMR = 1e-3
MAX_EER, MAX_FNMR, MAX_FOLD_EER = 0.0065, 0.035, 0.005
PEOPLE_PER_FOLD, SEEDS = 5, 3


def main(folder: str) -> None:
    with tempfile.TemporaryDirectory() as out:
        rows = align_folder(folder, out, load_detector(), "largest")
        files = find_image_tree(out).files
        model = pretrained_model("faces")
        scores = model.all_pairs.logit_matrix(*[model.embed(list(files.values()))] * 2).astype(np.float64)
    people = np.array([str(Path(name).parent) for name in files])
    first, second = np.triu_indices(len(files), 1)
    same, values = people[first] == people[second], scores[first, second]
    np.fill_diagonal(scores, -np.inf)
    recall = float(np.mean(people[scores.argmax(axis=1)] == people))
    eer = _rates(same, values, eer_threshold(same, values)).mean()
    fnmr = _rates(same, values, threshold_at_fmr(same, values, FMR))[1]
    folds = [_fold_eer(people, scores, seed) for seed in range(SEEDS)]
    missing = sum(not row.aligned for row in rows)
    task = f"{len(same):,} pairs of {len(files):,} aligned faces, {missing:,} images without a face"
    show(
        [
            Row(f"EER of {task}", f"{eer:.4f}", target=f"at most {MAX_EER}", met=eer <= MAX_EER),
            Row(f"FNMR at an FMR of {FMR}", f"{fnmr:.4f}", target=f"at most {MAX_FNMR}", met=fnmr <= MAX_FNMR),
            Row("FMR at the published distance", f"{_rates(same, values, 0.0)[0]:.4f}"),
            Row(
                f"mean EER of folds of {PEOPLE_PER_FOLD} people, {SEEDS} assignments",
                " ".join(f"{eer:.4f}" for eer in folds),
                target=f"at most {MAX_FOLD_EER} each",
                met=max(folds) <= MAX_FOLD_EER,
            ),
            Row("recall@1", f"{recall:.4f}", target="1", met=recall == 1.0),
        ]
    )


def _fold_eer(people: np.ndarray, scores: np.ndarray, seed: int) -> float:
    """Returns the mean EER of the pairs within groups of people that are drawn at random."""
    names = np.random.default_rng(seed).permutation(np.unique(people))
    rates = []
    for start in range(0, len(names), PEOPLE_PER_FOLD):
        images = np.flatnonzero(np.isin(people, names[start : start + PEOPLE_PER_FOLD]))
        first, second = (images[side] for side in np.triu_indices(len(images), 1))
        same, values = people[first] == people[second], scores[first, second]
        rates.append(_rates(same, values, eer_threshold(same, values)).mean())
    return float(np.mean(rates))


def _rates(same: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Returns the FMR and the FNMR at a threshold."""
    called = scores >= threshold
    return np.array([called[~same].mean(), 1 - called[same].mean()])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="folder with one folder of images per person")
    main(parser.parse_args().folder)
