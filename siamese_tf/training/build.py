"""What `fit` drives, as it is before the first step."""

import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.models.keras_settings import keras_settings
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.towers.build import build_tower
from siamese_tf.training.optimizer import build_optimizer
from siamese_tf.training.pipeline import training_steps
from siamese_tf.training.run_data import RunData
from siamese_tf.training.trainer import Trainer
from siamese_tf.training.transfer import freeze_all_but_last, load_initial_weights
from siamese_tf.training.whitening import feature_extractor


@keras_settings()
def build_trainer(config: TrainConfig, pairs: RunData, tower: keras.Model | None, *, resumed: bool = False) -> Trainer:
    """What `fit` drives, before the first step; the same at every call.

    A `resumed` run gets its weights from its checkpoint, and needs the file it once started from no more.

    Raises:
        ConfigError: the tower does not take these images, is not that of the file to start from, or cannot be whitened.
        ModelFileError: that file cannot be read.
    """
    assert config.epochs is not None  # `resolve_config` has set all three
    assert config.head is not None
    assert config.embedding_dim is not None
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    image_format = pairs.task.train.image_format
    size = image_format.shape
    trained = build_tower(config.tower if tower is None else tower, size, config.embedding_dim, config.precision)
    model = SiameseModel(size, trained, config.embedding_dim, config.head)
    # One by name is built again, in float32; of yours there is only this one, whatever it is made of.
    again = config.tower if tower is None else tower
    ema_model = SiameseModel(
        size, again, config.embedding_dim, config.head, views=config.views, resize=image_format.resize
    )
    if config.whiten:
        feature_extractor(ema_model.tower)  # refuses before anything is trained
    if config.start_from is not None and not resumed:
        load_initial_weights(trained, config.start_from)
    if config.train_last is not None:
        for one in (model, ema_model):
            freeze_all_but_last(one, config.train_last)
    optimizer = build_optimizer(config, model, training_steps(pairs, config))
    trainer = Trainer(model, ema_model, config)
    trainer.compile(optimizer=optimizer, jit_compile=False)
    return trainer
