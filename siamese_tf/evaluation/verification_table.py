"""The report of a verification as plain lines for people."""

from collections.abc import Mapping
from typing import Any

from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.report import OUTCOMES

LABELS = {
    "accuracy": "accuracy",
    "f1": "F1",
    "auc": "AUC",
    "eer": "EER (lower is better)",
    "fmr": "FMR (lower is better)",
    "fnmr": "FNMR (lower is better)",
}


def verification_lines(report: Mapping[str, Any]) -> list[str]:
    """The report of `verify_model`: each rate with its interval, outcomes, and folds where there are some.

    An FNMR at an FMR that the data cannot support reads "refused", and the last lines say what it would take.
    """
    counts = report["confusion"]
    same, different = counts["tp"] + counts["fn"], counts["fp"] + counts["tn"]
    chosen, folds = report["chosen"], report["folds"]
    lines = [
        f"{report['part']} pairs: {same:,} same and {different:,} different, of {report['people']:,} people",
        f"threshold {report['threshold']:.4f}{' (the mean)' if folds else ''}: {chosen}",
        "",
        f"{'':<24}{'':>8}  95% interval over people",
    ]
    rates = {label: (report[name], report["ci95"][name]) for name, label in LABELS.items()}
    for fmr, fnmr in report["fnmr_at_fmr"].items():
        rates[f"FNMR at FMR {fmr}"] = (fnmr, report["ci95"]["fnmr_at_fmr"][fmr])
    for label, (rate, interval) in rates.items():
        row = f"{label:<24}{'refused':>8}" if rate is None else f"{label:<24}{rate:>8.4f}  {_range(interval)}"
        lines.append(row)
    lines += [f"{label:<28}{counts[name]:>8,}" for label, name in OUTCOMES.items()]
    if folds is not None:
        lines += ["", *_fold_lines(folds)]
    refused = [
        f"FNMR at FMR {fmr}: needs {metrics.pairs_needed(float(fmr)):,} different pairs, has {different:,}."
        for fmr, fnmr in report["fnmr_at_fmr"].items()
        if fnmr is None
    ]
    return lines + (["", *refused] if refused else [])


def _fold_lines(folds: Mapping[str, Any]) -> list[str]:
    lines = [f"{len(folds['folds'])} folds, mean and standard error:"]
    for name in ("accuracy", "eer", "fmr", "fnmr"):
        lines.append(f"{LABELS[name]:<24}{folds[name]['mean']:>8.4f} +- {folds[name]['standard_error']:.4f}")
    if shared := folds["people_in_several_folds"]:
        lines.append(f"{shared:,} people are in more than one fold: the threshold is not chosen on strangers alone.")
    return lines


def _range(interval: list[float]) -> str:
    return "{:.4f}-{:.4f}".format(*interval)
