"""Lists of pairs as text: which images, whether they are similar, and which part or fold they belong to.

A CSV list has a first line with the columns `img1,img2,similarity` and perhaps `split`. A list in the form of LFW's
`pairs.txt` says in its first line how many folds there are, and how many similar pairs, and as many dissimilar ones,
each has (one number alone is that of a single fold); a similar pair is `name n1 n2`, a dissimilar one
`name1 n1 name2 n2`.
"""

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from siamese_tf.data.pair_file import PARTS, TEST, TRAIN
from siamese_tf.errors import PairFileError
from siamese_tf.files import atomic_write

COLUMNS = ("img1", "img2", "similarity", "split")
NUMBER = re.compile(r"[0-9]{1,6}")


@dataclass
class ListedPairs:
    """Pairs as they are read, line by line: two names of images, similarity (1 = same), part, and fold from 0."""

    img1: list[str] = field(default_factory=list)
    img2: list[str] = field(default_factory=list)
    similarity: list[int] = field(default_factory=list)
    split: list[int] = field(default_factory=list)
    fold: list[int] = field(default_factory=list)

    def add(self, img1: str, img2: str, similarity: int, split: int, fold: int = 0) -> None:
        for column, value in zip(vars(self).values(), (img1, img2, similarity, split, fold), strict=True):
            column.append(value)


def is_list(path: str | Path) -> bool:
    """Whether a name is that of a list of image files, and not of a pair file."""
    return Path(path).suffix.lower() == ".csv" or is_lfw(path)


def is_lfw(path: str | Path) -> bool:
    """Whether a name is that of a list in the form of LFW's `pairs.txt`, whose images may stand elsewhere."""
    return Path(path).suffix.lower() == ".txt"


def read_text(path: Path) -> str:
    """The text of a list.

    Raises:
        PairFileError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PairFileError(f"cannot read the pairs {path}: {error.strerror}. Check the path") from error
    except UnicodeDecodeError as error:
        raise PairFileError(f"{path} is not a UTF-8 text: {error}. Save it as one") from error


def parse_csv(text: str, name: str) -> ListedPairs:
    """The pairs of a CSV list; `name` is what the messages call it.

    Raises:
        PairFileError: it is none; the message names the line.
    """
    listed = ListedPairs()
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = next(reader, [])
        if not set(COLUMNS[:3]) <= set(columns) or len(set(columns)) < len(columns):
            raise PairFileError(
                f"the first line of {name} must name the columns {','.join(COLUMNS[:3])}, and may name"
                f" {COLUMNS[3]}, each once, without spaces; it is {','.join(columns)!r:.100}. Correct it"
            )
        for fields in filter(None, reader):
            line = f"{name}, line {reader.line_num}"
            if len(fields) != len(columns):
                raise PairFileError(f"{line}: {len(fields)} fields, and the first line has {len(columns)}. Correct it")
            row = dict(zip(columns, fields, strict=True))
            if row["similarity"] not in ("0", "1") or not (row["img1"] and row["img2"]):
                raise PairFileError(
                    f"{line}: expected two images and a similarity of 1 (same) or 0 (different); got"
                    f" {','.join(fields)!r:.200}. Correct it"
                )
            if (split := row.get("split", PARTS[TRAIN])) not in PARTS:
                raise PairFileError(f"{line}: split is {split!r:.200}; expected {', '.join(PARTS)}. Correct it")
            listed.add(row["img1"], row["img2"], int(row["similarity"]), PARTS.index(split))
    except csv.Error as error:
        raise PairFileError(f"{name} is not a CSV file: {error}. Save it as one") from error
    if not listed.img1:
        raise PairFileError(f"{name} holds no pairs below its first line. Write one on each line")
    return listed


def parse_lfw(text: str, name: str) -> ListedPairs:
    """The pairs of a list in the form of LFW's, images as `name/name_0001`; `name` is what the messages call it.

    Raises:
        PairFileError: it is none; the message names the pair.
    """
    counts, *rows = [line.split() for line in text.split("\n")]
    if len(counts) not in (1, 2) or not all(NUMBER.fullmatch(count) and int(count) for count in counts):
        raise PairFileError(
            f"the first line of {name} must say the number of folds and of similar pairs in each, as in '10 300'; it is"
            f" {' '.join(counts)!r:.100}. Name a list in the form of LFW's pairs.txt, or a .csv file"
        )
    folds, each = int(counts[0]) if len(counts) == 2 else 1, int(counts[-1])
    rows = [row for row in rows if row]
    if len(rows) != 2 * folds * each:
        raise PairFileError(
            f"{name} has {len(rows):,} pairs; expected {2 * folds * each:,}: {folds} folds with {each} similar and"
            f" {each} dissimilar pairs. Fetch or write it again"
        )
    listed = ListedPairs()
    for number, row in enumerate(rows):
        fold, place = divmod(number, 2 * each)
        similar = place < each
        if similar and len(row) == 3:
            row = [row[0], row[1], row[0], row[2]]
        if len(row) != 4 or similar != (row[0] == row[2]) or not (_names(row[0], row[1]) and _names(row[2], row[3])):
            expected = "name n1 n2" if similar else "name1 n1 name2 n2, two people"
            raise PairFileError(f"{name}, pair {number + 1}: {' '.join(row)!r:.200}; expected {expected}. Correct it")
        img1, img2 = (f"{person}/{person}_{int(image):04d}" for person, image in (row[:2], row[2:]))
        listed.add(img1, img2, int(similar), TEST, fold)
    return listed


def _names(person: str, number: str) -> bool:
    return person == Path(person).name and person != ".." and bool(NUMBER.fullmatch(number))


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
