"""Input pipeline: batches of a pair data set, with uint8 images, for every step of a run."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import tensorflow as tf

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.one_vs_rest import REST
from siamese_tf.data.pairs.pair_file import TRAIN, PairDataset
from siamese_tf.data.sampling.batches import epoch_batches
from siamese_tf.data.sampling.class_batches import class_batches
from siamese_tf.data.sampling.group_batches import group_batches
from siamese_tf.training.epochs import images_per_step, training_steps
from siamese_tf.training.run_data import RunData

Batches = Iterator[dict[str, np.ndarray]]


def training_batches(pairs: RunData, config: TrainConfig, epochs: range) -> tf.data.Dataset:
    """Returns the batches of consecutive epochs; a batch depends only on the seed, its epoch and its step.

    Args:
        pairs: pairs of the run, with training rows.
        config: resolved config of the run.
        epochs: epoch numbers, starting at 0.

    Returns:
        A data set of dicts: `images` (n, h, w, c) uint8; `index` (n,) int32, the row of each image in the data set;
        `labels` (n,) int64, -1 for an unknown class that is none of the known ones; `seed` (2,) int32 for the
        augmentation. Batches of listed pairs have n = 2m, the first images of the m pairs followed by the second ones,
        and also `similarity` (m,) float32. Batches of classes have n = P * K, grouped by class, or E * P * K,
        grouped by group.
    """
    file = pairs.task.train
    labels = known_labels(pairs, config)
    size = images_per_step(pairs, config)
    batches: Callable[[], Batches]
    if config.uses_class_batches:
        batches, extra = partial(_class_batches, pairs, labels, config, epochs), {}
    else:
        batches = partial(_pair_batches, file, labels, config, epochs, training_steps(pairs, config))
        extra = {"similarity": tf.TensorSpec((size // 2,), tf.float32)}
    signature = {
        "images": tf.TensorSpec((size, *file.images.shape[1:]), tf.uint8),
        "index": tf.TensorSpec((size,), tf.int32),
        "labels": tf.TensorSpec((size,), tf.int64),
        "seed": tf.TensorSpec((2,), tf.int32),
        **extra,
    }
    options = tf.data.Options()
    # With autotune, `fit` would wait at the end for the sleeping autotune thread.
    options.autotune.enabled = False
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2).with_options(options)


def known_labels(pairs: RunData, config: TrainConfig) -> np.ndarray:
    """Returns the (n,) class of each image, -1 if unknown; one-vs-rest images of the rest have their original class."""
    task, labels = pairs.task.train.labels, pairs.original.train.labels
    if task is None or labels is None:
        return np.full(len(pairs.task.train.images), -1)
    if config.one_vs_rest is None or config.rest_is_a_class:
        return task
    rest = task == REST
    rest_images = pairs.train_images[rest[pairs.train_images]]
    single_label = len(np.unique(labels[rest_images])) == 1  # such as "others", which does not imply similarity
    return np.where(rest, -1, labels) if single_label else labels


def _pair_batches(pairs: PairDataset, labels: np.ndarray, config: TrainConfig, epochs: range, steps: int) -> Batches:
    rows = pairs.rows(TRAIN)
    for epoch in epochs:
        for step, batch in enumerate(epoch_batches(rows, config.batch_pairs, config.seed, epoch)[:steps]):
            index = np.concatenate([pairs.img1[batch], pairs.img2[batch]])
            similarity = pairs.similarity[batch].astype(np.float32)
            yield {**_batch(pairs, labels, index, (config.seed, epoch, step)), "similarity": similarity}


def _class_batches(pairs: RunData, labels: np.ndarray, config: TrainConfig, epochs: range) -> Batches:
    steps, train_images = training_steps(pairs, config), pairs.train_images
    draws = draw_batches(pairs, config)
    draws = itertools.islice(draws, epochs.start * steps, None)  # skip the batches of earlier epochs
    for epoch in epochs:
        for step, draw in enumerate(itertools.islice(draws, steps)):
            yield _batch(pairs.task.train, labels, train_images[draw], (config.seed, epoch, step))


def draw_batches(pairs: RunData, config: TrainConfig) -> Iterator[np.ndarray]:
    """Returns an endless iterator of batches of classes, as positions in `pairs.train_images`.

    Raises:
        ConfigError: if no batch of this shape can be drawn.
    """
    train, rows = pairs.task.train, pairs.train_images
    assert train.labels is not None  # checked by `resolve_config`
    if config.batch_within is None:
        return class_batches(train.labels[rows], *config.batch_shape, config.seed)
    assert train.groups is not None  # checked by `resolve_config`
    authors = None if train.authors is None else train.authors[rows]
    parts = config.parts_per_batch
    return group_batches(train.labels[rows], train.groups[rows], authors, parts, *config.batch_shape, config.seed)


def _batch(pairs: PairDataset, labels: np.ndarray, index: np.ndarray, seeds: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {
        "images": pairs.images[index],
        "index": index.astype(np.int32),
        "labels": labels[index],
        "seed": np.random.SeedSequence(seeds).generate_state(2).view(np.int32),
    }
