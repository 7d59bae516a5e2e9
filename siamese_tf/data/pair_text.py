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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from siamese_tf.data.csv_rows import COLUMNS, csv_rows, wrong_count
from siamese_tf.data.pair_file import PARTS, TEST, TRAIN
from siamese_tf.errors import PairFileError
from siamese_tf.files import atomic_write

NUMBER = re.compile(r"[0-9]{1,6}")


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

    def add(self, img1: str, img2: str, similarity: int, split: int, fold: int = 0) -> None:
        self.img1.append(self.names.setdefault(img1, img1))
        self.img2.append(self.names.setdefault(img2, img2))
        self.similarity.append(similarity)
        self.split.append(split)
        self.fold.append(fold)


def is_list(path: str | Path) -> bool:
    """Whether a name is that of a list of image files, and not of a pair file."""
    return Path(path).suffix.lower() == ".csv" or is_lfw(path)


def is_lfw(path: str | Path) -> bool:
    """Whether a name is that of a list in the form of LFW's `pairs.txt`, whose images may stand elsewhere."""
    return Path(path).suffix.lower() == ".txt"


def parse_csv(lines: Iterable[str], name: str) -> ListedPairs:
    """The pairs of a CSV list.

    Args:
        lines: as `text_lines` gives them.
        name: what the messages call it.

    Raises:
        PairFileError: it is none; the message names the line.
    """
    listed = ListedPairs()
    rows = csv_rows(lines, name, COLUMNS[:3])
    _, columns = next(rows)
    img1, img2, similarity = map(columns.index, COLUMNS[:3])
    split = columns.index("split") if "split" in columns else None
    parts = {part: number for number, part in enumerate(PARTS)}
    for number, fields in rows:
        if problem := wrong_count(fields, columns):
            raise PairFileError(f"{name}, line {number}: {problem}. Correct it")
        if fields[similarity] not in ("0", "1") or not (fields[img1] and fields[img2]):
            raise PairFileError(
                f"{name}, line {number}: expected two images and a similarity of 1 (same) or 0 (different); got"
                f" {','.join(fields)!r:.200}. Correct it"
            )
        part = TRAIN if split is None else parts.get(fields[split])
        if part is None:
            raise PairFileError(
                f"{name}, line {number}: split is {fields[split or 0]!r:.200}; expected {', '.join(PARTS)}. Correct it"
            )
        listed.add(fields[img1], fields[img2], int(fields[similarity]), part)
    if not listed.img1:
        raise PairFileError(f"{name} holds no pairs below its first line. Write one on each line")
    return listed


def parse_lfw(lines: Iterable[str], name: str) -> ListedPairs:
    """The pairs of a list in the form of LFW's, images as `name/name_0001`.

    Args:
        lines: as `text_lines` gives them.
        name: what the messages call it.

    Raises:
        PairFileError: it is none; the message names the pair.
    """
    rows = (line.split() for line in lines)
    counts = next(rows, [])
    if len(counts) not in (1, 2) or not all(NUMBER.fullmatch(count) and int(count) for count in counts):
        raise PairFileError(
            f"the first line of {name} must say the number of folds and of similar pairs in each, as in '10 300'; it is"
            f" {' '.join(counts)!r:.100}. Name a list in the form of LFW's pairs.txt, or a .csv file"
        )
    folds, each = int(counts[0]) if len(counts) == 2 else 1, int(counts[-1])
    listed, number, expected = ListedPairs(), 0, 2 * folds * each
    for number, row in enumerate(filter(None, rows), start=1):
        if number > expected:
            break
        _add_lfw_pair(listed, row, number, each, name)
    if number != expected:
        found = f"more than {expected:,}" if number > expected else f"{number:,}"
        raise PairFileError(
            f"{name} has {found} pairs; expected {expected:,}: {folds} folds with {each} similar and {each} dissimilar"
            " pairs. Fetch or write it again"
        )
    return listed


def _add_lfw_pair(listed: ListedPairs, row: list[str], number: int, each: int, name: str) -> None:
    fold, place = divmod(number - 1, 2 * each)
    similar = place < each
    if similar and len(row) == 3:
        row = [row[0], row[1], row[0], row[2]]
    if len(row) != 4 or similar != (row[0] == row[2]) or not (_names(row[0], row[1]) and _names(row[2], row[3])):
        expected = "name n1 n2" if similar else "name1 n1 name2 n2, two people"
        raise PairFileError(f"{name}, pair {number}: {' '.join(row)!r:.200}; expected {expected}. Correct it")
    img1, img2 = (f"{person}/{person}_{int(image):04d}" for person, image in (row[:2], row[2:]))
    listed.add(img1, img2, int(similar), TEST, fold)


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
