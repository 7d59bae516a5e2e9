"""Compares objectives over several seeds: which differences are real, and which are seed noise."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from siamese_tf.errors import SiameseError

ALPHA = 0.05  # significance level of the tests and of the 95% intervals


def compare_records(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Computes means over the seeds, and the differences between every two objectives.

    Args:
        records: by objective, the `record.json` of its runs, with test pairs; one per seed, seeds in the same order.

    Returns:
        Plain values. `objectives`: by name, `test_accuracy`, `validation_accuracy`, `auc`, `eer` (of the test pairs)
        and `seconds` (of training), each with `values`, one per seed, and their `mean`; the test accuracy also has
        `ci95`, see `mean_interval`. `differences`: see `paired_differences`.

    Raises:
        SiameseError: objectives with different numbers of records, or none.
    """
    pairs = min((record["pairs"]["test"] for some in records.values() for record in some), default=0)
    accuracies = {name: [record["accuracy"]["test"] for record in some] for name, some in records.items()}
    differences = paired_differences(accuracies, pairs)
    objectives = {}
    for name, some in records.items():
        columns = {
            "test_accuracy": accuracies[name],
            "validation_accuracy": [record["accuracy"]["validation"] for record in some],
            "auc": [record["metrics"]["test"]["auc"] for record in some],
            "eer": [record["metrics"]["test"]["eer"] for record in some],
            "seconds": [record["training"]["seconds"] for record in some],
        }
        summary: dict[str, Any] = {
            key: {"values": values, "mean": float(np.mean(values))} for key, values in columns.items()
        }
        interval = mean_interval(accuracies[name], pairs)
        summary["test_accuracy"]["ci95"] = interval and [float(end) for end in np.clip(interval, 0, 1)]
        objectives[name] = summary
    return {"objectives": objectives, "differences": differences}


def mean_interval(values: Sequence[float], pairs: int) -> list[float] | None:
    """Computes the 95% interval of the mean over seeds: mean +- t * s / sqrt(n), t with n - 1 degrees of freedom.

    Args:
        values: accuracies, or differences of two, one per seed.
        pairs: number of pairs they are computed on. Accuracies of m pairs have steps of 1 / m, which is the minimum of
            the standard deviation s.

    Returns:
        [low, high]; None with one seed, which carries no information about others.
    """
    if len(values) < 2:
        return None
    mean, error = _mean_and_error(values, pairs)
    margin = float(stdtrit(len(values) - 1, 1 - ALPHA / 2)) * error
    return [mean - margin, mean + margin]


def paired_differences(accuracies: Mapping[str, Sequence[float]], pairs: int) -> list[dict[str, Any]]:
    """Computes the paired differences between every two objectives; effects of a seed on both cancel.

    Args:
        accuracies: by objective, the test accuracy of each seed, seeds in the same order.
        pairs: number of test pairs.

    Returns:
        For every two objectives: `above` and `below`, their names by descending mean; `difference` of the means, 0 or
        more; `ci95`, see `mean_interval`; `p` of the paired t-test after Holm's correction for all differences;
        `told_apart`, True for p below 0.05. With one seed, `ci95` and `p` are None.

    Raises:
        SiameseError: objectives with different numbers of accuracies, or none.

    Reference:
        S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979.
    """
    counts = {name: len(values) for name, values in accuracies.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise SiameseError(
            f"every objective must have the same number of runs, with the same seeds, and at least one; got {counts}"
        )
    ranked = sorted(accuracies, key=lambda name: -float(np.mean(accuracies[name])))
    seeds = counts[ranked[0]]
    rows: list[dict[str, Any]] = []
    for above, below in combinations(ranked, 2):
        values = np.subtract(accuracies[above], accuracies[below]).tolist()
        mean, error = _mean_and_error(values, pairs)
        p = 2 * float(stdtr(seeds - 1, -abs(mean) / error)) if seeds > 1 else None
        interval = mean_interval(values, pairs)
        rows.append({"above": above, "below": below, "difference": mean, "ci95": interval, "p": p})
    if seeds > 1:
        for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
            row["p"] = p
    return [{**row, "told_apart": row["p"] is not None and row["p"] < ALPHA} for row in rows]


def holm(p_values: Sequence[float]) -> list[float]:
    """Applies Holm's correction: multiplies the k-th smallest of m by m - k + 1, keeping the order monotonic."""
    count, highest = len(p_values), 0.0
    corrected = [0.0] * count
    for rank, position in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (count - rank) * p_values[position]))
        corrected[position] = highest
    return corrected


def comparison_lines(comparison: Mapping[str, Any]) -> list[str]:
    """Formats the dict of `compare_records`: a table, and sentences on the differences and the seed noise."""
    rows = [["objective", "test accuracy", "validation", "AUC", "EER", "seconds"]]
    for name, numbers in comparison["objectives"].items():
        accuracy = numbers["test_accuracy"]
        interval = " ({:.4f} to {:.4f})".format(*accuracy["ci95"]) if accuracy["ci95"] else ""
        more = [f"{numbers[key]['mean']:.4f}" for key in ("validation_accuracy", "auc", "eer")]
        rows.append([name, f"{accuracy['mean']:.4f}{interval}", *more, f"{numbers['seconds']['mean']:.0f}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*table, "", *comparison_sentences(comparison)]


def comparison_sentences(comparison: Mapping[str, Any]) -> list[str]:
    """Describes the differences in the dict of `compare_records`, and which of them exceed seed noise."""
    differences = comparison["differences"]
    seeds = {len(numbers["test_accuracy"]["values"]) for numbers in comparison["objectives"].values()}
    if seeds == {1}:
        return ["With one seed, the seed noise is unknown: no difference between objectives can be established."]
    lines = [_sentence(row) for row in differences]
    lines.append(
        f"Means over {seeds.pop()} seeds, all with the same test pairs; in brackets, 95% intervals (Student's t) of the"
        " mean over all seeds."
    )
    if len(differences) == 1:
        lines.append("p: paired t-test.")
    elif differences:
        lines.append(f"p: paired t-test, corrected for {len(differences)} comparisons (Holm); the intervals are not.")
    return [*lines, "The uncertainty over test images is larger: see test_ci95 in the record of each run."]


def _sentence(row: Mapping[str, Any]) -> str:
    size = "{:.5f} ({:.5f} to {:.5f})".format(row["difference"], *row["ci95"])
    p = "p < 0.001" if row["p"] < 0.001 else f"p = {row['p']:.3f}"
    if row["told_apart"]:
        return f"{row['above']} is above {row['below']} by {size}, {p}: more than seed noise."
    return f"{row['above']} and {row['below']} do not differ significantly: {row['above']} is above by {size}, {p}."


def _mean_and_error(values: Sequence[float], pairs: int) -> tuple[float, float]:
    """Returns the mean and its standard error, 0 for a single value."""
    if len(values) < 2:
        return float(np.mean(values)), 0.0
    spread = max(float(np.std(values, ddof=1)), 1 / pairs)
    return float(np.mean(values)), spread / len(values) ** 0.5
