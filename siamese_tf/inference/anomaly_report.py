"""Files of a search for anomalies: a table, JSON, and a web page."""

import csv
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from siamese_tf.files import atomic_write, is_private
from siamese_tf.inference.anomalies import Anomaly, AnomalyReport
from siamese_tf.inference.image_page import figure, image_page

TABLE, DATA, PAGE = "anomalies.csv", "anomalies.json", "anomalies.html"
MAX_CARDS = 200  # images on the page, the most unusual ones


def write_anomaly_report(
    report: AnomalyReport, folder: str | Path, reference: str | Path, out: str | Path, **more: Any
) -> None:
    """Writes TABLE, DATA and PAGE.

    Args:
        report: result of `find_anomalies`.
        folder, reference: its folders.
        out: folder to write to.
        more: further keys of DATA, plain values.
    """
    out, private = Path(out), is_private(folder) or is_private(reference)
    with atomic_write(out / TABLE, "w", private=private) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Anomaly)])
        for one in report.images:
            row = asdict(one)
            writer.writerow([value if isinstance(value, str) else f"{value:.6g}" for value in row.values()])
    with atomic_write(out / DATA, "w", private=private) as file:
        json.dump({**asdict(report), **more}, file, indent=2)
    with atomic_write(out / PAGE, "w", private=private) as file:
        file.write(_page(report, Path(folder), Path(reference)))


def summary_lines(report: AnomalyReport) -> list[str]:
    """Returns the number of images, and how many are more unusual than 99 of 100 references are among themselves."""
    unusual = sum(one.tail_probability <= 0.01 for one in report.images)
    lines = [f"images: {len(report.images):,}, references: {report.references:,}"]
    if report.references >= 99:
        lines.append(f"images with a tail probability of at most 0.01: {unusual:,}")
    else:
        lowest = 1 / (1 + report.references)
        lines.append(f"with {report.references} references, the lowest tail probability is {lowest:.3f}")
    return lines


def _page(report: AnomalyReport, folder: Path, reference: Path) -> str:
    shown = report.images[:MAX_CARDS]
    order = f"The {len(shown):,} most unusual images, each beside the reference that it resembles most."
    return image_page("Anomalies", [*summary_lines(report), order], (_card(one, folder, reference) for one in shown))


def _card(one: Anomaly, folder: Path, reference: Path) -> str:
    probabilities = f"tail probability {one.tail_probability:.4f}, probability of a match {one.match_probability:.4f}"
    return f"<p>{probabilities}, score {one.score:.2f}</p>{figure(folder / one.image, one.image)}" + figure(
        reference / one.reference, f"nearest reference: {one.reference}"
    )
