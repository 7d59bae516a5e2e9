"""Loading of pairs in the image format of a model, for commands that take both."""

from typing import TYPE_CHECKING

from siamese_tf.config.data_config import DataConfig

if TYPE_CHECKING:
    from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
    from siamese_tf.models.siamese_model import SiameseModel


def load_model_pairs(model: "SiameseModel", data: DataConfig) -> "TrainTestPairs":
    """Loads the pairs that the settings name in the image format of the model; see `load_pairs`."""
    from siamese_tf.data.pairs.load_pairs import load_pairs
    from siamese_tf.data.sources.load import format_for

    return load_pairs(
        data.dataset,
        data_dir=data.data_dir,
        pairs=data.pairs,
        test_pairs=data.test_pairs,
        image_format=format_for("" if data.pairs is not None else data.dataset, model.image_format),
        images_folder=data.images,
    )
