"""What a config leaves open, settled once the pairs are known."""

from dataclasses import replace

import numpy as np
from tensorflow import keras

from siamese_tf.config import TOWER_DEFAULTS, TrainConfig
from siamese_tf.data.batches import steps_per_epoch
from siamese_tf.data.open import OpenedPairs
from siamese_tf.data.pair_file import TEST, TRAIN, VALIDATION, PairFile
from siamese_tf.errors import ConfigError, PairFileError
from siamese_tf.training.objectives import OBJECTIVES

STEPS_BY_DEFAULT = 1000
# Mirrored clothes are clothes, mirrored digits are not digits; what is not known is only shifted.
AUGMENTATION = {"fashion-mnist": "flip"}


def settle(config: TrainConfig, pairs: OpenedPairs, tower: keras.Model | None) -> TrainConfig:
    """Sets what the config left open, once the pairs are known, and refuses what they cannot serve.

    Raises:
        PairFileError: a split without rows or with rows of one kind only, or no labels although `pairs_per_step` is
            `all`.
        ConfigError: the config says `custom` and there is no `tower`, or it has nothing to train.
    """
    if config.tower == "custom" and tower is None:
        raise ConfigError("tower 'custom' is the one you give in Python: train_and_evaluate(config, tower=...)")
    if tower is not None and not tower.trainable_weights:
        raise ConfigError("your tower has no trainable weights, so there is nothing to train")
    _check_kinds(pairs.train, TRAIN, "training")
    _check_kinds(pairs.train, VALIDATION, "validation")
    if pairs.test is not None:
        _check_kinds(pairs.test, TEST, "test")
    if config.pairs_per_step == "all" and pairs.train.labels is None:
        raise PairFileError(
            f"{pairs.train.path} has no labels, so only its listed pairs can be learned from: --pairs-per-step listed"
        )
    defaults = TOWER_DEFAULTS["custom" if tower is not None else config.tower]
    augment = AUGMENTATION.get(pairs.dataset, "shift") if defaults.augments else "none"
    steps = steps_per_epoch(len(pairs.train.rows(TRAIN)), config.batch_pairs)
    return replace(
        config,
        dataset=pairs.dataset if config.dataset == "auto" else config.dataset,
        tower="custom" if tower is not None else config.tower,
        head=config.head or OBJECTIVES[config.objective].head,
        epochs=config.epochs or -(-STEPS_BY_DEFAULT // steps),
        embedding_dim=config.embedding_dim or defaults.embedding_dim,
        learning_rate=config.learning_rate or defaults.learning_rate,
        augment=augment if config.augment == "auto" else config.augment,
    )


def _check_kinds(file: PairFile, split: int, name: str) -> None:
    kinds = np.unique(file.similarity[file.rows(split)])
    if not len(kinds):
        missing = f"{file.path} has no {name} rows (split {split}), which a run needs"
        raise PairFileError(f"{missing}. Make a file that has: python dataset_generation.py")
    if len(kinds) == 1:
        raise PairFileError(
            f"all {name} pairs (split {split}) of {file.path} have similarity {kinds[0]}; a run needs"
            " pairs of both kinds"
        )
