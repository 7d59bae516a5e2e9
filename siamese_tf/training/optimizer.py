"""The optimiser of a run and how its learning rate goes."""

import math
from collections.abc import Sequence

import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.models.siamese_model import SiameseModel

WARMUP = 0.05  # of the steps, in which the learning rate rises to its height
MOMENTUM = 0.9
STEPS_DOWN = {0.5: 0.1, 0.75: 0.01}  # from this share of the steps on, this share of the rate
PATIENCE = 5  # epochs without a better validation accuracy, after which `plateau` halves the rate


def build_optimizer(config: TrainConfig, model: SiameseModel, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimiser of a settled config, with its variables for the trainable ones of a model.

    Weight decay is of the tower's kernels; scales, shifts and the head have their own size.
    """
    rate, decay = _rate(config, steps_per_epoch), config.weight_decay or None
    if config.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(rate, momentum=MOMENTUM, nesterov=True, weight_decay=decay)
    else:
        optimizer = keras.optimizers.Adam(rate, weight_decay=decay)
    if decay:
        ema_model = {id(kernel) for kernel in kernels(model)}
        optimizer.exclude_from_weight_decay([one for one in model.trainable_variables if id(one) not in ema_model])
    optimizer.build(model.trainable_variables)
    return optimizer


def kernels(model: SiameseModel) -> list[tf.Variable]:
    """What is trained of the tower's weights and has two axes or more."""
    return [variable for variable in model.tower.trainable_variables if len(variable.shape) > 1]


def plateau_rate(config: TrainConfig, accuracies: Sequence[float]) -> float:
    """The learning rate of `plateau` for the epoch after those with these validation accuracies.

    It halves whenever `PATIENCE` epochs in a row have brought no accuracy above all before, and the count begins anew.
    """
    assert config.learning_rate is not None  # `resolve_config` has set it
    best, waited, halved = -1.0, 0, 0
    for accuracy in accuracies:
        waited = 0 if accuracy > best else waited + 1
        best = max(best, accuracy)
        if waited == PATIENCE:
            waited, halved = 0, halved + 1
    return config.learning_rate / 2**halved


def _rate(config: TrainConfig, steps_per_epoch: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    assert config.epochs is not None  # `resolve_config` has set both
    assert config.learning_rate is not None
    rate, steps = float(config.learning_rate), config.epochs * steps_per_epoch
    if config.schedule in ("constant", "plateau"):
        return rate
    if config.schedule == "step":
        boundaries = [math.ceil(share * steps) - 1 for share in STEPS_DOWN]  # the last steps before
        return keras.optimizers.schedules.PiecewiseConstantDecay(
            boundaries, [rate, *(share * rate for share in STEPS_DOWN.values())]
        )
    warmup = round(WARMUP * steps)
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(rate, steps)
    return keras.optimizers.schedules.CosineDecay(
        rate / warmup, steps - warmup, warmup_target=rate, warmup_steps=warmup
    )
