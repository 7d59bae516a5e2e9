"""Head `weighted_l1`: a trained, weighted sum of the absolute differences of two embeddings."""

import tensorflow as tf
from tensorflow import keras

from siamese_tf.models.heads import Head


class WeightedL1Head(Head):
    """Weighted L1 head: logit = b + sum_j w_j |a_j - b_j|, with trained weights w and bias b; one Dense unit.

    Weights may have either sign, as in the original, so the sum is no distance. The distance is -log(probability of a
    match), which is >= 0 and unbounded, as for `ConcatHead`. Scale and bias of the base class are set by calibration
    only. The initial weights are drawn from N(0, 0.2²), the initial bias from N(0.5, 0.01²).

    Reference:
        Koch et al. 2015, "Siamese neural networks for one-shot image recognition", sections 3.1 and 3.2.
    """

    normalizes = False

    def __init__(self, embedding_dim: int):
        super().__init__(scale=1.0, bias=0.0, trained=False)
        dense = keras.layers.Dense(
            1,
            kernel_initializer=keras.initializers.RandomNormal(0.0, 0.2),
            bias_initializer=keras.initializers.RandomNormal(0.5, 0.01),
            name="dense",
        )
        dense.build((None, embedding_dim))
        self.layers = [dense]

    def distance(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return tf.nn.softplus(-self.logit(a, b))

    def distance_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return tf.nn.softplus(-self.logit_matrix(a, b))

    def logit(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return self.bias + self.scale * self.layers[0](tf.abs(a - b))[:, 0]

    def logit_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        kernel, bias = (tf.convert_to_tensor(weight) for weight in self.layers[0].weights)  # (d, 1), (1,)
        # One row at a time, also for the gradient: (n, m, d) differences may not fit into memory.
        row_sums = tf.recompute_grad(_row_sums)
        sums = tf.map_fn(lambda row: row_sums(row, b, kernel), a, fn_output_signature=tf.float32)  # (n, m)
        return self.bias + self.scale * (sums + bias)

    def call_matrix(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return self.logit_matrix(a, b)  # in float32: absolute differences do not suffer from cancellation


def _row_sums(row: tf.Tensor, b: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns the (m,) weighted sums of |row - b| of a row (d,) and b (m, d), for a kernel (d, 1)."""
    return tf.matmul(tf.abs(row - b), kernel)[:, 0]
