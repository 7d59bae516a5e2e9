"""Data of a run: its pairs as stored in their files, and as used for training."""

from dataclasses import dataclass

import numpy as np

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.pairs.load_pairs import load_pairs
from siamese_tf.data.pairs.one_vs_rest import one_vs_rest
from siamese_tf.data.pairs.pair_file import TRAIN
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.data.sampling.class_batches import short_classes


@dataclass(frozen=True, eq=False)
class RunData:
    """Pairs and images of a run.

    Attributes:
        original: pairs as stored in their files, with the labels of all classes.
        task: pairs that the run trains on: `original`, or one-vs-rest pairs with labels 1 and 0.
        train_images: (k,) int64 indices into the images of `task.train`, from which class batches are drawn.
    """

    original: TrainTestPairs
    task: TrainTestPairs
    train_images: np.ndarray

    def lines(self, config: TrainConfig) -> list[str]:
        """Returns a description of the data for a resolved config, one string per line."""
        if not config.uses_class_batches:
            return self.task.lines()
        classes, images = config.batch_shape
        batches = f"batches of {classes} classes with {images} images each"
        if short := self.short_classes(config):
            batches += f"; classes with fewer images ({short:,}) repeat some of them within a batch"
        return [*self.task.lines(), batches]

    def short_classes(self, config: TrainConfig) -> int:
        """Returns the number of classes with fewer training images than a class batch contains per class."""
        assert self.task.train.labels is not None  # checked by `resolve_config`
        return short_classes(self.task.train.labels[self.train_images], config.batch_shape[1])


def load_run_data(config: TrainConfig) -> RunData:
    """Loads the pairs of a config, and derives one-vs-rest pairs from them if it sets `one_vs_rest`.

    Raises:
        SiameseError: see `load_pairs` and `one_vs_rest`.
    """
    original = load_pairs(
        config.dataset,
        data_dir=config.data_dir,
        pairs=config.pairs,
        test_pairs=config.test_pairs,
        image_format=ImageFormat.parse(config.image_size, config.color, config.resize, config.invert, config.center),
        images_folder=config.images,
    )
    task = original
    if config.one_vs_rest is not None:
        task = one_vs_rest(original, config.one_vs_rest, rest_is_a_class=config.rest_is_a_class, seed=config.seed)
    return RunData(original, task, original.train.images_of(TRAIN))
