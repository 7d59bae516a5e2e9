"""Resolution of a config: unset settings are filled in from the catalog and the pairs of the run."""

from dataclasses import replace

import numpy as np
from tensorflow import keras

from siamese_tf.config.catalog import (
    AUGMENT_LEVELS,
    CUSTOM,
    DATASETS,
    HEADS,
    MINING,
    OBJECTIVES,
    OTHER_DATASETS,
    VIEWS,
    tower_defaults,
)
from siamese_tf.config.optim_config import ROTATIONS
from siamese_tf.config.resolved_config import ResolvedConfig
from siamese_tf.config.settings import AUTO
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset
from siamese_tf.errors import ConfigError, PairFileError
from siamese_tf.models.towers.custom import check_tower, check_trainable
from siamese_tf.training.environment import environment
from siamese_tf.training.epochs import with_epochs
from siamese_tf.training.pipeline import draw_batches
from siamese_tf.training.precision import fast_precision
from siamese_tf.training.run_data import RunData
from siamese_tf.training.triplets import losses_from


def resolve_config(config: TrainConfig, run: RunData, tower: keras.Model | None) -> ResolvedConfig:
    """Fills in the unset settings of a config, and checks that the pairs are suitable for the settings.

    Args:
        config: config of the run.
        run: pairs of the run.
        tower: custom tower; None if the config names one from the catalog.

    Returns:
        The config with every setting that the run uses; resolving it again changes nothing.

    Raises:
        PairFileError: if a split has no rows or rows of one similarity only, or there are no labels although
            `pairs_per_step="all"`, `whiten` or the objective requires them.
        ConfigError: if the tower is `custom` and none is passed; the custom tower is invalid (see `check_tower`), has
            no trainable weights, or is combined with `precision` or `start_from`; a batch requires more classes than
            exist; an epoch has more steps than one pass over the pairs; or the implementation of the loss is not
            available (see `losses_from`).
    """
    _check_tower(config, tower, run)
    _check_pairs(config, run)
    dataset, row = run.original.dataset, OBJECTIVES[config.objective]
    tower_name = config.tower if tower is None else CUSTOM
    defaults = tower_defaults(tower_name)
    head = config.head or row.head
    whiten = _whiten(config, run.task.train, default=defaults.whitens and HEADS[head].normalizes)
    augment = _augmentations(config.augment, dataset, defaults.augments)
    config = replace(
        config,
        dataset=dataset if config.dataset == "auto" else config.dataset,
        tower=tower_name,
        head=head,
        margin=config.margin or row.margins.get(head),
        augment=augment,
        precision=_precision(config.precision, tower_name),
        views=_views(augment) if config.views == "auto" else config.views,
    )
    if row.batches == "classes":
        config = _resolve_batch_shape(config, run)
    if "losses" in row.settings:
        config = replace(config, losses=losses_from(config))
    if config.uses_class_batches:
        draw_batches(run, config)  # raises an error if no batch can be drawn
    config = with_epochs(config, run)
    assert config.epochs is not None
    return ResolvedConfig.from_config(
        config,
        head=head,
        embedding_dim=config.embedding_dim or defaults.embedding_dim,
        epochs=config.epochs,
        learning_rate=config.learning_rate or defaults.learning_rate,
        whiten=whiten,
    )


def _augmentations(augment: str, dataset: str, augments: bool) -> str:
    if augment not in AUGMENT_LEVELS:
        return augment
    if augment == "auto" and not augments:
        return "none"
    return DATASETS.get(dataset, OTHER_DATASETS).augment[augment]


def _precision(precision: str, tower: str) -> str:
    if precision != AUTO:
        return precision
    return "float32" if tower == CUSTOM else fast_precision(environment()["gpus"])


def _views(augment: str) -> str:
    augmentations = augment.split("-")
    return next((name for name, view in VIEWS.items() if view.taught_by in augmentations), "one")


