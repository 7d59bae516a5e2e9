from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.config import TOWER_NAMES, TrainConfig
from siamese_tf.data.open import OpenedPairs
from siamese_tf.data.pair_file import PairFile
from siamese_tf.errors import ConfigError
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.settle import settle


def pairs(dataset: str = "mnist") -> OpenedPairs:
    """Four images of 28x28 and, in training as in validation, one pair of each kind."""
    file = PairFile(
        images=np.zeros((4, 28, 28, 1), np.uint8),
        labels=np.array([0, 0, 1, 1]),
        img1=np.array([0, 0, 2, 1], np.int32),
        img2=np.array([1, 2, 3, 3], np.int32),
        similarity=np.array([1, 0, 1, 0], np.uint8),
        split=np.array([0, 0, 1, 1], np.uint8),
        path=Path("train_pairs.npz"),
    )
    return OpenedPairs(file, None, dataset, "")


def test_the_reference_set_up_needs_no_more_flags_than_the_issue_names():
    config = TrainConfig(tower="reference", head="concat", pairs_per_step="listed", epochs=40, batch_pairs=1024)
    settled = settle(config, pairs(), None)
    assert (settled.embedding_dim, settled.learning_rate, settled.augment) == (32, 1e-3, "none")
    model = SiameseModel((28, 28, 1), settled.tower, settled.embedding_dim, settled.head)
    assert model.tower.count_params() == 75_008
    assert model.head.layers[0].kernel.shape == (64, 16)


@pytest.mark.parametrize("tower", TOWER_NAMES)
def test_what_was_asked_for_stays(tower):
    asked = TrainConfig(tower=tower, embedding_dim=7, learning_rate=0.5, augment="flip", epochs=3, head="concat")
    settled = settle(asked, pairs(), None)
    assert settled == replace(asked, dataset="mnist")


@pytest.mark.parametrize(
    ("dataset", "augment"), [("mnist", "shift"), ("digits", "shift"), ("fashion-mnist", "flip"), ("mine", "shift")]
)
def test_only_clothing_is_mirrored_unasked(dataset, augment):
    assert settle(TrainConfig(), pairs(dataset), None).augment == augment


def test_auto_becomes_the_data_set_and_a_folder_stays_a_folder():
    assert settle(TrainConfig(dataset="auto"), pairs("digits"), None).dataset == "digits"
    assert settle(TrainConfig(dataset="my/cats"), pairs("cats"), None).dataset == "my/cats"


def test_a_tower_of_ones_own_is_called_custom_and_must_be_given():
    own = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
    assert settle(TrainConfig(tower="reference"), pairs(), own).tower == "custom"
    with pytest.raises(ConfigError, match="give in Python"):
        settle(TrainConfig(tower="custom"), pairs(), None)
