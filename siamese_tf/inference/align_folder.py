"""Alignment of the faces in all images of a folder, with a report of what could not be aligned."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from siamese_tf.data.images.decode import decode_image
from siamese_tf.data.sources.image_tree import find_image_tree
from siamese_tf.errors import ConfigError, DatasetError, ImageError
from siamese_tf.files import atomic_write, is_private
from siamese_tf.models.faces.alignment import align_face
from siamese_tf.models.faces.detection import Face, FaceDetector
from siamese_tf.models.faces.quality import quality_problems

CHOICES = ("largest", "all")
REPORT = "faces.csv"
COLUMNS = ("image", "aligned", "faces", "confidence", "eye_distance", "problems")
NO_FACE, SEVERAL, UNREADABLE = "no face", "several faces", "unreadable"
Track = Callable[[Iterable, str], Iterable]


@dataclass(frozen=True)
class AlignedImage:
    """A row of the report: an aligned face, or an image without one.

    Attributes:
        image: path below the folder, with `/`.
        aligned: path below the folder of aligned faces; empty if nothing was written.
        faces: number of faces found.
        confidence: of the aligned face, in [0, 1], higher is more certain; None without one.
        eye_distance: in pixels of the image; None without an aligned face.
        problems: NO_FACE, SEVERAL or an error message; or those of `quality_problems`.
    """

    image: str
    aligned: str = ""
    faces: int = 0
    confidence: float | None = None
    eye_distance: float | None = None
    problems: tuple[str, ...] = ()


def align_folder(
    folder: str | Path,
    out: str | Path,
    detector: FaceDetector,
    choice: str | None = None,
    track: Track = lambda items, _: items,
) -> list[AlignedImage]:
    """Writes the aligned face of each image as a PNG file at the same place of another folder, and the report.

    Args:
        folder: folder of images at any depth, such as one folder per person.
        out: folder to write to, which must be empty or missing.
        detector: face detector.
        choice: face of an image with several: `largest`, `all`, or None, which writes none of them.
        track: wraps the images, such as a progress bar, with a description.

    Returns:
        One row per aligned face and per image without one, in the order of the images.

    Raises:
        DatasetError: if the folder does not exist or has no images.
        ConfigError: if `choice` is unknown, or `out` has files in it.
    """
    if choice is not None and choice not in CHOICES:
        raise ConfigError(f"the face must be one of {', '.join(CHOICES)}; got {choice!r:.100}")
    out = Path(out)
    if out.is_dir() and any(out.iterdir()):
        raise ConfigError(f"the folder of aligned faces must be empty or missing; got {out}. Name another one")
    found = find_image_tree(folder)
    if not found.files:
        raise DatasetError(f"{folder} must have image files in it; got none that can be used. Check the path")
    rows = [AlignedImage(name, problems=(f"{UNREADABLE}: {reason}",)) for name, reason in found.refused.items()]
    taken: set[str] = set()
    for name, path in track(found.files.items(), "aligning"):
        rows += _align_file(name, path, out, detector, choice, taken)
    write_report(rows, out / REPORT, private=is_private(folder))
    return rows


def write_report(rows: Iterable[AlignedImage], path: Path, *, private: bool = False) -> None:
    """Writes the rows as a CSV file with the COLUMNS."""
    with atomic_write(path, "w", private=private) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            numbers = ("" if value is None else f"{value:.4g}" for value in (row.confidence, row.eye_distance))
            writer.writerow([row.image, row.aligned, row.faces, *numbers, "; ".join(row.problems)])


def summary_lines(rows: Iterable[AlignedImage]) -> list[str]:
    """Returns the number of aligned faces, the number of each problem, and the images without an aligned face."""
    rows = list(rows)
    aligned = [row for row in rows if row.aligned]
    counts = Counter(problem for row in aligned for problem in row.problems)
    flagged = f" ({', '.join(f'{count:,} {problem}' for problem, count in counts.items())})" if counts else ""
    images = len({row.image for row in rows})
    lines = [f"images: {images:,}, aligned faces: {len(aligned):,}{flagged}"]
    return lines + [f"not aligned: {row.image}: {'; '.join(row.problems)}" for row in rows if not row.aligned]


def _align_file(
    name: str, path: Path, out: Path, detector: FaceDetector, choice: str | None, taken: set[str]
) -> Iterator[AlignedImage]:
    try:
        image = np.asarray(decode_image(path).convert("RGB"))
    except ImageError as error:
        yield AlignedImage(name, problems=(f"{UNREADABLE}: {error}",))
        return
    faces = sorted(detector.detect(image), key=lambda face: -face.area)
    if not faces or (len(faces) > 1 and choice is None):
        yield AlignedImage(name, faces=len(faces), problems=(SEVERAL if faces else NO_FACE,))
        return
    chosen = faces if choice == "all" else faces[:1]
    for number, face in enumerate(chosen, start=1):
        aligned = align_face(image, face)
        target = _free_name(name, number if len(chosen) > 1 else None, taken)
        with atomic_write(out / target, private=is_private(path)) as file:
            Image.fromarray(aligned).save(file, "PNG")
        yield _row(name, target, len(faces), face, quality_problems(aligned, face))


def _row(name: str, target: str, faces: int, face: Face, problems: list[str]) -> AlignedImage:
    return AlignedImage(name, target, faces, face.confidence, face.eye_distance, tuple(problems))


def _free_name(name: str, number: int | None, taken: set[str]) -> str:
    """Returns the path of an aligned face: that of the image as PNG, with a number if it would be used twice."""
    stem = str(Path(name).with_suffix(""))
    candidate = f"{stem}.png" if number is None else f"{stem}-{number}.png"
    if candidate.casefold() in taken:
        candidate = f"{name}.png" if number is None else f"{name}-{number}.png"
    taken.add(candidate.casefold())
    return candidate