def _whiten(config: TrainConfig, pairs: PairDataset, default: bool) -> bool:
    if config.whiten and pairs.labels is None:
        raise PairFileError(f"{pairs.display_name} must have labels for whiten; it has none. Leave whiten out")
    if config.whiten is not None:
        return config.whiten
    return default and pairs.labels is not None


def _resolve_batch_shape(config: TrainConfig, run: RunData) -> TrainConfig:
    labels, groups = _train_labels(run), run.task.train.groups
    available = 0 if config.batch_within is None or groups is None else len(np.unique(groups[run.train_images]))
    if (batch := OBJECTIVES[config.objective].batch) is not None:
        return replace(
            config,
            classes_per_batch=config.classes_per_batch or min(batch.classes, len(np.unique(labels))),
            images_per_class=config.images_per_class or batch.images,
            groups_per_batch=config.groups_per_batch or min(batch.groups, available) or None,
        )
    shape = MINING[config.mining]
    classes = config.classes_per_batch or min(shape.max_classes, len(np.unique(labels)))
    images = config.images_per_class or max(shape.min_images, config.batch_pairs // classes // shape.images_divisor)
    parts = config.groups_per_batch or min(1, available) or None
    return replace(config, classes_per_batch=classes, images_per_class=images, groups_per_batch=parts)


def _train_labels(run: RunData) -> np.ndarray:
    labels = run.task.train.labels
    assert labels is not None  # checked by `_check_pairs`
    return labels[run.train_images]


def _check_tower(config: TrainConfig, tower: keras.Model | None, run: RunData) -> None:
    if tower is None:
        if config.tower == CUSTOM:
            raise ConfigError("tower 'custom' must be passed in Python. Use train_and_evaluate(config, tower=...)")
        return
    if config.precision not in (AUTO, "float32"):
        raise ConfigError(
            f"precision must be left out with a custom tower, which sets its own; got {config.precision!r}"
        )
    if config.start_from is not None:
        raise ConfigError(
            f"start_from must be left out with a custom tower; got {config.start_from!r}. Load the weights into the"
            " tower"
        )
    check_trainable(check_tower(tower, run.task.train.image_format.shape))


def _check_pairs(config: TrainConfig, run: RunData) -> None:
    train, test = run.task.train, run.task.test
    _check_split(train, TRAIN, "training")
    if config.epochs is None or config.schedule == "plateau" or len(train.rows(VALIDATION)):
        _check_split(train, VALIDATION, "validation", hint=" or, to train without validation, set epochs")
    if test is not None:
        _check_split(test, TEST, "test")
    if config.batch_within is not None and train.groups is None:
        raise PairFileError(
            f"{train.display_name} must have groups for batch_within {config.batch_within!r}; it has none. Use images"
            " in FOLDER/group/class, or leave batch_within out"
        )
    height, width, _ = train.images.shape[1:]
    if config.classes_from == ROTATIONS and height != width:
        raise ConfigError(
            f"the images must be square for classes_from {ROTATIONS!r}; got {height}x{width}. Use --image-size"
            f" {max(height, width)}"
        )
    if train.labels is not None:
        return
    if OBJECTIVES[config.objective].batches == "classes":
        raise PairFileError(
            f"{train.path} must have labels for the objective {config.objective}; it has none. Use another objective"
        )
    if config.pairs_per_step == "all":
        raise PairFileError(
            f"{train.path} must have labels for pairs_per_step 'all'; it has none. Use --pairs-per-step listed"
        )


def _check_split(pairs: PairDataset, split: int, name: str, hint: str = "") -> None:
    similarities = np.unique(pairs.similarity[pairs.rows(split)])
    if not len(similarities):
        raise PairFileError(
            f"{pairs.display_name} must have {name} pairs (split {split}); it has none. Generate a file with"
            f" siamese-tf pairs generate{hint}"
        )
    if len(similarities) == 1:
        raise PairFileError(
            f"the {name} pairs (split {split}) of {pairs.display_name} must have similarities 0 and 1; all have"
            f" {similarities[0]}"
        )
