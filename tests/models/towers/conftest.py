"""Checks that hold for every tower."""

import numpy as np
import pytest


def draw_images(size: tuple[int, int, int], count: int = 2) -> np.ndarray:
    return np.random.default_rng(1).random((count, *size), dtype=np.float32)


@pytest.fixture(scope="session")
def images():
    """A function (size, count) that draws images."""
    return draw_images


@pytest.fixture(scope="session")
def check_embeddings():
    """A function (builder, size) that asserts that images get different embeddings, in every dimension."""

    def check(build, size: tuple[int, int, int]) -> None:
        model, rng = build(size, 5), np.random.default_rng(2)
        model.set_weights([rng.uniform(0, 0.1, weight.shape) for weight in model.get_weights()])
        embeddings = np.asarray(model(draw_images(size), training=False))
        assert model.input_shape == (None, *size)
        assert embeddings.shape == (2, 5)
        assert embeddings.dtype == np.float32
        assert np.isfinite(embeddings).all()
        assert embeddings.min() > 0
        assert np.ptp(embeddings, axis=0).min() > 0

    return check
