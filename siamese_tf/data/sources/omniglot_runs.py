"""One-shot runs of Omniglot: the published trials of Lake et al., 20 runs of 20 trials among 20 characters.

Reference:
    Lake, Salakhutdinov and Tenenbaum 2015, "Human-level concept learning through probabilistic program induction".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.sources.omniglot import omniglot_format, prepared_images
from siamese_tf.data.sources.omniglot_files import read_omniglot_file
from siamese_tf.errors import DatasetError

FILE = "all_runs"
MEMBER = re.compile(r"(?P<run>run[0-9]{2})/(?:(?P<kind>training|test)/[a-z]+[0-9]{2}\.png|class_labels\.txt)")
TEST, TRAINING = "test", "training"


@dataclass(frozen=True, eq=False)
class OmniglotRuns:
    """Trials in runs; each run has one image of each of its classes, and as many queries, one of each class.

    Attributes:
        images: (n, h, w, c) uint8, 0 to 255.
        labels: (n,) int64, the class of each image; the classes of different runs are different ones.
        class_names: name of label k at position k, such as `run01/class08`.
        support: (runs, ways) int64, position of the image of each class.
        query: (runs, ways) int64, position of the query of each trial.
        target: (runs, ways) int64, from 0 to ways - 1: the class of each query.
        run_names: name of each run, such as `run01`.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    support: np.ndarray
    query: np.ndarray
    target: np.ndarray
    run_names: tuple[str, ...]


def load_omniglot_runs(data_dir: str | Path | None, image_format: ImageFormat) -> OmniglotRuns:
    """Loads the published runs, see `read_omniglot_file` for the arguments and errors."""
    members, _ = read_omniglot_file(FILE, data_dir)
    return parse_runs(members, omniglot_format(image_format))


def parse_runs(members: Mapping[str, bytes], image_format: ImageFormat) -> OmniglotRuns:
    """Parses the members of the published file.

    Args:
        members: content by name: `runNN/training/classMM.png`, `runNN/test/itemMM.png` and `runNN/class_labels.txt`,
            with a line `runNN/test/itemMM.png runNN/training/classMM.png` for each test image.
        image_format: resolved image format.

    Raises:
        DatasetError: if a member has another name, or a run is incomplete.
        ImageError: if an image cannot be decoded.
    """
    parts = _members_by_run(members)
    positions = {name: row for row, name in enumerate(name for name in members if name.endswith(".png"))}
    support, query, target = [], [], []
    for run, of_run in parts.items():
        classes, items = of_run[TRAINING], of_run[TEST]
        class_of = _class_of_items(f"{run}/class_labels.txt", members)
        if not classes or sorted(class_of) != sorted(items) or sorted(class_of.values()) != sorted(classes):
            raise DatasetError(f"{run} must name the class of each test image, and each class once; it does not")
        support.append([positions[name] for name in classes])
        query.append([positions[name] for name in items])
        target.append([classes.index(class_of[name]) for name in items])
    if len(set(map(len, support))) != 1:
        raise DatasetError(f"runs must have equally many classes; got {', '.join(str(len(run)) for run in support)}")
    runs, ways = np.shape(support)
    labels = np.empty(len(positions), np.int64)
    labels[np.array(support)] = np.arange(runs * ways).reshape(runs, ways)
    labels[np.array(query)] = np.arange(runs)[:, np.newaxis] * ways + target
    return OmniglotRuns(
        images=prepared_images({name: members[name] for name in positions}, image_format),
        labels=labels,
        class_names=tuple(_short(name) for of_run in parts.values() for name in of_run[TRAINING]),
        support=np.array(support, np.int64),
        query=np.array(query, np.int64),
        target=np.array(target, np.int64),
        run_names=tuple(parts),
    )


def _members_by_run(members: Mapping[str, bytes]) -> dict[str, dict[str, list[str]]]:
    """Returns the names of the images of each kind of each run, all in ascending order."""
    runs: dict[str, dict[str, list[str]]] = {}
    for name in sorted(members):
        match = MEMBER.fullmatch(name)
        if match is None:
            raise DatasetError(f"members must be images and class_labels.txt of runs; got {name!r:.100}")
        kinds = runs.setdefault(match["run"], {TRAINING: [], TEST: []})
        if match["kind"]:
            kinds[match["kind"]].append(name)
    if not runs:
        raise DatasetError("there must be at least one run; got none")
    return runs


def _class_of_items(name: str, members: Mapping[str, bytes]) -> dict[str, str]:
    """Returns the training image of the class of each test image."""
    lines = members.get(name, b"").decode("ascii", "replace").splitlines()
    pairs = [line.split() for line in lines if line.strip()]
    if any(len(pair) != 2 for pair in pairs) or len({pair[0] for pair in pairs}) != len(pairs):
        raise DatasetError(f"{name} must have two names on each line, the first of them once; it does not")
    return dict(pairs)


def _short(name: str) -> str:
    """Converts the name of a training image to that of a class, `run01/class08`."""
    return name.replace(f"/{TRAINING}", "").removesuffix(".png")
