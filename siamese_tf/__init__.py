"""Pairwise Siamese networks: build pairs, train, and score the probability that two images belong to the same class.

Public names are imported on first use, so `import siamese_tf` does not import TensorFlow.
"""

from importlib import import_module
from typing import Any

from siamese_tf.onednn import enable_onednn
from siamese_tf.registration import register_with_keras
from siamese_tf.version import __version__

enable_onednn()
register_with_keras()

_MODULES = {
    "ContrastiveLoss": "siamese_tf.losses.contrastive",
    "Gallery": "siamese_tf.inference.gallery",
    "SiameseError": "siamese_tf.errors",
    "SiameseModel": "siamese_tf.models.siamese_model",
    "TrainConfig": "siamese_tf.config.train_config",
    "TripletBatchAllLoss": "siamese_tf.losses.keras_triplet",
    "TripletHardLoss": "siamese_tf.losses.keras_triplet",
    "TripletSemiHardLoss": "siamese_tf.losses.keras_triplet",
    "generate_pair_files": "siamese_tf.data.pairs.generate",
    "load_image": "siamese_tf.data.images.decode",
    "load_model": "siamese_tf.models.model_file",
    "load_pair_file": "siamese_tf.data.pairs.pair_file",
    "load_source": "siamese_tf.data.sources.load",
    "make_pairs": "siamese_tf.data.sampling.draw_pairs",
    "save_model": "siamese_tf.models.model_file",
    "train_and_evaluate": "siamese_tf.training.train",
}

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'siamese_tf' has no attribute {name!r}; public names: {', '.join(__all__)}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
