"""Builder of the Trainer of a run."""

import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.catalog import OBJECTIVES
from siamese_tf.config.resolved_config import ResolvedConfig
from siamese_tf.models.keras_settings import keras_settings
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.towers.build import build_tower
from siamese_tf.training.epochs import training_steps
from siamese_tf.training.fused_batch_norm import with_fused_batch_norm
from siamese_tf.training.optimizer import build_optimizer
from siamese_tf.training.run_data import RunData
from siamese_tf.training.trainer import Trainer
from siamese_tf.training.transfer import freeze_all_but_last, load_initial_weights
from siamese_tf.training.whitening import feature_extractor


@keras_settings()
def build_trainer(
    config: ResolvedConfig, pairs: RunData, tower: keras.Model | None, *, resumed: bool = False
) -> Trainer:
    """Builds and compiles the Trainer of a run; calls with the same arguments give the same weights.

    Args:
        config: resolved config.
        pairs: data of the run.
        tower: custom tower; None builds the one that the config names.
        resumed: skips `start_from`, whose weights a checkpoint will replace and whose file may no longer exist.

    Raises:
        ConfigError: if the tower does not accept the images, differs from the tower of `start_from`, or cannot be
            whitened.
        ModelFileError: if the file `start_from` cannot be read.
    """
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    image_format = pairs.task.train.image_format
    size = image_format.shape
    name_or_tower = config.tower if tower is None else tower
    trained = build_tower(name_or_tower, size, config.embedding_dim, config.precision)
    if tower is None:
        trained = with_fused_batch_norm(trained)
    model = SiameseModel(size, trained, config.embedding_dim, config.head)
    # A named tower is built again, in float32. A custom one cannot be copied in general, so both models share it.
    ema_model = SiameseModel(
        size, name_or_tower, config.embedding_dim, config.head, 0.5, None, config.views, *image_format.options
    )
    if (scale := OBJECTIVES[config.objective].scale) is not None:
        model.head.scale.assign(scale)
    if config.whiten:
        feature_extractor(ema_model.tower)  # fails before training instead of after it
    if config.start_from is not None and not resumed:
        load_initial_weights(trained, config.start_from)
    if config.train_last is not None:
        for one in (model, ema_model):
            freeze_all_but_last(one, config.train_last)
    optimizer = build_optimizer(config, model, training_steps(pairs, config))
    trainer = Trainer(model, ema_model, config)
    trainer.compile(optimizer=optimizer, jit_compile=False)
    return trainer
