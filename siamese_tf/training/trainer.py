"""One training step: every image of the step through the tower in one pass, then what the objective measures."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.models.pixels import scale_pixels
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.augmentation import augment
from siamese_tf.training.objectives import OBJECTIVES
from siamese_tf.training.optimizer import kernels
from siamese_tf.training.transfer import lr_multipliers


class Trainer(keras.Model):
    """What `fit` drives: holds a SiameseModel and trains it on the batches of `training_batches`.

    Attributes:
        model: what is trained.
        ema_model: what is validated and kept, see `ema_weights`.
        ema_variables: the moving averages of the variables of `model`, in their order.
        lr_multipliers: of the learning rate, for each trainable variable, see `lr_multipliers`.
        last_metrics: what the last step measured, by name; `fit` itself is told the means over the epoch so far.

    A tower of your own may add losses: regularizers, activity regularizers and `add_loss`. A step minimizes them with
    the loss of the objective; like the penalty of `l2`, they are no part of the `loss` that is reported.
    """

    def __init__(self, model: SiameseModel, ema_model: SiameseModel, config: TrainConfig):
        """Sets up the trainer.

        Args:
            model: to be trained.
            ema_model: with the same variables, in the same order; its tower may be that of `model`.
            config: of the run, settled.
        """
        super().__init__(name="trainer")
        self.model, self.ema_model, self.config = model, ema_model, config
        self.ema_variables = [tf.Variable(tf.convert_to_tensor(one), trainable=False) for one in model.variables]
        self.step = OBJECTIVES[config.objective].step(config, model.head)
        self.lr_multipliers = lr_multipliers(model, config)
        self.means = {name: keras.metrics.Mean(name=name) for name in self.step.names}
        self.last_metrics = {name: tf.Variable(0.0, trainable=False) for name in self.step.names}
        self.has_losses = config.tower == "custom" and _adds_losses(model)
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.means.values())

    @property
    def state(self) -> list[tf.Variable]:
        """Every variable a step changes, apart from the optimiser's."""
        return [*self.model.variables, *self.ema_variables]

    @contextmanager
    def ema_weights(self) -> Iterator[SiameseModel]:
        """`ema_model` with the averages for weights, meanwhile."""
        before = [np.asarray(variable).copy() for variable in self.ema_model.variables]
        _assign(self.ema_model.variables, self.ema_variables)
        try:
            yield self.ema_model
        finally:
            _assign(self.ema_model.variables, before)

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        images = augment(scale_pixels(batch["images"]), self.config.augment, batch["seed"])
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            embeddings = self._embed(images)  # (n, d)
            metrics = self.step(embeddings, batch)
            loss = metrics["loss"]
            if self.config.l2:
                squares = (tf.reduce_sum(tf.square(tf.convert_to_tensor(one))) for one in kernels(self.model))
                loss += self.config.l2 * sum(tf.cast(one, tf.float32) for one in squares)
            if self.has_losses:
                loss += sum(tf.cast(tf.reduce_sum(one), tf.float32) for one in self.model.tower.losses)
        gradients = tape.gradient(loss, variables)
        # An objective on distances has no gradient for the head's scale and bias: the calibration sets them.
        reached = [
            (gradient, variable)
            for gradient, variable in zip(gradients, variables, strict=True)
            if gradient is not None
        ]
        self._apply(reached)
        self._average()
        for name, mean in self.means.items():
            mean.update_state(metrics[name])
            self.last_metrics[name].assign(metrics[name])
        return {name: mean.result() for name, mean in self.means.items()}

    def _apply(self, reached: list[tuple[tf.Tensor, tf.Variable]]) -> None:
        """One step of the optimiser, of which each variable takes its share."""
        slow = [
            (one, share)
            for one, share in zip(self.model.trainable_variables, self.lr_multipliers, strict=True)
            if share < 1
        ]
        before = [tf.identity(tf.convert_to_tensor(variable)) for variable, _ in slow]
        self.optimizer.apply_gradients(reached)
        for (variable, share), value in zip(slow, before, strict=True):
            variable.assign(value + share * (tf.convert_to_tensor(variable) - value))

    def _embed(self, images: tf.Tensor) -> tf.Tensor:
        """Embeds a batch; where no image depends on the others, in halves, which the processor works at side by side.

        Batch normalization needs all images for its statistics, and a loss of the tower may be a sum over all of them.
        """
        tower = self.model.tower
        if tower.non_trainable_variables or self.has_losses or images.shape[0] % 2:
            return tf.cast(tower(images, training=True), tf.float32)
        halves = [tower(half, training=True) for half in tf.split(images, 2)]
        return tf.cast(tf.concat(halves, axis=0), tf.float32)

    def _average(self) -> None:
        """Moves the averages toward the weights; at first fast, since those of a new network say nothing."""
        step = tf.cast(self.optimizer.iterations, tf.float32)  # 1 after the first
        decay = tf.minimum(self.config.average, (step - 1.0) / (step + 9.0))
        for average, variable in zip(self.ema_variables, self.model.variables, strict=True):
            value = tf.convert_to_tensor(variable)
            if value.dtype.is_floating:  # on Keras 3, a layer that draws at random counts its draws in a variable
                value += tf.cast(decay, value.dtype) * (average - value)
            average.assign(value)


def _adds_losses(model: SiameseModel) -> bool:
    """Whether a training pass through the tower leaves losses; traced, not run, so nothing is drawn or updated."""

    def losses(images: tf.Tensor) -> list[tf.Tensor]:
        model.tower(images, training=True)
        return model.tower.losses

    traced = tf.function(losses).get_concrete_function(tf.TensorSpec((None, *model.input_size), tf.float32))
    return bool(traced.structured_outputs)


def _assign(variables: Iterable[tf.Variable], values: Iterable[tf.Variable | np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
