"""Scoring of the pairs of a CSV file: embeds every distinct image once and reports unusable images row by row."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from siamese_tf.data.pairs.csv_rows import COLUMNS, TextLines, csv_batches, csv_columns, describe_field_count
from siamese_tf.errors import PairFileError
from siamese_tf.inference.embed_files import embed_files
from siamese_tf.models.pair_scorer import PAIR_BLOCK
from siamese_tf.models.probability import probability
from siamese_tf.models.siamese_model import SiameseModel

ADDED = ("probability", "same", "error")
SIMILARITIES = {"", "0", "1"}
NO_PATH = "the paths in img1 and img2 must not be empty; got an empty path; add it"


@dataclass(frozen=True)
class _Row:
    """One line: as many fields as the header has, the fields that scoring needs, and an error or an empty string."""

    fields: list[str]
    img1: str
    img2: str
    similarity: str
    error: str


@dataclass(frozen=True)
class CsvSummary:
    """Result of scoring a CSV file.

    Attributes:
        pairs: number of rows.
        scored: number of rows with a score.
        unreadable: error messages by image path.
        accuracy: fraction of correct decisions over the scored rows with a similarity; None without such rows.
    """

    pairs: int
    scored: int
    unreadable: dict[str, str]
    accuracy: float | None

    def lines(self) -> list[str]:
        """Returns the summary as lines of text."""
        lines = [f"{self.scored:,} of {self.pairs:,} pairs scored"]
        if self.accuracy is not None:
            lines[0] += f", accuracy {self.accuracy:.4f}"
        return lines + [f"unreadable: {error}" for error in self.unreadable.values()]


def score_csv(
    model: SiameseModel, path: str | Path, out: IO[str], track: Callable[[Iterable, str], Iterable] = lambda it, _: it
) -> CsvSummary:
    """Scores every row of a CSV file and writes one row for each, in the same order.

    Args:
        model: model that scores the pairs.
        path: path of a UTF-8 CSV file with the columns `img1`, `img2` and optionally `similarity` (1 = same, 0 =
            different, or empty); the image paths are relative to its folder. Other columns are copied.
        out: text file for all columns in their order, followed by `probability` (higher is more similar), `same` (1 if
            probability >= the model's threshold, else 0) and `error`. The first two are empty in a row with an error:
            an image that cannot be read or compared, or more fields than the header (the extra ones are dropped).
        track: function (iterable, description) that wraps an iterable in a progress bar.

    Raises:
        PairFileError: if the CSV file is missing or empty, lacks a required column, has a duplicate column, or
            already has a column that would be added.
    """
    columns, rows = _read_rows(Path(path))
    names = dict.fromkeys(name for row in rows if not row.error for name in (row.img1, row.img2))
    errors = {"": NO_PATH} if "" in names else {}
    number = {name: position for position, name in enumerate(filter(None, names))}
    embeddings, reasons = embed_files(model, (Path(path).parent / name for name in track(list(number), "images")))
    errors |= {name: _cut_name(name, error) for name, error in zip(number, reasons, strict=True) if error}
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*columns, *ADDED])
    scored = labeled = correct = 0
    for start in track(range(0, len(rows), PAIR_BLOCK), "pairs"):
        block = rows[start : start + PAIR_BLOCK]
        found = [row.error or errors.get(row.img1) or errors.get(row.img2) for row in block]
        usable = [row for row, error in zip(block, found, strict=True) if not error]
        img1 = np.array([number[row.img1] for row in usable], int)
        img2 = np.array([number[row.img2] for row in usable], int)
        scores = np.full(len(block), np.nan)
        scores[[not error for error in found]] = probability(model.pair_logits(embeddings, img1, img2))
        for row, error, score in zip(block, found, scores, strict=True):
            if not (error or np.isfinite(score)):
                error = "the score of this pair is not finite; check the model with evaluate"
            if error:
                writer.writerow([*row.fields, "", "", error])
                continue
            same = int(score >= model.threshold)
            writer.writerow([*row.fields, f"{score:.6f}", same, ""])
            scored += 1
            if row.similarity:
                labeled += 1
                correct += same == int(row.similarity)
    return CsvSummary(len(rows), scored, errors, correct / labeled if labeled else None)


def _read_rows(path: Path) -> tuple[list[str], list[_Row]]:
    lines, name = TextLines(path), str(path)
    columns = csv_columns(lines, name, COLUMNS[:2])
    if taken := [column for column in ADDED if column in columns]:
        raise PairFileError(
            f"{path} must not have the columns {', '.join(ADDED)}, which are added; got {taken[0]}. Rename {taken[0]}"
        )
    if "similarity" in columns:
        _check_similarity(lines, name, columns)
    rows = [_row(columns, fields) for batch in csv_batches(lines, name) for fields in filter(None, batch.rows)]
    if not rows:
        raise PairFileError(
            f"{path} must have at least one pair below its header; got none. Add lines such as a.png,b.png"
        )
    return columns, rows


def _check_similarity(lines: TextLines, name: str, columns: list[str]) -> None:
    """Raises a `PairFileError` for an invalid similarity, before all rows are read into memory."""
    position = columns.index("similarity")
    for batch in csv_batches(lines, name):
        if not batch.is_well_formed(len(columns), {position: SIMILARITIES}):
            for number, fields in batch.numbered():
                if position < len(fields) <= len(columns) and fields[position] not in SIMILARITIES:
                    raise PairFileError(
                        f"{name}, line {number}: similarity must be 1 (same), 0 (different) or empty; got"
                        f" {fields[position]!r:.200}. Correct it"
                    )


def _row(columns: list[str], fields: list[str]) -> _Row:
    """Returns the row of a line; missing fields at the end are empty, extra ones are an error and dropped."""
    error = describe_field_count(fields, columns) if len(fields) > len(columns) else ""
    row = fields[: len(columns)] + [""] * (len(columns) - len(fields))
    by_name = dict(zip(columns, row, strict=True))
    return _Row(row, by_name["img1"], by_name["img2"], by_name.get("similarity", ""), error)


def _cut_name(name: str, error: str) -> str:
    """Shortens a long file name in an error message about the file."""
    shown = str(Path(name))  # its form in the message
    return error.replace(shown, f"{shown:.200}", 1)
