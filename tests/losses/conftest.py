"""Losses of identical embeddings for every head, row by row and as a matrix; the square root has no gradient at 0."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.catalog import HEADS
from siamese_tf.models.heads import build_head


def drawn_head(name: str, embedding_dim: int) -> keras.layers.Layer:
    """Returns a head whose matrices are drawn by NumPy, so that they are the same on every stack."""
    head, rng = build_head(name, embedding_dim), np.random.default_rng(1)
    for weight in head.trainable_variables:
        if len(weight.shape) == 2:
            weight.assign(rng.normal(0, 0.5, weight.shape))
    return head


@pytest.fixture(params=HEADS)
def head(request) -> keras.layers.Layer:
    """Each head, for 8-dimensional embeddings."""
    return drawn_head(request.param, 8)


@pytest.fixture(params=[(head, image_format) for head in HEADS for image_format in ("rows", "matrix")], ids=" ".join)
def values_at_identical_embeddings(request) -> Callable[..., list[np.ndarray]]:
    """Returns a function (loss, measure) -> losses, and gradients of their sum with respect to embeddings and head."""
    name, image_format = request.param
    head = drawn_head(name, 3)
    embeddings = tf.Variable(np.tile(np.float32([[0.3, -0.2, 0.9]]), (4, 1)))

    def compute(loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], measure: str) -> list[np.ndarray]:
        with tf.GradientTape() as tape:
            if image_format == "rows":
                values = getattr(head, measure)(embeddings, embeddings)  # (4,)
            else:
                values = getattr(head, f"{measure}_matrix")(embeddings, embeddings)  # (4, 4)
            similarity = tf.cast(np.arange(values.shape.num_elements()).reshape(values.shape) % 2, tf.uint8)
            losses = loss(similarity, values)
            total = tf.reduce_sum(losses)
        variables = [embeddings, *head.trainable_variables]
        gradients = tape.gradient(total, variables)
        return [losses.numpy(), *(np.asarray(gradient) for gradient in gradients if gradient is not None)]

    return compute
