"""The input pipeline: from a pair file to the batches of every step, images uint8 until the network takes them."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from siamese_tf.config import TrainConfig
from siamese_tf.data.batches import epoch_batches
from siamese_tf.data.pair_file import TRAIN, PairFile


def training_batches(pairs: PairFile, config: TrainConfig, epochs: range) -> tf.data.Dataset:
    """The batches of some epochs, one epoch after the other.

    Args:
        pairs: with training rows.
        config: of the run.
        epochs: which, the first of a run being 0.

    Returns:
        Dicts of `images` (2m, h, w, c) uint8, first images of the m pairs, then second ones; `index` (2m,) int32, which
        image of the file each is; `labels` (2m,) int64, -1 where the file has none; `similarity` (m,) float32; `seed`
        (2,) int32 of the step's augmentation.
    """
    rows = pairs.rows(TRAIN)
    labels = pairs.labels if pairs.labels is not None else np.full(len(pairs.images), -1)

    def batches() -> Iterator[dict[str, np.ndarray]]:
        for epoch in epochs:
            for step, batch in enumerate(epoch_batches(rows, config.batch_pairs, config.seed, epoch)):
                index = np.concatenate([pairs.img1[batch], pairs.img2[batch]])
                yield {
                    "images": pairs.images[index],
                    "index": index,
                    "labels": labels[index],
                    "similarity": pairs.similarity[batch].astype(np.float32),
                    "seed": np.random.SeedSequence([config.seed, epoch, step]).generate_state(2).view(np.int32),
                }

    width = min(config.batch_pairs, len(rows))
    signature = {
        "images": tf.TensorSpec((2 * width, *pairs.images.shape[1:]), tf.uint8),
        "index": tf.TensorSpec((2 * width,), tf.int32),
        "labels": tf.TensorSpec((2 * width,), tf.int64),
        "similarity": tf.TensorSpec((width,), tf.float32),
        "seed": tf.TensorSpec((2,), tf.int32),
    }
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)
