"""Pairs of one class against the rest, for the question "do both images show this class?"."""

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
        pairs: pair data set with labels.
        name: name of the class in the manifest, or its number; a name takes precedence over a number.

    Raises:
        ConfigError: if no image has that class; the message names the (first) existing classes.
        PairFileError: if `pairs` has no labels.
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
    raise ConfigError(f"the class must be one of {', '.join(shown)}, or its number; got {name!r:.100}.")


def one_vs_rest(pairs: TrainTestPairs, name: str, *, rest_is_a_class: bool, seed: int) -> TrainTestPairs:
    """Draws pairs of one class and the rest from the images of each split; the split does not change.

    Half of the pairs are two images of the class (similar), half are an image of the class and one of the rest
    (dissimilar). Two images of the rest form no pair: that neither is in the class does not make them similar.

    Args:
        pairs: pairs whose files have labels.
        name: name or number of the class (`class_label` describes it); the test file may number it differently.
        rest_is_a_class: if True, two images of the rest count as similar and form half of the similar pairs.
        seed: seed of the pairs; each split has its own generator.

    Returns:
        Pairs in memory with the labels 1 (the class) and 0 (the rest). Every split has its previous number of pairs,
        but at most half of the similar and of the dissimilar pairs that exist. Path and SHA-256 do not change.

    Raises:
        ConfigError: if the class does not exist.
        DatasetError: if a split has fewer than two images of the class, or none of the rest.
        PairFileError: if a file has no labels, or has none of the required pairs.
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
            f"{pairs.display_name} must have labels, the classes of the images; got none."
            " Use a pair file with the array labels."
        )
    return pairs.labels


def _class_names(pairs: PairDataset) -> dict[int, str]:
    """Returns the name of each label that occurs: from the manifest, or else its number."""
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
        required = " or ".join(PARTS[part] for part in parts)
        raise PairFileError(f"{file.display_name} must have {required} pairs; got none. Use another file.")
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
            f"the {PARTS[part]} split must have at least 2 images of {name} and 1 of the rest; got {ones} and"
            f" {len(images) - ones}. Use another class, or pairs split by image with at least 20 images of the class."
        )
    count = min(len(file.rows(part)), *existing_pairs(of_part, rest))
    img1, img2, similarity = make_pairs(of_part, max(2, count - count % 2), seed, rest)
    return images[img1], images[img2], similarity


def _slug(name: str) -> str:
    """Converts a class name to part of a folder name: "T-shirt/top" becomes "T-shirt-top"."""
    return re.sub(r"[^\w.-]+", "-", name)[:40].strip("-.")
