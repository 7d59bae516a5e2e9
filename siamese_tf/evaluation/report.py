"""The metrics of one split, as a plain dict for `record.json` and as a printed table."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.accuracy_interval import bootstrap_accuracy
from siamese_tf.evaluation.intervals import accuracy_of, cluster_intervals
from siamese_tf.evaluation.jackknife import MIN_CLUSTERS
from siamese_tf.evaluation.roc import auc, eer, min_different_pairs, tar_at_fmr
from siamese_tf.evaluation.scored_pairs import check_scored_pairs

FALSE_MATCH_RATES = (0.1, 0.01, 0.001)

_RATES = {"AUC": "auc", "EER (lower is better)": "eer", "F1": "f1", "precision": "precision", "recall": "recall"}
OUTCOMES = {
    "same called same": "tp",
    "same called different": "fn",
    "different called different": "tn",
    "different called same": "fp",
}


def split_report(
    similarity: ArrayLike,
    img1: ArrayLike,
    img2: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    seed: int = 0,
    labels: ArrayLike | None = None,
) -> dict[str, Any]:
    """Computes all metrics of one split over all its pairs (nothing is averaged over batches).

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        img1: integers (m,), the first image of each pair.
        img2: integers (m,), the second image of each pair.
        scores: (m,), finite, higher = more similar.
        threshold: a pair with score >= threshold is called same; chosen on the validation pairs.
        seed: seed of the bootstrap interval.
        labels: integers (n,), the class of each image: computes the interval over classes, which is correct if the
            data were split by class. None computes it over images.

    Returns:
        Python numbers, lists, dicts and None only: `pairs`, `accuracy`, `ci95` [low, high] (of the accuracy; [0, 1]
        with fewer than 5 classes or images), `ci95_over`, "classes" or "images", and `ci95_count`, their number; `auc`,
        `eer` (lower is better, the rest higher), `f1`, `precision`, `recall`, `tar_at_far` with the keys "0.1", "0.01"
        and "0.001" (None with too few different pairs), `confusion` with `tp`, `fp`, `tn`, `fn`.

    Raises:
        SiameseError: input that is not m scored pairs of both classes.
    """
    same, values = check_scored_pairs(similarity, scores)
    counts = metrics.confusion(same, values, threshold)
    correct = (values >= threshold) == same
    if labels is None:
        first, second = np.asarray(img1), np.asarray(img2)
        interval = bootstrap_accuracy(first, second, correct, seed=seed)
    else:
        first, second = (np.asarray(labels)[np.asarray(side)] for side in (img1, img2))
        interval = cluster_intervals(first, second, same, accuracy_of(correct), seed=seed)["accuracy"]
    return {
        "pairs": same.size,
        "accuracy": metrics.accuracy(counts),
        "ci95": list(interval),
        "ci95_over": "images" if labels is None else "classes",
        "ci95_count": int(np.unique(np.concatenate([first, second])).size),
        "auc": auc(same, values),
        "eer": eer(same, values),
        "f1": metrics.f1(counts),
        "precision": metrics.precision(counts),
        "recall": metrics.recall(counts),
        "tar_at_far": {str(fmr): tar_at_fmr(same, values, fmr) for fmr in FALSE_MATCH_RATES},
        "confusion": counts,
    }


def report_table(reports: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Formats the reports of several splits side by side, as aligned lines of plain text.

    A TAR or an interval that the data cannot support reads "refused", and a line below the table says what it needs.

    Args:
        reports: by the name of the split, as from `split_report`, such as train, validation and test; those with the
            entry `groups` of `group_accuracy` get rows for it.

    Returns:
        The lines, at most 80 characters each for three splits (the sentences below the table may be longer).
    """
    columns = list(reports.values())
    rows = [["", *reports]]
    rows.append(["pairs", *(f"{report['pairs']:,}" for report in columns)])
    rows.append(["accuracy", *(f"{report['accuracy']:.4f}" for report in columns)])
    rows.append([f"95% interval over {columns[0]['ci95_over']}", *(map(_interval, columns))])
    for label, key in _RATES.items():
        rows.append([label, *(f"{report[key]:.4f}" for report in columns)])
    for kind in ("within", "across"):
        found = [report.get("groups", {}).get(kind) for report in columns]
        if any(found):
            shown = ["" if one is None else f"{one['balanced_accuracy']:.4f}" for one in found]
            rows.append([f"balanced accuracy {kind} groups", *shown])
    for fmr in map(str, FALSE_MATCH_RATES):
        tars = [report["tar_at_far"][fmr] for report in columns]
        rows.append([f"TAR at FAR {fmr}", *("refused" if tar is None else f"{tar:.4f}" for tar in tars)])
    for label, key in OUTCOMES.items():
        rows.append([label, *(f"{report['confusion'][key]:,}" for report in columns)])
    label_width, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = []
    for label, *cells in rows:
        padded = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append("  ".join([label.ljust(label_width), *padded]))
    return lines + _refusals(reports)


def _interval(report: Mapping[str, Any]) -> str:
    return "refused" if report["ci95_count"] < MIN_CLUSTERS else "{:.4f}-{:.4f}".format(*report["ci95"])


def _refusals(reports: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [
        f"95% interval, {name}: needs {MIN_CLUSTERS} {report['ci95_over']}, has {report['ci95_count']}."
        for name, report in reports.items()
        if report["ci95_count"] < MIN_CLUSTERS
    ]
    lines += [
        f"TAR at FAR {fmr}, {name}: needs {min_different_pairs(fmr):,} different pairs, "
        f"has {report['confusion']['fp'] + report['confusion']['tn']:,}."
        for fmr in FALSE_MATCH_RATES
        for name, report in reports.items()
        if report["tar_at_far"][str(fmr)] is None
    ]
    return ["", *lines] if lines else []
