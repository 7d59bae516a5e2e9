"""Files of a search for duplicates: a table, JSON, and a web page."""

import csv
import json
from pathlib import Path
from typing import Any

from siamese_tf.files import atomic_write, is_private
from siamese_tf.inference.duplicate_pair import DuplicatePair
from siamese_tf.inference.duplicates import DuplicateReport
from siamese_tf.inference.image_page import figure, image_page

TABLE, DATA, PAGE = "duplicates.csv", "duplicates.json", "duplicates.html"
COLUMNS = ("group", "path", "representative", "kind", "match", "score", "turns", "mirrored", "bytes", "width", "height")
MAX_GROUPS, MAX_FIGURES = 200, 12  # groups on the page, and images of a group


def write_duplicate_report(report: DuplicateReport, folder: str | Path, out: str | Path) -> None:
    """Writes TABLE, DATA and PAGE.

    Args:
        report: result of `find_duplicates`.
        folder: its folder.
        out: folder to write to.
    """
    out, private, groups = Path(out), is_private(folder), group_rows(report)
    with atomic_write(out / TABLE, "w", private=private) as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for number, group in enumerate(groups, start=1):
            writer.writerows({**row, "group": number} for row in group)
    with atomic_write(out / DATA, "w", private=private) as file:
        json.dump({"groups": [{"images": group} for group in groups], "unreadable": report.unreadable}, file, indent=2)
    with atomic_write(out / PAGE, "w", private=private) as file:
        cards = (_card(number, group, Path(folder)) for number, group in enumerate(groups[:MAX_GROUPS], start=1))
        file.write(image_page("Duplicates", summary_lines(report), cards))


def group_rows(report: DuplicateReport) -> list[list[dict[str, Any]]]:
    """Returns the images of each group as dicts of plain values, the representative first.

    The other images have the kind and the score of their best pair, the image that it is with, and how the one of the
    two that comes later in the report is turned into the other.
    """
    best: dict[int, DuplicatePair] = {}
    for pair in report.pairs:
        for image in (pair.first, pair.second):
            if image not in best or pair.score > best[image].score:
                best[image] = pair
    return [
        [_row(report, image, best[image] if position else None) for position, image in enumerate(members)]
        for members in report.groups
    ]


def summary_lines(report: DuplicateReport) -> list[str]:
    """Returns the numbers of images, groups and unreadable files, and the size of all but one image of each group."""
    removable = [image for group in report.groups for image in group[1:]]
    size = sum(report.bytes[image] for image in removable)
    lines = [
        f"images: {len(report.names):,}, groups of duplicates: {len(report.groups):,}",
        f"images beside the representative of their group: {len(removable):,} ({size / 1e6:,.1f} MB)",
    ]
    return lines + ([f"unreadable files: {len(report.unreadable):,}"] if report.unreadable else [])


def _row(report: DuplicateReport, image: int, pair: DuplicatePair | None) -> dict[str, Any]:
    width, height = report.sizes[image]
    row = {"path": report.names[image], "representative": pair is None}
    if pair is not None:
        other = report.names[pair.first if image == pair.second else pair.second]
        row |= {"kind": pair.kind, "match": other, "score": round(pair.score, 4)}
        row |= {"turns": pair.turns, "mirrored": pair.mirrored}
    return row | {"bytes": report.bytes[image], "width": width, "height": height}


def _card(number: int, group: list[dict[str, Any]], folder: Path) -> str:
    shown = [figure(folder / row["path"], f"{row['path']} ({_describe(row)})") for row in group[:MAX_FIGURES]]
    more = f"<p>and {len(group) - MAX_FIGURES:,} more</p>" if len(group) > MAX_FIGURES else ""
    return f"<p>Group {number}, images: {len(group):,}</p>{''.join(shown)}{more}"


def _describe(row: dict[str, Any]) -> str:
    size = f"{row['width']}x{row['height']}, {row['bytes']:,} bytes"
    return f"representative, {size}" if row["representative"] else f"{row['kind']} {row['score']:.4f}, {size}"
