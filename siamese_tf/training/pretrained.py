"""Calibration of a pretrained model, of which nothing is trained."""

from siamese_tf.data.pairs.pair_file import VALIDATION
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.errors import PairFileError
from siamese_tf.evaluation.evaluate import EmbeddedPairs
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.finalize import calibrate


def calibrate_pretrained(model: SiameseModel, pairs: TrainTestPairs) -> None:
    """Calibrates the probabilities and the threshold of a model on validation pairs, and records them.

    Args:
        model: pretrained model, which is changed.
        pairs: pairs in its image format.

    Raises:
        PairFileError: if there are no validation pairs, their images have another size, or the model does not rank them
            better than chance.
        ImageError: if an embedding is not finite, or all of them are zero.
    """
    count = len(pairs.train.rows(VALIDATION))
    if not count:
        raise PairFileError(f"{pairs.train.display_name} must have validation pairs for the calibration; got none")
    if not calibrate(model, EmbeddedPairs(model, pairs.train).check()):
        raise PairFileError(f"{pairs.train.display_name} must have pairs that the model can tell apart; it cannot")
    model.record = {
        **model.record,
        "dataset": pairs.dataset,
        "calibration": {"source": "validation pairs", "pairs": count, "sha256": pairs.train.sha256},
    }
