"""Keras model for `fit`: a training step embeds all images of a batch, then minimizes the loss of the objective."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.catalog import CUSTOM
from siamese_tf.config.optim_config import ROTATIONS
from siamese_tf.config.resolved_config import ResolvedConfig
from siamese_tf.models.pixels import scale_pixels
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.augmentation import augment
from siamese_tf.training.objectives import build_step
from siamese_tf.training.optimizer import kernels
from siamese_tf.training.rotated_classes import rotate_parts
from siamese_tf.training.transfer import lr_multipliers


class Trainer(keras.Model):
    """Keras model that trains a SiameseModel on the batches of `training_batches`, and averages its weights.

    A custom tower may add losses: regularizers, activity regularizers and `add_loss`. A step minimizes their sum with
    the loss of the objective; like the `l2` penalty, they are not part of the reported `loss`.

    Attributes:
        model: model that is trained.
        ema_model: model that is validated and saved, see `ema_weights`.
        ema_variables: exponential moving averages of the variables of `model`, in the same order.
        lr_multipliers: learning-rate factor of each trainable variable, see `transfer.lr_multipliers`.
        last_metrics: metrics of the last step, by name; `fit` reports their means over the epoch so far.
    """

    def __init__(self, model: SiameseModel, ema_model: SiameseModel, config: ResolvedConfig):
        """Creates the trainer.

        Args:
            model: model to train.
            ema_model: model with the same variables in the same order; may share the tower of `model`.
            config: resolved config of the run.
        """
        super().__init__(name="trainer")
        self.model, self.ema_model, self.config = model, ema_model, config
        self.ema_variables = [tf.Variable(tf.convert_to_tensor(value), trainable=False) for value in model.variables]
        self.step = build_step(config, model.head)
        self.lr_multipliers = lr_multipliers(model, config)
        self.means = {name: keras.metrics.Mean(name=name) for name in self.step.names}
        self.last_metrics = {name: tf.Variable(0.0, trainable=False) for name in self.step.names}
        self.has_losses = config.tower == CUSTOM and _adds_losses(model)
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.means.values())

    @property
    def state(self) -> list[tf.Variable]:
        """All variables that a training step updates, except those of the optimizer."""
        return [*self.model.variables, *self.ema_variables]

    @contextmanager
    def ema_weights(self) -> Iterator[SiameseModel]:
        """Yields `ema_model` with the averaged weights, and restores its previous weights afterwards."""
        before = [np.asarray(variable).copy() for variable in self.ema_model.variables]
        _assign(self.ema_model.variables, self.ema_variables)
        try:
            yield self.ema_model
        finally:
            _assign(self.ema_model.variables, before)

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        images = scale_pixels(batch["images"])
        if self.config.classes_from == ROTATIONS:
            images = rotate_parts(images, self.config.parts_per_batch, batch["seed"])
        images = augment(images, self.config.augment, batch["seed"])
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            embeddings = self._embed(images)  # (n, d)
            metrics = self.step(embeddings, batch)
            loss = metrics["loss"]
            if self.config.l2:
                squares = (tf.reduce_sum(tf.square(tf.convert_to_tensor(kernel))) for kernel in kernels(self.model))
                loss += self.config.l2 * sum(tf.cast(square, tf.float32) for square in squares)
            if self.has_losses:
                loss += sum(tf.cast(tf.reduce_sum(added), tf.float32) for added in self.model.tower.losses)
        gradients = tape.gradient(loss, variables)
        # Objectives on distances have no gradient for the scale and bias of the head; calibration sets them.
        self._apply([pair for pair in zip(gradients, variables, strict=True) if pair[0] is not None])
        self._update_averages()
        for name, mean in self.means.items():
            mean.update_state(metrics[name])
            self.last_metrics[name].assign(metrics[name])
        return {name: mean.result() for name, mean in self.means.items()}

    def _apply(self, gradients_and_variables: list[tuple[tf.Tensor, tf.Variable]]) -> None:
        """Applies one optimizer step, and scales the change of each variable by its multiplier."""
        scaled = [
            (variable, multiplier)
            for variable, multiplier in zip(self.model.trainable_variables, self.lr_multipliers, strict=True)
            if multiplier < 1
        ]
        before = [tf.identity(tf.convert_to_tensor(variable)) for variable, _ in scaled]
        self.optimizer.apply_gradients(gradients_and_variables)
        for (variable, multiplier), value in zip(scaled, before, strict=True):
            variable.assign(value + multiplier * (tf.convert_to_tensor(variable) - value))

    def _embed(self, images: tf.Tensor) -> tf.Tensor:
        """Embeds a batch (n, h, w, c) as (n, d) float32, in two halves if the images are processed independently.

        The halves run in parallel on a CPU. The batch is not split if the tower has batch normalization, whose
        statistics need all images, or losses, which may be sums over all images.
        """
        tower = self.model.tower
        if tower.non_trainable_variables or self.has_losses or images.shape[0] % 2:
            return tf.cast(tower(images, training=True), tf.float32)
        halves = [tower(half, training=True) for half in tf.split(images, 2)]
        return tf.cast(tf.concat(halves, axis=0), tf.float32)

    def _update_averages(self) -> None:
        """Updates the moving averages, with a lower decay in the first steps, when the weights change quickly."""
        step = tf.cast(self.optimizer.iterations, tf.float32)  # 1 after the first step
        decay = tf.minimum(self.config.average, (step - 1.0) / (step + 9.0))
        for average, variable in zip(self.ema_variables, self.model.variables, strict=True):
            value = tf.convert_to_tensor(variable)
            if value.dtype.is_floating:  # in Keras 3, the states of random generators are integer variables
                value += tf.cast(decay, value.dtype) * (average - value)
            average.assign(value)


def _adds_losses(model: SiameseModel) -> bool:
    """Returns True if the tower adds losses in training; traces it, which does not update variables."""

    def losses(images: tf.Tensor) -> list[tf.Tensor]:
        model.tower(images, training=True)
        return model.tower.losses

    traced = tf.function(losses).get_concrete_function(tf.TensorSpec((None, *model.input_size), tf.float32))
    return bool(traced.structured_outputs)


def _assign(variables: Iterable[tf.Variable], values: Iterable[tf.Variable | np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
