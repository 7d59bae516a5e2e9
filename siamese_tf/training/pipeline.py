"""The input pipeline: from a pair file to the batches of every step, images uint8 until the network takes them."""

import itertools
import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import tensorflow as tf

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.one_vs_rest import REST
from siamese_tf.data.pairs.pair_file import TRAIN, PairDataset
from siamese_tf.data.sampling.batches import epoch_batches, steps_per_epoch
from siamese_tf.data.sampling.class_batches import class_batches
from siamese_tf.training.run_data import RunData

Batches = Iterator[dict[str, np.ndarray]]


def training_steps(pairs: RunData, config: TrainConfig) -> int:
    """How many steps an epoch has: whole batches in one pass over the listed pairs, or over the images."""
    if config.uses_class_batches:
        return max(1, len(pairs.train_images) // _images_per_step(pairs, config))
    return steps_per_epoch(len(pairs.task.train.rows(TRAIN)), config.batch_pairs)


def images_per_epoch(pairs: RunData, config: TrainConfig) -> int:
    """How many images the tower sees in an epoch, the same one as often as a step has it."""
    return training_steps(pairs, config) * _images_per_step(pairs, config)


def _images_per_step(pairs: RunData, config: TrainConfig) -> int:
    if config.uses_class_batches:
        return math.prod(config.batch_shape)
    return 2 * min(config.batch_pairs, len(pairs.task.train.rows(TRAIN)))


def training_batches(pairs: RunData, config: TrainConfig, epochs: range) -> tf.data.Dataset:
    """The batches of some epochs, one epoch after the other; each a function of the seed and its place in the run.

    Args:
        pairs: with training rows.
        config: of the run, settled.
        epochs: which, the first of a run being 0.

    Returns:
        Dicts of `images` (n, h, w, c) uint8; `index` (n,) int32, which image of the file each is; `labels` (n,) int64,
        -1 where nothing is known but that it is of none of the other classes; `seed` (2,) int32 of the step's
        augmentation. Of listed pairs, n = 2m: first images of the m pairs, then second ones, with `similarity` (m,)
        float32. Of images, n = P * K, the K images of one class after those of another.
    """
    file = pairs.task.train
    labels = known_labels(pairs, config)
    width = _images_per_step(pairs, config)
    batches: Callable[[], Batches]
    if config.uses_class_batches:
        batches, more = partial(_of_classes, pairs, labels, config, epochs), {}
    else:
        batches = partial(_of_pairs, file, labels, config, epochs)
        more = {"similarity": tf.TensorSpec((width // 2,), tf.float32)}
    signature = {
        "images": tf.TensorSpec((width, *file.images.shape[1:]), tf.uint8),
        "index": tf.TensorSpec((width,), tf.int32),
        "labels": tf.TensorSpec((width,), tf.int64),
        "seed": tf.TensorSpec((2,), tf.int32),
        **more,
    }
    options = tf.data.Options()
    # There is nothing to tune here, and `fit` would not end before the tuning thread wakes from ever longer sleeps.
    options.autotune.enabled = False
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2).with_options(options)


def known_labels(pairs: RunData, config: TrainConfig) -> np.ndarray:
    """(n,) What is known of the class of each image, -1 for nothing; images of the rest of one class keep their own."""
    task, labels = pairs.task.train.labels, pairs.original.train.labels
    if task is None or labels is None:
        return np.full(len(pairs.task.train.images), -1)
    if config.one_vs_rest is None or config.rest_is_a_class:
        return task
    rest = task == REST
    trained_on = pairs.train_images[rest[pairs.train_images]]
    one_of_it = len(np.unique(labels[trained_on])) == 1  # "others": not alike merely because they are others
    return np.where(rest, -1, labels) if one_of_it else labels


def _of_pairs(pairs: PairDataset, labels: np.ndarray, config: TrainConfig, epochs: range) -> Batches:
    rows = pairs.rows(TRAIN)
    for epoch in epochs:
        for step, batch in enumerate(epoch_batches(rows, config.batch_pairs, config.seed, epoch)):
            index = np.concatenate([pairs.img1[batch], pairs.img2[batch]])
            similarity = pairs.similarity[batch].astype(np.float32)
            yield {**_batch(pairs, labels, index, (config.seed, epoch, step)), "similarity": similarity}


def _of_classes(pairs: RunData, labels: np.ndarray, config: TrainConfig, epochs: range) -> Batches:
    steps, train_images = training_steps(pairs, config), pairs.train_images
    groups = pairs.task.train.labels
    assert groups is not None  # `resolve_config` has looked
    draws = class_batches(groups[train_images], *config.batch_shape, config.seed)
    draws = itertools.islice(draws, epochs.start * steps, None)  # what a resumed run has drawn before
    for epoch in epochs:
        for step, draw in enumerate(itertools.islice(draws, steps)):
            yield _batch(pairs.task.train, labels, train_images[draw], (config.seed, epoch, step))


def _batch(pairs: PairDataset, labels: np.ndarray, index: np.ndarray, place: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {
        "images": pairs.images[index],
        "index": index.astype(np.int32),
        "labels": labels[index],
        "seed": np.random.SeedSequence(place).generate_state(2).view(np.int32),
    }
