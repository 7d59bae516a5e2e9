"""Warnings about splits with too little data to train on or to choose a threshold by."""

from collections.abc import Mapping
from typing import Any

from siamese_tf.data.sources.source import Source

MIN_TRAIN_SHARE = 0.25
MIN_VALIDATION_PAIRS = 20


def pair_warnings(source: Source, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the warnings of a data set and those of the pairs that are made of it, without "warning:"."""
    return (*source.warnings, *split_warnings(manifest))


def split_warnings(manifest: Mapping[str, Any]) -> list[str]:
    """Returns warnings about the split sizes in the manifest of a pair file, without "warning:".

    Args:
        manifest: with `images` and `pairs`, the numbers of images and of pairs of each part, by its name; one that does
            not say, or says anything else, gives no reason.
    """
    found = []
    images, pairs = (_counts(manifest.get(name)) for name in ("images", "pairs"))
    total = sum(images.values())
    if 0 <= images.get("train", total) < MIN_TRAIN_SHARE * total:
        found.append(
            f"training has {images['train']:,} of {total:,} images, {images['train'] / total:.0%}, for the classes are"
            " few or of very different sizes; add images"
        )
    if 0 <= pairs.get("validation", MIN_VALIDATION_PAIRS) < MIN_VALIDATION_PAIRS:
        found.append(
            f"validation has {pairs['validation']:,} pairs to choose the threshold by, and with fewer than"
            f" {MIN_VALIDATION_PAIRS} that is a matter of luck; add images"
        )
    return found


def _counts(numbers: Any) -> dict[str, int]:
    """Returns the integers among the values; the manifest of an untrusted file may hold anything."""
    if not isinstance(numbers, dict):
        return {}
    return {name: number for name, number in numbers.items() if type(number) is int}
