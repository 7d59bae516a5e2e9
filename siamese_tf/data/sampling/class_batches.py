"""Batches of P classes with K images each, for losses that mine positives and negatives within the batch."""

from collections.abc import Iterator

import numpy as np

from siamese_tf.errors import ConfigError


def class_batches(labels: np.ndarray, classes_per_batch: int, images_per_class: int, seed: int) -> Iterator[np.ndarray]:
    """Draws batches without end; same arguments, same batches.

    Every class is visited before any is visited twice, over the whole run, and within its class every image comes
    before any comes twice. The P classes of a batch always differ, and so do the K images of a class that has as many;
    those of a smaller class are repeated as evenly as possible, see `short_classes`.

    Args:
        labels: (n,) integers, the class of each image.
        classes_per_batch: P, from 2 to the number of classes.
        images_per_class: K, 2 or more.
        seed: of the generator.

    Returns:
        An endless iterator of (P * K,) int64 positions in `labels`, the K images of one class after those of another.

    Raises:
        ConfigError: P or K is out of range; the message names the range.
    """
    order = np.argsort(labels, kind="stable")
    start = np.unique(labels[order], return_index=True)[1]
    _check(classes_per_batch, images_per_class, len(start))
    classes = np.split(order, start[1:])
    return _batches(classes, classes_per_batch, images_per_class, np.random.default_rng(seed))


def short_classes(labels: np.ndarray, images_per_class: int) -> int:
    """Counts classes with fewer than K images, whose images `class_batches` repeats within a batch."""
    return int((np.unique(labels, return_counts=True)[1] < images_per_class).sum())


def _check(classes_per_batch: int, images_per_class: int, classes: int) -> None:
    if classes_per_batch < 2 or images_per_class < 2:
        raise ConfigError(
            f"batches of {classes_per_batch} classes with {images_per_class} images each; expected at least 2 classes,"
            " or no two images are dissimilar, and 2 images of each, or none are similar."
        )
    if classes_per_batch > classes:
        raise ConfigError(
            f"batches of {classes_per_batch} classes asked, and there are {classes}."
            f" Set classes_per_batch to {classes} or less, or take images of more classes."
        )


def _batches(
    classes: list[np.ndarray], classes_per_batch: int, images_per_class: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    images = [_hands(members, images_per_class, rng) for members in classes]
    for chosen in _hands(np.arange(len(classes)), classes_per_batch, rng):
        yield np.concatenate([next(images[one]) for one in chosen])


def _hands(cards: np.ndarray, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Deals hands of `count` cards without end: the whole pack, shuffled, then all of it again.

    Where a pack ends within a hand, the next one begins with the cards this hand has least often.
    """
    pack = rng.permutation(cards)
    while True:
        hand, pack = pack[:count], pack[count:]
        while missing := count - len(hand):
            fresh = rng.permutation(cards)
            held = (fresh[:, np.newaxis] == hand).sum(axis=1)
            fresh = fresh[np.argsort(held, kind="stable")]
            hand, pack = np.concatenate([hand, fresh[:missing]]), rng.permutation(fresh[missing:])
        yield hand
