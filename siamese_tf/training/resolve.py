"""What a config leaves open, settled once the pairs are known."""

from dataclasses import replace

import numpy as np
from tensorflow import keras

from siamese_tf.config.catalog import TOWER_DEFAULTS
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset
from siamese_tf.data.sampling.class_batches import class_batches
from siamese_tf.errors import ConfigError, PairFileError
from siamese_tf.models.towers.custom import check_tower, check_trainable
from siamese_tf.training.objectives import OBJECTIVES
from siamese_tf.training.pipeline import images_per_epoch
from siamese_tf.training.run_data import RunData
from siamese_tf.training.triplets import losses_from

MAX_CLASSES = {"semi-hard": 16, "all": 8, "hard": 32}
# The hardest of many positives is a hopeless one, and the embeddings collapse.
HARD_SHARE, MIN_HARD = 4, 4
# By the data set and how much is asked for. Mirrored clothes are clothes, mirrored digits are not digits.
AUGMENTATION = {
    "auto": {"fashion-mnist": "flip"},
    "light": {"fashion-mnist": "flip"},
    "strong": {"fashion-mnist": "flip-shift-erase"},
}
UNKNOWN_DATA = {"auto": "shift", "light": "affine", "strong": "affine-shift-erase"}


def resolve_config(config: TrainConfig, run: RunData, tower: keras.Model | None) -> TrainConfig:
    """Sets what the config left open, once the pairs are known, and refuses what they cannot serve.

    Args:
        config: as asked for.
        run: what to train on.
        tower: the user's own; None where the config names one.

    Raises:
        PairFileError: a split without rows or with rows of one kind only, or no labels although `pairs_per_step` is
            `all`, the objective `triplet` or `whiten` asked for.
        ConfigError: the config says `custom` and there is no `tower`, or it cannot be one (see `check_tower`) or has
            nothing to train, or a precision or a file to start from was asked for besides; there are fewer classes
            than it asks for in a step; see `losses_from`.
    """
    pairs = run.task
    if config.tower == "custom" and tower is None:
        raise ConfigError("tower 'custom' is the one you give in Python: train_and_evaluate(config, tower=...)")
    if tower is not None and config.precision != "float32":
        raise ConfigError(f"precision {config.precision!r} is for towers by name; yours brings its own. Leave it out")
    if tower is not None and config.start_from is not None:
        raise ConfigError("start_from is for towers by name; give yours the weights it starts with. Leave it out")
    if tower is not None:
        check_trainable(check_tower(tower, pairs.train.image_format.shape))
    _check_kinds(pairs.train, TRAIN, "training")
    _check_kinds(pairs.train, VALIDATION, "validation")
    if pairs.test is not None:
        _check_kinds(pairs.test, TEST, "test")
    if pairs.train.labels is None:
        _check_no_labels_needed(config, pairs.train)
    defaults = TOWER_DEFAULTS["custom" if tower is not None else config.tower]
    augment = _augmentation(config.augment, run.original.dataset, defaults.augments)
    objective = OBJECTIVES[config.objective]
    head = config.head or objective.head
    config = replace(
        config,
        dataset=run.original.dataset if config.dataset == "auto" else config.dataset,
        tower="custom" if tower is not None else config.tower,
        head=head,
        margin=config.margin or objective.margins.get(head),
        embedding_dim=config.embedding_dim or defaults.embedding_dim,
        learning_rate=config.learning_rate or defaults.learning_rate,
        whiten=_whiten(config, pairs.train, defaults.whitens and head != "concat"),
        augment=augment,
        views=_views(augment) if config.views == "auto" else config.views,
    )
    if config.objective == "triplet":
        config = _settle_triplets(config, run)
    if config.uses_class_batches:
        class_batches(_classes(run), *config.batch_shape, config.seed)  # refuses what it could not draw
    return replace(config, epochs=config.epochs or -(-config.images_shown // images_per_epoch(run, config)))


def _whiten(config: TrainConfig, pairs: PairDataset, unasked: bool) -> bool:
    if config.whiten and pairs.labels is None:
        raise PairFileError(f"{pairs.path} has no labels, and whiten needs the classes of its images. Leave whiten out")
    if config.whiten is not None:
        return config.whiten
    return unasked and pairs.labels is not None


def _augmentation(asked: str, dataset: str, augments: bool) -> str:
    if asked == "auto" and not augments:
        return "none"
    return AUGMENTATION[asked].get(dataset, UNKNOWN_DATA[asked]) if asked in AUGMENTATION else asked


def _views(augment: str) -> str:
    changes = augment.split("-")
    return "mirror" if "flip" in changes else "turn" if "affine" in changes else "one"


def _settle_triplets(config: TrainConfig, run: RunData) -> TrainConfig:
    classes = config.classes_per_batch or min(MAX_CLASSES[config.mining], len(np.unique(_classes(run))))
    each = max(2, config.batch_pairs // classes)
    if config.mining == "hard":
        each = max(MIN_HARD, each // HARD_SHARE)
    return replace(
        config,
        losses=losses_from(config),
        classes_per_batch=classes,
        images_per_class=config.images_per_class or each,
    )


def _classes(run: RunData) -> np.ndarray:
    """Those of the images to train on."""
    assert run.task.train.labels is not None  # `resolve_config` has looked
    return run.task.train.labels[run.train_images]


def _check_no_labels_needed(config: TrainConfig, pairs: PairDataset) -> None:
    if config.objective == "triplet":
        raise PairFileError(f"{pairs.path} has no labels, and the objective triplet needs them. Use another objective")
    if config.pairs_per_step == "all":
        raise PairFileError(
            f"{pairs.path} has no labels, so only its listed pairs can be learned from: --pairs-per-step listed"
        )


def _check_kinds(file: PairDataset, split: int, name: str) -> None:
    kinds = np.unique(file.similarity[file.rows(split)])
    if not len(kinds):
        missing = f"{file.path} has no {name} rows (split {split}), which a run needs"
        raise PairFileError(f"{missing}. Make a file that has: siamese-tf pairs generate")
    if len(kinds) == 1:
        raise PairFileError(
            f"all {name} pairs (split {split}) of {file.path} have similarity {kinds[0]}; a run needs"
            " pairs of both kinds"
        )
