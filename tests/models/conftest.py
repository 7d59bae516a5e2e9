"""Models whose weights are drawn by NumPy: the same numbers on every stack, batch normalisation included."""

from collections.abc import Callable

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.config.catalog import HEADS
from siamese_tf.models.heads import build_head
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.weights import named_weights


def _draw(weights: dict, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for name, weight in weights.items():
        shape = tuple(weight.shape)
        if name.endswith(("moving_variance", "gamma")):
            weight.assign(rng.uniform(0.5, 1.5, shape))
        elif len(shape) > 1:
            weight.assign(rng.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape))
        elif shape:
            weight.assign(rng.normal(0, 0.2, shape))


@pytest.fixture(scope="session")
def drawn() -> Callable[[SiameseModel], SiameseModel]:
    """A function that gives a model weights that depend on the seed alone, and returns it."""

    def draw(model: SiameseModel, seed: int = 0) -> SiameseModel:
        _draw(named_weights(model.tower, model.head), seed)
        if model.tower_name == "reference":  # it ends in a ReLU: so that no embedding is 0
            kernel, bias = model.tower.layers[-1].get_weights()
            model.tower.layers[-1].set_weights([kernel, bias + np.float32(0.5)])
        if model.head.normalizes:
            model.head.calibrate(1.0, -3.5)  # untrained embeddings lie close together: this spreads the scores
        return model

    return draw


@pytest.fixture(scope="session", params=HEADS)
def head(request) -> keras.layers.Layer:
    """Each head in turn, for embeddings of 5 numbers."""
    head = build_head(request.param, 5)
    _draw({weight.name: weight for weight in head.trainable_variables if len(weight.shape)}, seed=1)
    return head


@pytest.fixture(scope="session")
def small(drawn) -> SiameseModel:
    """The default tower, with batch normalisation, on 8x8 grey images; 6 numbers in an embedding."""
    return drawn(SiameseModel((8, 8, 1), "small_cnn", 6))


@pytest.fixture(scope="session", params=HEADS)
def each(request, drawn) -> SiameseModel:
    """Each head in turn on the tower `reference`, 8x8 grey images; 4 numbers in an embedding."""
    return drawn(SiameseModel((8, 8, 1), "reference", 4, head=request.param))
