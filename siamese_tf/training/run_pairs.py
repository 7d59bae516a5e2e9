"""What a run trains on: its pairs, as their files have them and as the run sees them."""

from dataclasses import dataclass

import numpy as np

from siamese_tf.config import TrainConfig
from siamese_tf.data.class_batches import short_classes
from siamese_tf.data.image_form import ImageForm
from siamese_tf.data.one_vs_rest import one_vs_rest
from siamese_tf.data.open import OpenedPairs, open_pairs
from siamese_tf.data.pair_file import TRAIN


@dataclass(frozen=True, eq=False)
class RunPairs:
    """The pairs of a run.

    Attributes:
        opened: as their files have them, with the labels of all classes.
        seen: as the run sees them: the same, or pairs of one class and the rest, with the labels 1 and 0.
        pool: (k,) int64, the images of `seen.train` to train on where steps are made of images and not of pairs.
    """

    opened: OpenedPairs
    seen: OpenedPairs
    pool: np.ndarray

    def lines(self, config: TrainConfig) -> list[str]:
        """What is trained on, for people; `config` is settled."""
        if not config.steps_of_images:
            return self.seen.lines()
        classes, images = config.step_shape
        steps = f"steps of {classes} classes with {images} images each"
        if short := self.short_classes(config):
            steps += f"; classes with fewer ({short:,}) repeat some within a step"
        return [*self.seen.lines(), steps]

    def short_classes(self, config: TrainConfig) -> int:
        """How many classes have too few images to fill their place in a step that is made of images."""
        assert self.seen.train.labels is not None  # `settle` has looked
        return short_classes(self.seen.train.labels[self.pool], config.step_shape[1])


def open_run_pairs(config: TrainConfig) -> RunPairs:
    """Opens the pairs of a config, and makes those of one class and the rest where it asks for them.

    Raises:
        SiameseError: see `open_pairs` and `one_vs_rest`.
    """
    opened = open_pairs(
        config.dataset,
        data_dir=config.data_dir,
        pairs=config.pairs,
        test_pairs=config.test_pairs,
        form=ImageForm.parse(config.image_size, config.color, config.resize),
        images_folder=config.images,
    )
    seen = opened
    if config.one_vs_rest is not None:
        seen = one_vs_rest(opened, config.one_vs_rest, rest_is_a_class=config.rest_is_a_class, seed=config.seed)
    return RunPairs(opened, seen, opened.train.images_of(TRAIN))
