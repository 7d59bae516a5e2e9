"""Steps and epochs of a run."""

import math
from dataclasses import replace

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TRAIN
from siamese_tf.data.sampling.batches import steps_per_epoch
from siamese_tf.errors import ConfigError
from siamese_tf.training.run_data import RunData


def with_epochs(config: TrainConfig, run: RunData) -> TrainConfig:
    """Sets the number of epochs, and the steps of each unless they are one pass over the data.

    Raises:
        ConfigError: if an epoch has more steps than one pass over the listed pairs.
    """
    one_pass = steps_per_pass(run, config)
    if not config.uses_class_batches and (config.steps_per_epoch or 1) > one_pass:
        raise ConfigError(
            f"steps_per_epoch must be at most {one_pass:,}, one pass over the pairs; got {config.steps_per_epoch:,}."
            " Lower it, and set more epochs"
        )
    if config.epochs is not None:
        return config
    steps = math.ceil(config.images_shown / images_per_step(run, config))
    epochs = math.ceil(steps / (config.steps_per_epoch or one_pass))
    equal = math.ceil(steps / epochs)
    return replace(
        config, epochs=epochs, steps_per_epoch=config.steps_per_epoch or (equal if equal < one_pass else None)
    )


def training_steps(pairs: RunData, config: TrainConfig) -> int:
    """Returns the steps per epoch of a config: `steps_per_epoch`, or one pass over the data."""
    return config.steps_per_epoch or steps_per_pass(pairs, config)


def steps_per_pass(pairs: RunData, config: TrainConfig) -> int:
    """Returns the number of full batches in one pass over the listed pairs, or over the images; at least 1."""
    if config.uses_class_batches:
        return max(1, len(pairs.train_images) // images_per_step(pairs, config))
    return steps_per_epoch(len(pairs.task.train.rows(TRAIN)), config.batch_pairs)


def images_per_epoch(pairs: RunData, config: TrainConfig) -> int:
    """Returns the number of images that pass through the tower in an epoch; repeated images count every time."""
    return training_steps(pairs, config) * images_per_step(pairs, config)


def images_per_step(pairs: RunData, config: TrainConfig) -> int:
    """Returns the number of images that pass through the tower in a step."""
    if config.uses_class_batches:
        return config.parts_per_batch * math.prod(config.batch_shape)
    return 2 * min(config.batch_pairs, len(pairs.task.train.rows(TRAIN)))
