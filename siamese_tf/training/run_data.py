"""What a run trains on: its pairs, as their files have them and as the run sees them."""

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
    """The pairs of a run.

    Attributes:
        original: as their files have them, with the labels of all classes.
        task: as the run sees them: the same, or pairs of one class and the rest, with the labels 1 and 0.
        train_images: (k,) int64, the images of `task.train` to train on where steps draw images and not pairs.
    """

    original: TrainTestPairs
    task: TrainTestPairs
    train_images: np.ndarray

    def lines(self, config: TrainConfig) -> list[str]:
        """What is trained on, for people; `config` is settled."""
        if not config.uses_class_batches:
            return self.task.lines()
        classes, images = config.batch_shape
        steps = f"steps of {classes} classes with {images} images each"
        if short := self.short_classes(config):
            steps += f"; classes with fewer ({short:,}) repeat some within a step"
        return [*self.task.lines(), steps]

    def short_classes(self, config: TrainConfig) -> int:
        """How many classes have too few images to fill their place in a step that is made of images."""
        assert self.task.train.labels is not None  # `resolve_config` has looked
        return short_classes(self.task.train.labels[self.train_images], config.batch_shape[1])


def load_run_data(config: TrainConfig) -> RunData:
    """Opens the pairs of a config, and makes those of one class and the rest where it asks for them.

    Raises:
        SiameseError: see `load_pair_dataset` and `one_vs_rest`.
    """
    original = load_pairs(
        config.dataset,
        data_dir=config.data_dir,
        pairs=config.pairs,
        test_pairs=config.test_pairs,
        image_format=ImageFormat.parse(config.image_size, config.color, config.resize),
        images_folder=config.images,
    )
    task = original
    if config.one_vs_rest is not None:
        task = one_vs_rest(original, config.one_vs_rest, rest_is_a_class=config.rest_is_a_class, seed=config.seed)
    return RunData(original, task, original.train.images_of(TRAIN))
