"""CSV lists of image pairs: the first line names the columns `img1,img2,similarity` and optionally `split` and `group`.

The group is that of both images of a pair, such as their alphabet; it is empty for a pair across groups.
"""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from siamese_tf.data.pairs.csv_rows import (
    COLUMNS,
    CsvBatch,
    TextLines,
    csv_batches,
    csv_columns,
    describe_field_count,
)
from siamese_tf.data.pairs.listed_pairs import ListedPairs
from siamese_tf.data.pairs.pair_file import PARTS, TRAIN
from siamese_tf.errors import PairFileError
from siamese_tf.files import atomic_write

VALUES = {"similarity": {"0", "1"}, "split": {*PARTS}}  # allowed values of these columns


def parse_csv(lines: TextLines | Sequence[str], name: str) -> ListedPairs:
    """Parses a CSV list of pairs.

    Args:
        lines: lines with their line ends; iterated twice, since all rows are checked before any is stored.
        name: name of the list in messages.

    Raises:
        PairFileError: if the list is invalid; the message gives the line number.
    """
    columns = csv_columns(lines, name, COLUMNS[:3])
    img1, img2, similarity = map(columns.index, COLUMNS[:3])
    split = columns.index("split") if "split" in columns else None
    _check_rows(lines, name, columns)
    listed, parts = ListedPairs(), {part: number for number, part in enumerate(PARTS)}
    for batch in csv_batches(lines, name):
        rows = [*filter(None, batch.rows)]
        listed.add(
            [row[img1] for row in rows],
            [row[img2] for row in rows],
            [int(row[similarity]) for row in rows],
            [TRAIN if split is None else parts[row[split]] for row in rows],
        )
        if "group" in columns:
            _add_groups(listed.groups, batch, columns, name)
    if not listed.img1:
        raise PairFileError(f"{name} must have a pair in each line below the first; got no pairs. Add pairs")
    return listed


def _add_groups(groups: dict[str, str], batch: CsvBatch, columns: list[str], name: str) -> None:
    """Adds the group of each image in the rows; an image may have one group only."""
    img1, img2, group = (columns.index(column) for column in ("img1", "img2", "group"))
    for number, fields in batch.numbered():
        for image in (fields[img1], fields[img2]) if fields[group] else ():
            if (known := groups.setdefault(image, fields[group])) != fields[group]:
                raise PairFileError(
                    f"{name}, line {number}: an image must be in one group; got {image!r:.100} in {known!r:.100} and"
                    f" {fields[group]!r:.100}. Correct it"
                )


def _check_rows(lines: TextLines | Sequence[str], name: str, columns: list[str]) -> None:
    values = {columns.index(column): allowed for column, allowed in VALUES.items() if column in columns}
    images = [columns.index(column) for column in COLUMNS[:2]]
    for batch in csv_batches(lines, name):
        if not batch.is_well_formed(len(columns), values, images):
            for number, fields in batch.numbered():
                if problem := _problem(fields, columns):
                    raise PairFileError(f"{name}, line {number}: {problem}. Correct it")


def _problem(fields: list[str], columns: list[str]) -> str:
    """Returns a description of the error in a row; empty if the row is valid."""
    if problem := describe_field_count(fields, columns):
        return problem
    row = dict(zip(columns, fields, strict=True))
    if row["similarity"] not in VALUES["similarity"] or not (row["img1"] and row["img2"]):
        return f"a row must have two images and similarity 1 (same) or 0 (different); got {','.join(fields)!r:.200}"
    if row.get("split", PARTS[TRAIN]) not in VALUES["split"]:
        return f"split must be one of {', '.join(PARTS)}; got {row['split']!r:.200}"
    return ""


def write_csv_pairs(
    path: str | Path,
    folder: str | Path,
    paths: Sequence[str],
    pairs: Mapping[int, tuple[np.ndarray, np.ndarray, np.ndarray]],
    *,
    groups: Sequence[str] | None = None,
    private: bool = False,
) -> None:
    """Writes pairs of image files as a CSV list that `csv_pairs` reads, with paths relative to the list's folder.

    Args:
        path: path of the list.
        folder: folder of the images.
        paths: path of each image, relative to `folder`.
        pairs: img1 and img2, positions in `paths`, (m,), and similarity, (m,), 1 = same; by TRAIN, VALIDATION or TEST.
        groups: name of the group of each image, or None without groups.
        private: if True, only the owner can read the list, since its paths may name people.
    """
    relative = Path(os.path.relpath(os.path.realpath(folder), os.path.realpath(Path(path).parent)))
    prefix = os.fsencode(relative.as_posix()).decode("utf-8")
    with atomic_write(path, "w", private=private) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS if groups else COLUMNS[:4])
        for part, columns in pairs.items():
            for img1, img2, similarity in zip(*(column.tolist() for column in columns), strict=True):
                row = [f"{prefix}/{paths[img1]}", f"{prefix}/{paths[img2]}", similarity, PARTS[part]]
                if groups:
                    row.append(groups[img1] if groups[img1] == groups[img2] else "")
                writer.writerow(row)
