"""Batches of P classes with K images each, for losses that mine positives and negatives within a batch."""

from collections.abc import Iterator

import numpy as np

from siamese_tf.errors import ConfigError


def class_batches(labels: np.ndarray, classes_per_batch: int, images_per_class: int, seed: int) -> Iterator[np.ndarray]:
    """Draws batches endlessly; equal arguments give equal batches.

    Over the run, every class is drawn once before any class is drawn again, and likewise every image of a class. The P
    classes of a batch are always different, and so are the K images of a class with at least K images. The images of a
    smaller class are repeated as evenly as possible; `short_classes` counts these classes.

    Args:
        labels: class of each image, (n,) integers.
        classes_per_batch: P, from 2 to the number of classes.
        images_per_class: K, 2 or more.
        seed: seed of the generator.

    Returns:
        Endless iterator of positions in `labels`, (P * K,) int64; the K images of a class are consecutive.

    Raises:
        ConfigError: if P or K is out of range.
    """
    order = np.argsort(labels, kind="stable")
    start = np.unique(labels[order], return_index=True)[1]
    check_batch(classes_per_batch, images_per_class, len(start))
    classes = np.split(order, start[1:])
    return _batches(classes, classes_per_batch, images_per_class, np.random.default_rng(seed))


def short_classes(labels: np.ndarray, images_per_class: int) -> int:
    """Returns the number of classes with fewer than K images, whose images `class_batches` repeats within a batch."""
    return int((np.unique(labels, return_counts=True)[1] < images_per_class).sum())


def check_batch(classes_per_batch: int, images_per_class: int, classes: int) -> None:
    if classes_per_batch < 2 or images_per_class < 2:
        raise ConfigError(
            "a batch must have at least 2 classes, or no two images are dissimilar, and at least 2 images per class, or"
            f" no two are similar; got {classes_per_batch} classes with {images_per_class} images each."
        )
    if classes_per_batch > classes:
        raise ConfigError(
            f"classes_per_batch must be at most {classes}, the number of classes; got {classes_per_batch}."
            " Lower it, or use images of more classes."
        )


def _batches(
    classes: list[np.ndarray], classes_per_batch: int, images_per_class: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    images = [cycle(members, images_per_class, rng) for members in classes]
    for chosen in cycle(np.arange(len(classes)), classes_per_batch, rng):
        yield np.concatenate([next(images[index]) for index in chosen])


def cycle(items: np.ndarray, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yields samples of `count` items endlessly from one permutation of the items after another.

    If a permutation ends within a sample, the rest of the sample is filled with the items that it contains the fewest
    times.
    """
    remaining = rng.permutation(items)
    while True:
        sample, remaining = remaining[:count], remaining[count:]
        while missing := count - len(sample):
            order = rng.permutation(items)
            occurrences = (order[:, np.newaxis] == sample).sum(axis=1)
            order = order[np.argsort(occurrences, kind="stable")]
            sample, remaining = np.concatenate([sample, order[:missing]]), rng.permutation(order[missing:])
        yield sample
