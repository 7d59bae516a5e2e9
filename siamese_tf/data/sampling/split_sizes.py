"""Warnings about splits with too little data for training or for choosing a threshold."""

from collections.abc import Mapping
from typing import Any

from siamese_tf.data.sources.source import Source

MIN_TRAIN_SHARE = 0.25
MIN_VALIDATION_PAIRS = 20


def pair_warnings(source: Source, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the warnings about a data set and about the pairs made from it, without the prefix "warning:"."""
    return (*source.warnings, *split_warnings(manifest))


def split_warnings(manifest: Mapping[str, Any]) -> list[str]:
    """Returns warnings about the split sizes in the manifest of a pair file, without the prefix "warning:".

    Args:
        manifest: manifest with `images` and `pairs`, the numbers of images and of pairs by split name. Missing or
            invalid numbers give no warning.
    """
    found = []
    images, pairs = (_counts(manifest.get(name)) for name in ("images", "pairs"))
    total = sum(images.values())
    if 0 <= images.get("train", total) < MIN_TRAIN_SHARE * total:
        found.append(
            f"training has {images['train']:,} of {total:,} images, {images['train'] / total:.0%}, because the classes"
            " are few or vary widely in size; add images"
        )
    if 0 <= pairs.get("validation", MIN_VALIDATION_PAIRS) < MIN_VALIDATION_PAIRS:
        found.append(
            f"validation has {pairs['validation']:,} pairs; a threshold chosen on fewer than {MIN_VALIDATION_PAIRS} is"
            " unreliable; add images"
        )
    return found


def _counts(numbers: Any) -> dict[str, int]:
    """Returns the integer entries only; the manifest of an untrusted file may contain anything."""
    if not isinstance(numbers, dict):
        return {}
    return {name: number for name, number in numbers.items() if type(number) is int}
