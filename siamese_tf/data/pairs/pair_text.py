"""Lists of pairs as text: which images, whether they are similar, and which part or fold they belong to.

A CSV list has a first line with the columns `img1,img2,similarity` and perhaps `split`. A list in the form of LFW's
`pairs.txt` says in its first line how many folds there are, and how many similar pairs, and as many dissimilar ones,
each has (one number alone is that of a single fold); a similar pair is `name n1 n2`, a dissimilar one
`name1 n1 name2 n2`.
"""

import csv
import os
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from siamese_tf.data.pairs.csv_rows import (
    BATCH_ROWS,
    COLUMNS,
    TextLines,
    csv_batches,
    csv_columns,
    describe_field_count,
)
from siamese_tf.data.pairs.pair_file import PARTS, TEST, TRAIN
from siamese_tf.errors import PairFileError
from siamese_tf.files import atomic_write

NUMBER = re.compile(r"[0-9]{1,6}")
VALUES = {"similarity": {"0", "1"}, "split": {*PARTS}}  # what a row of a list for training may have there


@dataclass
class ListedPairs:
    """Pairs as they are read, line by line: two names of images, similarity (1 = same), part, and fold from 0.

    Equal names are one object, and numbers take a byte or four: a short line is not to take much more memory than disk.
    """

    img1: list[str] = field(default_factory=list)
    img2: list[str] = field(default_factory=list)
    similarity: "array[int]" = field(default_factory=lambda: array("B"))
    split: "array[int]" = field(default_factory=lambda: array("B"))
    fold: "array[int]" = field(default_factory=lambda: array("I"))
    names: dict[str, str] = field(default_factory=dict)

    def add(
        self, img1: list[str], img2: list[str], similarity: list[int], split: list[int], fold: list[int] | None = None
    ) -> None:
        """Adds k pairs: two names, similarity, part and fold of each."""
        self.img1.extend(map(self.names.setdefault, img1, img1))
        self.img2.extend(map(self.names.setdefault, img2, img2))
        self.similarity.extend(similarity)
        self.split.extend(split)
        self.fold.extend(fold or [0] * len(img1))


def is_list(path: str | Path) -> bool:
    """Whether a name is that of a list of image files, and not of a pair file."""
    return Path(path).suffix.lower() == ".csv" or is_lfw(path)


def is_lfw(path: str | Path) -> bool:
    """Whether a name is that of a list in the form of LFW's `pairs.txt`, whose images may stand elsewhere."""
    return Path(path).suffix.lower() == ".txt"


