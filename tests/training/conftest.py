"""Small pairs for the tests of training: two patterns drawn with noise, and the digits of scikit-learn."""

from pathlib import Path

import numpy as np
import pytest

from siamese_tf.data.generate import generate_pair_files
from siamese_tf.data.pair_file import TEST, TRAIN, VALIDATION, PairFile
from siamese_tf.data.pairs import make_pairs


@pytest.fixture(scope="session")
def toy_pairs() -> PairFile:
    """Images (60, 8, 8, 1) bright on the left (class 0) or on the right (class 1); 70 + 30 + 20 pairs."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = rng.integers(0, 120, (60, 8, 8, 1), np.uint8)
    images[labels == 0, :, :4] += 120
    images[labels == 1, :, 4:] += 120
    img1, img2, similarity = make_pairs(labels, 120, np.random.SeedSequence(0))
    order = rng.permutation(120)
    split = np.repeat(np.array([TRAIN, VALIDATION, TEST], np.uint8), [70, 30, 20])
    return PairFile(images, labels, img1[order], img2[order], similarity[order], split)


@pytest.fixture(scope="session")
def digit_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with training and validation pairs of the digits; the one with test pairs lies beside it."""
    folder = tmp_path_factory.mktemp("pairs")
    made = generate_pair_files("digits", out=folder, train_pairs=800, validation_pairs=200, test_pairs=200)
    return made.train_path
