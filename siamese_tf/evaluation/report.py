"""What a model achieves on one split, as a plain dict for `record.json` and as a table for people."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.intervals import bootstrap_accuracy

FALSE_ACCEPT_RATES = (0.1, 0.01, 0.001)

_RATES = {"AUC": "auc", "EER (lower is better)": "eer", "F1": "f1", "precision": "precision", "recall": "recall"}
OUTCOMES = {
    "same called same": "tp",
    "same called different": "fn",
    "different called different": "tn",
    "different called same": "fp",
}


def split_report(
    similarity: ArrayLike, img1: ArrayLike, img2: ArrayLike, scores: ArrayLike, threshold: float, seed: int = 0
) -> dict[str, Any]:
    """Every number of one split, from the pairs as a whole (nothing is averaged over batches).

    Args:
        similarity: (m,), 1 = same, 0 = different; both must occur.
        img1: integers (m,), the first image of each pair.
        img2: integers (m,), the second image of each pair.
        scores: (m,), finite, higher = more similar.
        threshold: a pair with score >= threshold is called same; chosen on the validation pairs.
        seed: of the interval's draws.

    Returns:
        Python numbers, lists, dicts and None only: `pairs`, `accuracy`, `ci95` [low, high] (image-level bootstrap),
        `auc`, `eer` (lower is better, the rest higher), `f1`, `precision`, `recall`, `tar_at_far` with the keys "0.1",
        "0.01" and "0.001" (None where the different pairs are too few), `confusion` with `tp`, `fp`, `tn`, `fn`.

    Raises:
        SiameseError: input that is not m scored pairs of both classes.
    """
    same, values = metrics.checked_pairs(similarity, scores)
    counts = metrics.confusion(same, values, threshold)
    return {
        "pairs": same.size,
        "accuracy": metrics.accuracy(counts),
        "ci95": list(bootstrap_accuracy(img1, img2, (values >= threshold) == same, seed=seed)),
        "auc": metrics.auc(same, values),
        "eer": metrics.eer(same, values),
        "f1": metrics.f1(counts),
        "precision": metrics.precision(counts),
        "recall": metrics.recall(counts),
        "tar_at_far": {str(far): metrics.tar_at_far(same, values, far) for far in FALSE_ACCEPT_RATES},
        "confusion": counts,
    }


def report_table(reports: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The reports of several splits side by side, as aligned lines of plain text.

    A TAR that the data cannot support reads "refused", and a line below the table says what it would take.

    Args:
        reports: by the name of the split, as from `split_report`, such as train, validation and test.

    Returns:
        The lines, at most 80 characters each for three splits (the sentences below the table may be longer).
    """
    columns = list(reports.values())
    rows = [["", *reports]]
    rows.append(["pairs", *(f"{report['pairs']:,}" for report in columns)])
    rows.append(["accuracy", *(f"{report['accuracy']:.4f}" for report in columns)])
    rows.append(["95% interval", *("{:.4f}-{:.4f}".format(*report["ci95"]) for report in columns)])
    for label, key in _RATES.items():
        rows.append([label, *(f"{report[key]:.4f}" for report in columns)])
    for far in map(str, FALSE_ACCEPT_RATES):
        tars = [report["tar_at_far"][far] for report in columns]
        rows.append([f"TAR at FAR {far}", *("refused" if tar is None else f"{tar:.4f}" for tar in tars)])
    for label, key in OUTCOMES.items():
        rows.append([label, *(f"{report['confusion'][key]:,}" for report in columns)])
    label_width, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = []
    for label, *cells in rows:
        padded = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append("  ".join([label.ljust(label_width), *padded]))
    return lines + _refusals(reports)


def _refusals(reports: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [
        f"TAR at FAR {far}, {name}: needs {metrics.pairs_needed(far):,} different pairs, "
        f"has {report['confusion']['fp'] + report['confusion']['tn']:,}."
        for far in FALSE_ACCEPT_RATES
        for name, report in reports.items()
        if report["tar_at_far"][str(far)] is None
    ]
    return ["", *lines] if lines else []