def parse_csv(lines: TextLines | Sequence[str], name: str) -> ListedPairs:
    """The pairs of a CSV list.

    Args:
        lines: with their ends; gone through twice, so that nothing is kept of a list that is refused.
        name: what the messages call it.

    Raises:
        PairFileError: it is none; the message names the line.
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
    if not listed.img1:
        raise PairFileError(f"{name} holds no pairs below its first line. Write one on each line")
    return listed


def _check_rows(lines: TextLines | Sequence[str], name: str, columns: list[str]) -> None:
    values = {columns.index(column): allowed for column, allowed in VALUES.items() if column in columns}
    images = [columns.index(column) for column in COLUMNS[:2]]
    for batch in csv_batches(lines, name):
        if not batch.is_well_formed(len(columns), values, images):
            for number, fields in batch.numbered():
                if problem := _problem(fields, columns):
                    raise PairFileError(f"{name}, line {number}: {problem}. Correct it")


def _problem(fields: list[str], columns: list[str]) -> str:
    """Says what is wrong with a row; empty where nothing is."""
    if problem := describe_field_count(fields, columns):
        return problem
    row = dict(zip(columns, fields, strict=True))
    if row["similarity"] not in VALUES["similarity"] or not (row["img1"] and row["img2"]):
        return f"expected two images and a similarity of 1 (same) or 0 (different); got {','.join(fields)!r:.200}"
    if row.get("split", PARTS[TRAIN]) not in VALUES["split"]:
        return f"split is {row['split']!r:.200}; expected {', '.join(PARTS)}"
    return ""


def parse_lfw(lines: TextLines | Sequence[str], name: str) -> ListedPairs:
    """The pairs of a list in the form of LFW's, images as `name/name_0001`.

    Args:
        lines: with or without their ends; gone through twice, so that nothing is kept of a list that is refused.
        name: what the messages call it.

    Raises:
        PairFileError: it is none; the message names the pair.
    """
    counts = next(iter(lines), "").split()
    if len(counts) not in (1, 2) or not all(NUMBER.fullmatch(count) and int(count) for count in counts):
        raise PairFileError(
            f"the first line of {name} must say the number of folds and of similar pairs in each, as in '10 300'; it is"
            f" {' '.join(counts)!r:.100}. Name a list in the form of LFW's pairs.txt, or a .csv file"
        )
    folds, each = int(counts[0]) if len(counts) == 2 else 1, int(counts[-1])
    _check_lfw(lines, name, folds, each)
    listed = ListedPairs()
    for number, rows in _lfw_batches(lines):
        listed.add(
            [_image(row[0], row[1]) for row in rows],
            [_image(row[2] if len(row) == 4 else row[0], row[-1]) for row in rows],
            [int(len(row) == 3 or row[0] == row[2]) for row in rows],
            [TEST] * len(rows),
            [place // (2 * each) for place in range(number, number + len(rows))],
        )
    return listed


def _lfw_batches(lines: Iterable[str]) -> Iterator[tuple[int, list[list[str]]]]:
    """Yields how many pairs come before, and the words of the next pairs."""
    number, remaining = 0, islice(lines, 1, None)
    while batch := [*islice(remaining, BATCH_ROWS)]:
        rows = [*filter(None, map(str.split, batch))]
        yield number, rows
        number += len(rows)


def _check_lfw(lines: Iterable[str], name: str, folds: int, each: int) -> None:
    expected, found = 2 * folds * each, 0
    lengths = ([3] * each + [4] * each) * (1 + BATCH_ROWS // each)
    for number, rows in _lfw_batches(lines):
        start = number % (2 * each)
        if [*map(len, rows)] != lengths[start : start + len(rows)] or not _are_pairs(rows):
            for place, row in enumerate(rows[: expected - number], start=number):
                _check_lfw_pair(row, place, each, name)
        found = number + len(rows)
        if found > expected:
            break
    if found != expected:
        number_found = f"more than {expected:,}" if found > expected else f"{found:,}"
        raise PairFileError(
            f"{name} has {number_found} pairs; expected {expected:,}: {folds} folds with {each} similar and {each}"
            " dissimilar pairs. Fetch or write it again"
        )


def _are_pairs(rows: list[list[str]]) -> bool:
    """Whether rows of three or four words are similar and dissimilar pairs; all at once, which is faster."""
    dissimilar = [row for row in rows if len(row) == 4]
    people = {row[0] for row in rows} | {row[2] for row in dissimilar}
    numbers = {row[1] for row in rows} | {row[-1] for row in rows}
    return _are_names(people, numbers) and not any(row[0] == row[2] for row in dissimilar)


def _are_names(people: Iterable[str], numbers: Iterable[str]) -> bool:
    no_folders = all(os.path.basename(person) == person not in (os.curdir, os.pardir) for person in people)
    return no_folders and all(map(NUMBER.fullmatch, numbers))


def _check_lfw_pair(row: list[str], place: int, each: int, name: str) -> None:
    similar = place % (2 * each) < each
    words = [row[0], row[1], row[0], row[2]] if similar and len(row) == 3 else row
    if len(words) != 4 or similar != (words[0] == words[2]) or not _are_names(words[::2], words[1::2]):
        expected = "name n1 n2" if similar else "name1 n1 name2 n2, two people"
        raise PairFileError(f"{name}, pair {place + 1}: {' '.join(row)!r:.200}; expected {expected}. Correct it")


def _image(person: str, number: str) -> str:
    return f"{person}/{person}_{int(number):04d}"


def write_csv_pairs(
    path: str | Path,
    folder: str | Path,
    paths: Sequence[str],
    pairs: Mapping[int, tuple[np.ndarray, np.ndarray, np.ndarray]],
    *,
    private: bool = False,
) -> None:
    """Writes pairs of image files as a CSV list that `csv_pairs` reads, with paths relative to the list's folder.

    Args:
        path: of the list.
        folder: what holds the images.
        paths: of each image, relative to `folder`.
        pairs: TRAIN, VALIDATION or TEST -> img1 and img2 (m,), positions in `paths`, and similarity (m,), 1 = same.
        private: only the owner may read the list, which names people.
    """
    relative = Path(os.path.relpath(os.path.realpath(folder), os.path.realpath(Path(path).parent)))
    way = os.fsencode(relative.as_posix()).decode("utf-8")
    with atomic_write(path, "w", private=private) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for part, columns in pairs.items():
            for img1, img2, similarity in zip(*(column.tolist() for column in columns), strict=True):
                writer.writerow([f"{way}/{paths[img1]}", f"{way}/{paths[img2]}", similarity, PARTS[part]])
