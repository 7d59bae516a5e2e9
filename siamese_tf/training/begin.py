"""What `fit` drives, as it is before the first step."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf
from tensorflow import keras

from siamese_tf.config import TrainConfig
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.towers import build_tower
from siamese_tf.training.pipeline import training_steps
from siamese_tf.training.run_pairs import RunPairs
from siamese_tf.training.trainer import Trainer

WARMUP = 0.05  # of the steps, in which the learning rate rises to its height


def begin(config: TrainConfig, pairs: RunPairs, tower: keras.Model | None) -> Trainer:
    """What `fit` drives, before the first step; the same at every call.

    Raises:
        ConfigError: the tower does not take these images.
    """
    assert config.epochs is not None  # `settle` has set all four
    assert config.head is not None
    assert config.embedding_dim is not None
    assert config.learning_rate is not None
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    height, width, channels = pairs.seen.train.images.shape[1:]
    size = (height, width, channels)
    with _computing_in(config.precision):
        trained = build_tower(tower or config.tower, size, config.embedding_dim)
    model = SiameseModel(size, trained, config.embedding_dim, config.head)
    # One by name is built again, in float32; of yours there is only this one, whatever it is made of.
    kept = SiameseModel(size, tower or config.tower, config.embedding_dim, config.head, views=config.views)
    optimizer = keras.optimizers.Adam(
        _schedule(config, training_steps(pairs, config)), weight_decay=config.weight_decay or None
    )
    if config.weight_decay:  # of the tower's kernels; scales, shifts and the head have their own size
        vectors = [variable for variable in trained.trainable_variables if len(variable.shape) < 2]
        optimizer.exclude_from_weight_decay([*vectors, *model.head.trainable_variables])
    optimizer.build(model.trainable_variables)
    trainer = Trainer(model, kept, config)
    trainer.compile(optimizer=optimizer, jit_compile=False)
    return trainer


def _schedule(config: TrainConfig, steps_per_epoch: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    assert config.epochs is not None  # `settle` has set both
    assert config.learning_rate is not None
    if config.schedule == "constant":
        return config.learning_rate
    steps = config.epochs * steps_per_epoch
    warmup = round(WARMUP * steps)
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(config.learning_rate, steps)
    return keras.optimizers.schedules.CosineDecay(
        config.learning_rate / warmup, steps - warmup, warmup_target=config.learning_rate, warmup_steps=warmup
    )


@contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    """Networks built meanwhile compute in this precision; their weights are float32."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)
