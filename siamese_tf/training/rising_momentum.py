"""Stochastic gradient descent with a momentum that rises from epoch to epoch."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf
from tensorflow import keras


class RisingMomentum(keras.optimizers.SGD):
    """SGD with classical momentum m, which rises linearly: velocity = m * velocity - rate * gradient.

    The momentum depends only on the number of steps taken, so a resumed run continues with the same values. Keras
    reads its own momentum once, when it traces the training step. Therefore every step scales the velocities before
    Keras multiplies them by the final momentum.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        first: float,
        last: float,
        steps_per_epoch: int,
        epochs: int,
        weight_decay: float | None = None,
    ):
        """Creates the optimizer.

        Args:
            learning_rate: learning rate or its schedule.
            first: momentum in the first epoch, in [0, 1].
            last: momentum in the last epoch and afterward, above 0 and at most 1.
            steps_per_epoch: number of steps in an epoch.
            epochs: number of epochs of the run; a single one has the momentum `first`.
            weight_decay: decoupled weight decay per step, multiplied by the learning rate; None for none.
        """
        super().__init__(learning_rate, momentum=last, weight_decay=weight_decay)
        self.first, self.steps_per_epoch, self.epochs = first, steps_per_epoch, epochs

    def momentum_at(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the float32 momentum of a step, counted from 0."""
        epoch = tf.cast(step // self.steps_per_epoch, tf.float32)
        return self.first + (self.momentum - self.first) * tf.minimum(epoch / max(1, self.epochs - 1), 1.0)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[tf.Tensor, tf.Variable]], **kwargs: Any) -> Any:
        ratio = self.momentum_at(tf.convert_to_tensor(self.iterations)) / self.momentum
        for velocity in self.momentums:
            velocity.assign(tf.cast(ratio, velocity.dtype) * tf.convert_to_tensor(velocity))
        return super().apply_gradients(grads_and_vars, **kwargs)
