"""One training step: both images of every pair through the tower in one pass, the loss on the pairs among them."""

import tensorflow as tf
from tensorflow import keras

from siamese_tf.config import TrainConfig
from siamese_tf.losses.pairs import balanced_mean
from siamese_tf.models.siamese_model import SiameseModel, scale_pixels
from siamese_tf.training.augmentation import augment
from siamese_tf.training.objectives import OBJECTIVES


class PairTrainer(keras.Model):
    """What `fit` drives: holds a SiameseModel and trains it on the batches of `training_batches`."""

    def __init__(self, model: SiameseModel, config: TrainConfig):
        super().__init__(name="pair_trainer")
        self.model = model
        self.config = config
        self.loss_mean = keras.metrics.Mean(name="loss")
        self.built = True

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        images = augment(scale_pixels(batch["images"]), self.config.augment, batch["seed"])
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            embeddings = self.model.tower(images, training=True)  # (2m, d): one batch-norm statistic for both sides
            loss = (
                self._all_pairs(embeddings, batch)
                if self.config.pairs_per_step == "all"
                else self._listed(embeddings, batch)
            )
        gradients = tape.gradient(loss, variables)
        # An objective on distances has no gradient for the head's scale and bias: the calibration sets them.
        reached = [
            (gradient, variable)
            for gradient, variable in zip(gradients, variables, strict=True)
            if gradient is not None
        ]
        self.optimizer.apply_gradients(reached)
        self.loss_mean.update_state(loss)
        return {"loss": self.loss_mean.result()}

    def _all_pairs(self, embeddings: tf.Tensor, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """Every image of the step against every other; the pair file knows the labels of them all."""
        labels, index = batch["labels"], batch["index"]
        similarity = tf.cast(labels[:, tf.newaxis] == labels[tf.newaxis, :], tf.float32)  # (2m, 2m)
        counted = tf.cast(index[:, tf.newaxis] != index[tf.newaxis, :], tf.float32)  # no image with itself
        objective, head = OBJECTIVES[self.config.objective], self.model.head
        matrix = head.logit_matrix if objective.measure == "logit" else head.distance_matrix
        return balanced_mean(objective.loss(similarity, matrix(embeddings), self.config), similarity, counted)

    def _listed(self, embeddings: tf.Tensor, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """Only the pairs the file lists, weighted alike."""
        a, b = tf.split(embeddings, 2)  # (m, d) each
        objective, head = OBJECTIVES[self.config.objective], self.model.head
        measure = head.logit if objective.measure == "logit" else head.distance
        return tf.reduce_mean(objective.loss(batch["similarity"], measure(a, b), self.config))
