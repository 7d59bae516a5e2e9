"""Omniglot: 1,623 handwritten characters of 50 alphabets, each drawn by 20 people.

The 30 background alphabets are for training and validation, the 20 evaluation alphabets for test.

Reference:
    Lake, Salakhutdinov and Tenenbaum 2015, "Human-level concept learning through probabilistic program induction".
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from siamese_tf.data.images.decode import load_image
from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.sources.omniglot_files import FILES, NAME, read_omniglot_file
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import DatasetError

IMAGE_FILES = ("images_background", "images_evaluation")
SHAPE = (105, 105, 1)
MEMBER = re.compile(r"[^/]+/(?P<group>[^/]+)/(?P<character>[^/]+)/[0-9]+_(?P<drawer>[0-9]+)\.png")


def omniglot_format(image_format: ImageFormat) -> ImageFormat:
    """Returns a copy in which no value is None; the published images have 105x105 gray pixels."""
    return image_format.resolved([SHAPE])


def omniglot_contents(image_format: ImageFormat) -> dict[str, str]:
    """Returns `Source.files` of Omniglot in a resolved image format, without reading the files."""
    return {f"{name}, {image_format}": FILES[name].content_sha256 for name in IMAGE_FILES}


def load_omniglot(data_dir: str | Path | None, image_format: ImageFormat) -> Source:
    """Loads all images; `authors` are the drawers, numbered from 0 within each character.

    Args:
        data_dir: argument of `read_omniglot_file`.
        image_format: target image format; values that are None are those of the published images.

    Raises:
        DatasetError: if a file is missing or damaged, see `read_omniglot_file`.
    """
    image_format = omniglot_format(image_format)
    members: dict[str, bytes] = {}
    for name in IMAGE_FILES:
        found, where = read_omniglot_file(name, data_dir)
        members |= found
    parsed = [_parsed(name) for name in members]
    groups = [match["group"] for match in parsed]
    classes = [f"{match['group']}/{match['character']}" for match in parsed]
    class_of = {name: label for label, name in enumerate(dict.fromkeys(classes))}
    group_of = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    images = prepared_images(members, image_format)
    source = Source(
        name=NAME,
        images=images,
        labels=np.array([class_of[name] for name in classes], np.int64),
        is_test=np.array([name.startswith(IMAGE_FILES[1]) for name in members]),
        class_names=tuple(class_of),
        origin=str(where),
        files=omniglot_contents(image_format),
        note=f"using {NAME} from {where}, {len(images):,} images, {image_format}",
        image_format=image_format,
        groups=np.array([group_of[name] for name in groups], np.int64),
        group_names=tuple(group_of),
        authors=np.array([int(match["drawer"]) - 1 for match in parsed], np.int64),
    )
    return replace(source, note=f"{source.note}, of {len(class_of):,} characters of {len(group_of)} alphabets")


def prepared_images(members: Mapping[str, bytes], image_format: ImageFormat) -> np.ndarray:
    """Decodes image files in memory to a resolved image format, (n, h, w, c) uint8, in the order of the mapping."""
    images = np.empty((len(members), *image_format.shape), np.uint8)
    for position, content in enumerate(members.values()):  # threads are slower for images this small
        images[position] = load_image(content, *image_format.shape, *image_format.options)
    return images


def _parsed(member: str) -> re.Match[str]:
    match = MEMBER.fullmatch(member)
    if match is None:
        raise DatasetError(f"{member!r:.100} must be ALPHABET/CHARACTER/NUMBER_DRAWER.png in a folder; it is not")
    return match
