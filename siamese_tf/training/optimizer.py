"""Optimizer of a run and its learning-rate schedule."""

import math
from collections.abc import Sequence

import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.resolved_config import ResolvedConfig
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.rising_momentum import RisingMomentum

WARMUP = 0.05  # fraction of the steps during which the learning rate rises to its peak
MOMENTUM = 0.9
FIRST_MOMENTUM = 0.5  # momentum of the optimizer `momentum` in the first epoch
STEP_DECAY = {0.5: 0.1, 0.75: 0.01}  # fraction of finished steps -> multiplier of the learning rate afterwards
EPOCH_DECAY = 0.99  # multiplier of the learning rate after each epoch of the schedule `exponential`
PATIENCE = 5  # epochs without a higher validation accuracy before `plateau` halves the learning rate


def build_optimizer(config: ResolvedConfig, model: SiameseModel, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Builds the optimizer of a resolved config for the trainable variables of a model.

    Weight decay applies to the kernels of the tower, not to biases, normalization parameters or the head.
    """
    rate, decay = _rate(config, steps_per_epoch), config.weight_decay or None
    if config.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(rate, momentum=MOMENTUM, nesterov=True, weight_decay=decay)
    elif config.optimizer == "momentum":
        epochs = (steps_per_epoch, config.epochs)
        optimizer = RisingMomentum(rate, FIRST_MOMENTUM, MOMENTUM, *epochs, weight_decay=decay)
    else:
        optimizer = keras.optimizers.Adam(rate, weight_decay=decay)
    if decay:
        decayed = {id(kernel) for kernel in kernels(model)}
        optimizer.exclude_from_weight_decay([one for one in model.trainable_variables if id(one) not in decayed])
    optimizer.build(model.trainable_variables)
    return optimizer


def kernels(model: SiameseModel) -> list[tf.Variable]:
    """Returns the trainable variables of the tower with two or more axes."""
    return [variable for variable in model.tower.trainable_variables if len(variable.shape) > 1]


def plateau_rate(config: ResolvedConfig, accuracies: Sequence[float]) -> float:
    """Returns the learning rate of the schedule `plateau` for the next epoch, given all earlier validation accuracies.

    The rate is halved whenever `PATIENCE` consecutive epochs do not exceed the best validation accuracy before them.
    """
    best, waited, halved = -1.0, 0, 0
    for accuracy in accuracies:
        waited = 0 if accuracy > best else waited + 1
        best = max(best, accuracy)
        if waited == PATIENCE:
            waited, halved = 0, halved + 1
    return config.learning_rate / 2**halved


def _rate(config: ResolvedConfig, steps_per_epoch: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    rate, steps = float(config.learning_rate), config.epochs * steps_per_epoch
    if config.schedule in ("constant", "plateau"):
        return rate
    if config.schedule == "step":
        boundaries = [math.ceil(fraction * steps) - 1 for fraction in STEP_DECAY]  # last step of the higher rate
        return keras.optimizers.schedules.PiecewiseConstantDecay(
            boundaries, [rate, *(multiplier * rate for multiplier in STEP_DECAY.values())]
        )
    if config.schedule == "exponential":
        return keras.optimizers.schedules.ExponentialDecay(rate, steps_per_epoch, EPOCH_DECAY, staircase=True)
    warmup = round(WARMUP * steps)
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(rate, steps)
    return keras.optimizers.schedules.CosineDecay(
        rate / warmup, steps - warmup, warmup_target=rate, warmup_steps=warmup
    )
