"""Small pairs for the tests of training: patterns drawn with noise, and the digits of scikit-learn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.generate import generate_pair_files
from siamese_tf.data.pairs.one_vs_rest import one_vs_rest
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.data.sampling.draw_pairs import make_pairs
from siamese_tf.training.run_data import RunData


@pytest.fixture(scope="session")
def toy_pairs() -> PairDataset:
    """Images (60, 8, 8, 1) bright on the left (class 0) or on the right (class 1); 70 + 30 + 20 pairs."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = rng.integers(0, 120, (60, 8, 8, 1), np.uint8)
    images[labels == 0, :, :4] += 120
    images[labels == 1, :, 4:] += 120
    img1, img2, similarity = make_pairs(labels, 120, np.random.SeedSequence(0))
    order = rng.permutation(120)
    split = np.repeat(np.array([TRAIN, VALIDATION, TEST], np.uint8), [70, 30, 20])
    return PairDataset(images, labels, img1[order], img2[order], similarity[order], split)


@pytest.fixture(scope="session")
def quarters() -> PairDataset:
    """Images (108, 8, 8, 1), one quarter of them bright: four classes, of which the last has fewer images.

    The splits share no images: 63, 25 and 20.
    """
    rng = np.random.default_rng(1)
    per_class = {TRAIN: [20, 20, 20, 3], VALIDATION: [7, 7, 7, 4], TEST: [5, 5, 5, 5]}
    labels = np.concatenate([rng.permutation(np.repeat(np.arange(4), counts)) for counts in per_class.values()])
    images = rng.integers(0, 120, (len(labels), 8, 8, 1), np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = 4 * (label // 2), 4 * (label % 2)
        image[top : top + 4, left : left + 4] += 120
    start, columns, split = 0, [], []
    for (part, counts), pairs in zip(per_class.items(), (160, 40, 40), strict=True):
        of_part = labels[start : start + sum(counts)]
        img1, img2, similarity = make_pairs(of_part, pairs, np.random.SeedSequence(part))
        columns.append((img1 + start, img2 + start, similarity))
        split += [part] * pairs
        start += sum(counts)
    img1, img2, similarity = (np.concatenate(column) for column in zip(*columns, strict=True))
    manifest = {"class_names": ["north-west", "north-east", "south-west", "south-east"], "seed": 1, "split": "image"}
    return PairDataset(images, labels, img1, img2, similarity, np.array(split, np.uint8), manifest)


@pytest.fixture(scope="session")
def run_of() -> Callable[..., RunData]:
    """Builds the data of a run from one pair dataset, for the task of the config."""

    def run_data(pairs: PairDataset, config: TrainConfig | None = None, dataset: str = "toys") -> RunData:
        files = TrainTestPairs(pairs, pairs if len(pairs.rows(TEST)) else None, dataset, "toys, drawn")
        task = files
        if config is not None and config.one_vs_rest is not None:
            task = one_vs_rest(files, config.one_vs_rest, rest_is_a_class=config.rest_is_a_class, seed=config.seed)
        return RunData(files, task, pairs.images_of(TRAIN))

    return run_data


@pytest.fixture(scope="session")
def digit_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with training and validation pairs of the digits; that with test pairs is in the same folder."""
    folder = tmp_path_factory.mktemp("pairs")
    made = generate_pair_files("digits", out=folder, train_pairs=800, validation_pairs=200, test_pairs=200)
    return made.train_path
