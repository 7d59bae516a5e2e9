"""One class against the rest: pairs for "do both images show this class?", made from the pairs of a run."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from siamese_tf.data.pairs.audit import audit_pairs
from siamese_tf.data.pairs.pair_file import PARTS, TEST, TRAIN, VALIDATION, PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.data.sampling.draw_pairs import existing_pairs, make_pairs
from siamese_tf.errors import ConfigError, DatasetError, PairFileError

REST, ONE = 0, 1
MAX_NAMED = 20  # classes in a message


def class_label(pairs: PairDataset, name: str) -> int:
    """Returns the label of a class.

    Args:
        pairs: with labels.
        name: what the manifest calls the class, or its number; a name goes before a number.

    Raises:
        ConfigError: no image of the file is of that class; the message names the classes there are, or the first.
        PairFileError: the file has no labels.
    """
    names = _class_names(pairs)
    for label, known in names.items():
        if known == name:
            return label
    for label in names:
        if str(label) == name:
            return label
    shown = [*names.values()][:MAX_NAMED]
    if len(names) > MAX_NAMED:
        shown.append(f"{len(names) - MAX_NAMED:,} more")
    raise ConfigError(f"there is no class {name!r:.100}; expected one of {', '.join(shown)}, or its number.")


def one_vs_rest(pairs: TrainTestPairs, name: str, *, rest_is_a_class: bool, seed: int) -> TrainTestPairs:
    """Makes pairs of one class and the rest from the images of each split; the split does not change.

    Half of the pairs are two images of the class (similar), half one of it and one of the rest (dissimilar). Two images
    of the rest make no pair: they are not alike merely because neither is of the class.

    Args:
        opened: pairs whose files have labels.
        name: of the class, as for `class_label`; the test file may have another number for it.
        rest_is_a_class: two images of the rest count as similar all the same, and make half of the similar pairs.
        seed: of the pairs; each split has its own generator.

    Returns:
        Pairs in memory, labeled 1 (the class) and 0 (the rest). Every part has as many as before, or at most half of
        the similar and of the dissimilar pairs that exist. Path and SHA-256 are those of the file they were made from.

    Raises:
        ConfigError: there is no such class.
        DatasetError: a part has fewer than two images of the class, or none of the rest.
        PairFileError: a file has no labels, or no pairs of the parts it is opened for.
    """
    label = class_label(pairs.train, name)
    name = _class_names(pairs.train)[label]
    class_info = {"class": name, "label": label, "rest_is_a_class": rest_is_a_class}
    one_file = pairs.test is pairs.train
    train = _relabeled(pairs.train, (TRAIN, VALIDATION, TEST) if one_file else (TRAIN, VALIDATION), class_info, seed)
    test: PairDataset | None = None
    if pairs.test is not None:
        test_info = {**class_info, "label": label_in(pairs.test, pairs.train, label)}
        test = train if one_file else _relabeled(pairs.test, (TEST,), test_info, seed)
    return replace(
        pairs,
        train=train,
        test=test,
        dataset=f"{pairs.dataset}-{_slug(name) or label}-vs-rest",
        note=f"{pairs.note}, as {name} against the rest",
        leaks=audit_pairs([train] if test is None or one_file else [train, test]).leaks,
    )


def labels_of(pairs: PairDataset) -> np.ndarray:
    """Returns the labels (n,) of the images."""
    if pairs.labels is None:
        raise PairFileError(
            f"{pairs.path or 'these pairs'}: there are no labels, so the class of the images is unknown."
            " Give a pair file with the array labels."
        )
    return pairs.labels


def _class_names(pairs: PairDataset) -> dict[int, str]:
    """Returns the names of the labels that occur: from the manifest, else their numbers."""
    names = pairs.manifest.get("class_names")
    names = names if isinstance(names, list) else []
    return {label: str(names[label] if label < len(names) else label) for label in np.unique(labels_of(pairs)).tolist()}


def label_in(other: PairDataset, pairs: PairDataset, label: int) -> int:
    """Returns the label of a class in another file, by name if both have names; -1 if the file lacks the class."""
    if not all(isinstance(file.manifest.get("class_names"), list) for file in (pairs, other)):
        return label
    name = _class_names(pairs)[label]
    names = _class_names(other)
    return label if names.get(label) == name else next((k for k, known in names.items() if known == name), -1)


def _relabeled(file: PairDataset, parts: Sequence[int], class_info: dict[str, Any], seed: int) -> PairDataset:
    """Returns the data set with binary labels and new pairs in the given splits."""
    labels = np.where(labels_of(file) == class_info["label"], ONE, REST)
    rest = None if class_info["rest_is_a_class"] else REST
    seeds = np.random.SeedSequence(seed).spawn(len(PARTS))
    present = [part for part in parts if len(file.rows(part))]
    if not present:
        wanted = " or ".join(PARTS[part] for part in parts)
        raise PairFileError(f"{file.path or 'these pairs'}: there are no {wanted} pairs. Give a file that has some.")
    pairs = [_pairs(file, part, labels, rest, seeds[part], class_info["class"]) for part in present]
    img1, img2, similarity = (np.concatenate(column) for column in zip(*pairs, strict=True))
    unchanged = {key: value for key, value in file.manifest.items() if key not in ("pairs", "audit")}
    return replace(
        file,
        labels=labels,
        img1=img1.astype(np.int32),
        img2=img2.astype(np.int32),
        similarity=similarity,
        split=np.repeat(np.array(present, np.uint8), [len(columns[0]) for columns in pairs]),
        manifest={**unchanged, "class_names": ["rest", class_info["class"]], "one_vs_rest": class_info},
    )


def _pairs(
    file: PairDataset, part: int, labels: np.ndarray, rest: int | None, seed: np.random.SeedSequence, name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    images = file.images_of(part)
    of_part = labels[images]
    ones = int((of_part == ONE).sum())
    if ones < 2 or ones == len(images):
        raise DatasetError(
            f"the {PARTS[part]} part has {ones} images of {name} and {len(images) - ones} of the rest; expected at"
            " least 2 and 1. Choose another class, or make pairs split by image with 20 images of the class or more."
        )
    count = min(len(file.rows(part)), *existing_pairs(of_part, rest))
    img1, img2, similarity = make_pairs(of_part, max(2, count - count % 2), seed, rest)
    return images[img1], images[img2], similarity


def _slug(name: str) -> str:
    """Converts a class name to part of a folder name: "T-shirt/top" becomes "T-shirt-top"."""
    return re.sub(r"[^\w.-]+", "-", name)[:40].strip("-.")
