import numpy as np
import pytest

from siamese_tf.data.pairs.pair_file import TRAIN, VALIDATION, PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.errors import PairFileError
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.pretrained import calibrate_pretrained


def pairs(split: int, similarity: list[int]) -> TrainTestPairs:
    """Pairs of an image with its copy, or with one of two others, as `similarity` says."""
    images = np.full((4, 8, 8, 1), 9, np.uint8)
    images[2, ::2], images[3, :4] = 255, 255
    count = len(similarity)
    img2 = np.where(np.array(similarity) == 1, 1, 2 + np.arange(count) % 2)
    columns = (np.zeros(count, np.int32), img2.astype(np.int32), np.array(similarity, np.uint8))
    dataset = PairDataset(images, None, *columns, np.full(count, split, np.uint8), sha256="f" * 64)
    return TrainTestPairs(dataset, None, "made", "")


def test_the_threshold_and_the_probabilities_are_chosen_on_validation_pairs():
    model = SiameseModel((8, 8, 1), "small_cnn", 4)
    given = pairs(VALIDATION, [1, 0] * 20)
    before = model.get_weights()[:-2]
    calibrate_pretrained(model, given)
    scores = model.score_pairs(given.train.images, given.train.img1, given.train.img2)
    assert ((scores >= model.threshold) == (given.train.similarity == 1)).all()
    assert model.record["dataset"] == "made"
    assert model.record["calibration"] == {"source": "validation pairs", "pairs": 40, "sha256": "f" * 64}
    assert all((now == then).all() for now, then in zip(model.get_weights()[:-2], before, strict=True))


def test_training_pairs_alone_are_refused():
    with pytest.raises(PairFileError, match="must have validation pairs for the calibration; got none"):
        calibrate_pretrained(SiameseModel((8, 8, 1), "small_cnn", 4), pairs(TRAIN, [1, 0] * 20))


def test_pairs_that_the_model_ranks_backwards_are_refused():
    backwards = pairs(VALIDATION, [1, 0] * 20)
    backwards.train.similarity[:] = 1 - backwards.train.similarity
    with pytest.raises(PairFileError, match="must have pairs that the model can tell apart"):
        calibrate_pretrained(SiameseModel((8, 8, 1), "small_cnn", 4), backwards)
