"""The printed form of a verification report."""

from collections.abc import Mapping
from typing import Any

from siamese_tf.evaluation.jackknife import MIN_CLUSTERS
from siamese_tf.evaluation.report import OUTCOMES
from siamese_tf.evaluation.roc import min_different_pairs
from siamese_tf.evaluation.verification import FNMR_PAIRS_OF_PEOPLE

LABELS = {
    "accuracy": "accuracy",
    "f1": "F1",
    "auc": "AUC",
    "eer": "EER (lower is better)",
    "fmr": "FMR (lower is better)",
    "fnmr": "FNMR (lower is better)",
}


def verification_lines(report: Mapping[str, Any]) -> list[str]:
    """Formats the report of `verify_model`: each rate with its interval, the outcomes, and the folds if there are any.

    An FNMR at an FMR, or an interval, that the data cannot support reads "refused", and the last lines state what it
    needs.
    """
    counts = report["confusion"]
    same, different = counts["tp"] + counts["fn"], counts["fp"] + counts["tn"]
    chosen, folds = report["chosen"], report["folds"]
    lines = [
        f"{report['part']} pairs: {same:,} same and {different:,} different, of {report['people']:,} people",
        f"threshold {report['threshold']:.4f}{' (the mean)' if folds else ''}: {chosen}",
        "",
        f"{'':<24}{'':>8}  95% interval over {report['ci95_count']:,} {report['ci95_over']}",
    ]
    few = report["ci95_count"] < MIN_CLUSTERS
    rates = {label: (report[name], report["ci95"][name]) for name, label in LABELS.items()}
    for fmr, fnmr in report["fnmr_at_fmr"].items():
        rates[f"FNMR at FMR {fmr}"] = (fnmr, report["ci95"]["fnmr_at_fmr"][fmr])
    for label, (rate, interval) in rates.items():
        if rate is None:
            lines.append(f"{label:<24}{'refused':>8}")
            continue
        ends = "refused" if few or interval is None else "{:.4f}-{:.4f}".format(*interval)
        lines.append(f"{label:<24}{rate:>8.4f}  {ends}")
    lines += [f"{label:<28}{counts[name]:>8,}" for label, name in OUTCOMES.items()]
    if folds is not None:
        lines += ["", *_fold_lines(folds)]
    return lines + _refusals(report, different)


def _refusals(report: Mapping[str, Any], different: int) -> list[str]:
    over, count, distinct = report["ci95_over"], report["ci95_count"], report["ci95_pairs"]
    lines = []
    if count < MIN_CLUSTERS:
        lines.append(f"95% intervals: need {MIN_CLUSTERS} {over}, have {count}.")
    for fmr, fnmr in report["fnmr_at_fmr"].items():
        if fnmr is None:
            needed = min_different_pairs(float(fmr))
            lines.append(f"FNMR at FMR {fmr}: needs {needed:,} different pairs, has {different:,}.")
        elif report["ci95"]["fnmr_at_fmr"][fmr] is None and count >= MIN_CLUSTERS:
            needed = FNMR_PAIRS_OF_PEOPLE[fmr]
            lines.append(f"95% interval at FMR {fmr}: needs {needed:,} different pairs of {over}, has {distinct:,}.")
    return ["", *lines] if lines else []


def _fold_lines(folds: Mapping[str, Any]) -> list[str]:
    lines = [f"{len(folds['folds'])} folds, mean and standard error:"]
    for name in ("accuracy", "eer", "fmr", "fnmr"):
        lines.append(f"{LABELS[name]:<24}{folds[name]['mean']:>8.4f} +- {folds[name]['standard_error']:.4f}")
    if shared := folds["people_in_several_folds"]:
        lines.append(f"{shared:,} people are in more than one fold: the threshold is not chosen on strangers alone.")
    return lines
