"""Pairs of the verification experiment of Koch et al. 2015 on Omniglot.

Training pairs are of the 30 background alphabets and 12 of the 20 drawers. The 20 evaluation alphabets are divided into
10 for validation and 10 for test, with 4 other drawers each, so no character and no drawer number is in two parts. The
paper does not list its alphabets and drawers: here, the seed draws them. Every alphabet has the same number of pairs,
half of them of the same character, which the paper requires of the alphabets only; since a pair then belongs to one
alphabet, its two characters are both of that alphabet. Pairs are drawn with repetition, since four drawings of a
character make six pairs only.

An affine distortion rotates by up to 10 degrees, shears by up to 0.3 and scales by 0.8 to 1.2 along each axis, and
shifts by up to 2 of 105 pixels; each of these seven is included with probability 0.5. Each training image has eight
distorted versions, and each training pair is listed nine times: as it is, and in eight random pairs of versions.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

EVALUATION_ALPHABETS = (10, 10)  # validation, test
DRAWERS = (12, 4, 4)  # training, validation, test
DISTORTIONS = 8
ROTATION, SHEAR, SCALE, SHIFT = np.deg2rad(10), 0.3, 0.2, 2 / 105  # the shift in units of the side


class Pairs(NamedTuple):
    """Pairs of images: positions of both, (m,) int64, and similarity, (m,) uint8, 1 = same character."""

    img1: np.ndarray
    img2: np.ndarray
    similarity: np.ndarray


def divide(source, rng: np.random.Generator) -> list[np.ndarray]:
    """Returns the positions of the training, validation and test images of a source with groups and authors."""
    evaluation = rng.permutation(np.unique(source.groups[source.is_test]))
    validation, test = np.split(evaluation, [EVALUATION_ALPHABETS[0]])
    alphabets = [np.unique(source.groups[~source.is_test]), validation, test[: EVALUATION_ALPHABETS[1]]]
    drawers = np.split(rng.permutation(np.unique(source.authors)), np.cumsum(DRAWERS))[:3]
    return [
        np.flatnonzero(np.isin(source.groups, groups) & np.isin(source.authors, authors))
        for groups, authors in zip(alphabets, drawers, strict=True)
    ]


def draw_pairs(labels: np.ndarray, groups: np.ndarray, count: int, rng: np.random.Generator) -> Pairs:
    """Draws pairs in random order, as many of each group, half of them of the same class.

    Args:
        labels: (n,) class of each image; every class has equally many images.
        groups: (n,) group of each image; every group has two classes or more.
        count: number of pairs; the first groups have one more if it is no multiple of their number.
        rng: random generator.
    """
    names = np.unique(groups)
    parts = [
        _pairs_of_group(
            np.flatnonzero(groups == name), labels, count // len(names) + (number < count % len(names)), rng
        )
        for number, name in enumerate(names)
    ]
    order = rng.permutation(count)
    return Pairs(*(np.concatenate(column)[order] for column in zip(*parts, strict=True)))


def _pairs_of_group(images: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator) -> Pairs:
    images = images[np.argsort(labels[images], kind="stable")]
    images = images.reshape(len(np.unique(labels[images])), -1)  # (classes, images of a class)
    classes, drawings = images.shape
    similarity = (np.arange(count) < count // 2).astype(np.uint8)
    class1, drawing1, drawing2 = rng.integers(classes, size=count), *rng.integers(drawings, size=(2, count))
    class2 = np.where(similarity, class1, (class1 + rng.integers(1, classes, count)) % classes)
    drawing2 = np.where(similarity, (drawing1 + rng.integers(1, drawings, count)) % drawings, drawing2)
    return Pairs(images[class1, drawing1], images[class2, drawing2], similarity)


def distorted(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns one affine distortion of each image, (n, h, w, 1) uint8; exposed borders are black."""
    size, out = np.array(images.shape[2:0:-1]), np.empty_like(images)  # size: width, height
    for position, image in enumerate(images[..., 0]):
        matrix, shift = affine_map(rng)
        offset = size / 2 - matrix @ (size / 2) + shift * size  # Pillow measures from the corner of the first pixel
        rows = (*matrix[0], offset[0], *matrix[1], offset[1])
        changed = Image.fromarray(image).transform(
            tuple(size), Image.Transform.AFFINE, rows, Image.Resampling.BILINEAR, fillcolor=0
        )
        out[position, ..., 0] = np.asarray(changed)
    return out


def affine_map(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws the map from a distorted image to the original: a (2, 2) matrix about the center, and a (2,) shift."""
    included = rng.random(7) < 0.5
    angle, shear_x, shear_y, scale_x, scale_y, shift_x, shift_y = included * rng.uniform(-1, 1, 7)
    angle = ROTATION * angle
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1, SHEAR * shear_x], [SHEAR * shear_y, 1]])
    forward = rotation @ shear @ np.diag([1 + SCALE * scale_x, 1 + SCALE * scale_y])
    return np.linalg.inv(forward), SHIFT * np.array([shift_x, shift_y])


def with_distortions(pairs: Pairs, images: int, rng: np.random.Generator) -> Pairs:
    """Lists pairs again for each distortion, in random order; version k of image i has the position k * images + i."""
    versions = rng.integers(1, DISTORTIONS + 1, (2, DISTORTIONS, len(pairs.similarity)))
    img1, img2 = (
        np.concatenate([image, (version * images + image).ravel()])
        for image, version in zip(pairs[:2], versions, strict=True)
    )
    order = rng.permutation(len(img1))
    return Pairs(img1[order], img2[order], np.tile(pairs.similarity, 1 + DISTORTIONS)[order])


def pair_dataset(source, parts: dict[int, tuple[np.ndarray, np.ndarray, Pairs]], splits: tuple[int, ...], seed: int):
    """Builds a pair data set of some splits, each with images, labels and the pairs of these images."""
    from siamese_tf.data.pairs.pair_file import PairDataset

    images, labels, pairs = zip(*(parts[split] for split in splits), strict=True)
    img1, img2, similarity = map(np.concatenate, zip(*pairs, strict=True))
    counts = [len(one.similarity) for one in pairs]
    start = np.repeat(np.cumsum([0, *map(len, images[:-1])]), counts)  # of the images of each pair's split
    return PairDataset(
        images=np.concatenate(images),
        labels=np.concatenate(labels),
        img1=(img1 + start).astype(np.int32),
        img2=(img2 + start).astype(np.int32),
        similarity=similarity,
        split=np.repeat(np.array(splits, np.uint8), counts),
        manifest={"form": source.image_format.as_dict(), "split": "alphabets and drawers", "seed": seed},
    )
