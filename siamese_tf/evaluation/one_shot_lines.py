"""Reports of one-shot tests as lines of text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from siamese_tf.evaluation.jackknife import MIN_CLUSTERS
from siamese_tf.evaluation.one_shot import name_of

WIDTH = 26  # of the names of the numbers


def one_shot_lines(report: Mapping[str, Any], class_names: Sequence[str]) -> list[str]:
    """Formats the dict of `one_shot_report` or `trial_report` as lines of text.

    Classes without a name are shown by their label. The entry `against`, if there is one, is that of
    `paired_difference`.
    """
    count, over = report["ci95_count"], report["ci95_over"]
    interval = "{:.4f} to {:.4f}".format(*report["ci95"]) if count >= MIN_CLUSTERS else f"requires {MIN_CLUSTERS}"
    correct = f"{report['correct']:,} of {report['episodes']:,}, " if "correct" in report else ""
    return [
        f"{report['ways']}-way {report['shots']}-shot, {report['episodes']:,} episodes",
        _row("accuracy", f"{report['accuracy']:.4f}  ({correct}chance {report['chance']:.4f})"),
        _row(f"95% interval over {over}", f"{interval}  ({count:,} {over})"),
        *_hardest_lines(report, class_names),
        *_group_lines(report),
        *_run_lines(report),
        *_against_lines(report),
    ]


def _hardest_lines(report: Mapping[str, Any], class_names: Sequence[str]) -> Iterator[str]:
    if "hardest" in report:
        hardest = report["hardest"]
        name = name_of(hardest["label"], class_names)
        yield _row("hardest class", f"{hardest['accuracy']:.4f}  ({name}, {hardest['queries']:,} queries)")


def _run_lines(report: Mapping[str, Any]) -> Iterator[str]:
    if "runs" in report:
        yield "accuracy by run"
        for run in report["runs"]:
            yield _row(f"  {run['name']}", f"{run['accuracy']:.4f}  ({run['correct']} of {run['trials']})")
        assigned = report["one_to_one_assignment"]
        yield "with one-to-one assignment (not comparable)"
        yield _row("  accuracy", f"{assigned['accuracy']:.4f}  ({assigned['correct']:,} of {report['episodes']:,})")


def _row(name: str, value: str) -> str:
    return f"{name:{WIDTH}} {value}"


def _group_lines(report: Mapping[str, Any]) -> Iterator[str]:
    if "groups" in report:
        yield "accuracy by group, the hardest first"
        width = max(WIDTH, *(len(group["name"]) + 2 for group in report["groups"]))
        for group in report["groups"]:
            yield _row(f"  {group['name']:{width - 2}}", f"{group['accuracy']:.4f}  ({group['queries']:,} queries)")


def _against_lines(report: Mapping[str, Any]) -> Iterator[str]:
    if "against" in report:
        low, high = report["against"]["ci95"]
        enough = report["ci95_count"] >= MIN_CLUSTERS
        interval = f"{low:+.4f} to {high:+.4f}" if enough else f"requires {MIN_CLUSTERS}"
        yield _row("against the other model", f"{report['against']['difference']:+.4f}  ({interval})")
