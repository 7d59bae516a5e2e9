"""A tower and two losses that the package does not know, and the one row of the catalog that adds each of them."""

from typing import Any

import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.catalog import OBJECTIVES, TOWERS
from siamese_tf.config.rows import Objective, Tower

ROWS: list[tuple[dict[str, Any], str, Any]] = [
    (
        TOWERS,
        "toy_dense",
        Tower(
            builder="toy_catalog:toy_dense",
            parameters="toy_catalog:toy_dense_parameters",
            embedding_dim=3,
            learning_rate=0.02,
            augments=False,
        ),
    ),
    (OBJECTIVES, "toy_hinge", Objective(loss="toy_catalog:hinge", reads="logit", head="cosine")),
    (
        OBJECTIVES,
        "toy_spread",
        Objective(
            loss="toy_catalog:spread",
            reads="embeddings",
            head="euclidean",
            heads=("euclidean",),
            batches="classes",
            settings=("classes_per_batch", "images_per_class"),
        ),
    ),
]


def toy_dense(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Builds one Dense layer on the pixels."""
    image = keras.Input(input_size, name="image")
    x = keras.layers.Flatten(name="flatten")(image)
    return keras.Model(image, keras.layers.Dense(embedding_dim, name="embedding")(x), name="toy_dense")


def toy_dense_parameters(input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of weights of `toy_dense`."""
    height, width, channels = input_size
    return (height * width * channels + 1) * embedding_dim


def hinge(similarity: tf.Tensor, logit: tf.Tensor) -> tf.Tensor:
    """Returns the hinge loss of each pair."""
    return tf.maximum(0.0, 1.0 - (2.0 * similarity - 1.0) * logit)


def spread(config: Any) -> Any:
    """Returns a loss that pulls embeddings of a class together and pushes others apart up to a distance of 1."""

    def loss(labels: tf.Tensor, embeddings: tf.Tensor) -> tf.Tensor:
        squares = 2.0 - 2.0 * tf.matmul(embeddings, embeddings, transpose_b=True)
        same = labels[:, tf.newaxis] == labels[tf.newaxis, :]
        return tf.reduce_mean(tf.where(same, squares, tf.maximum(0.0, 1.0 - squares)))

    return loss
