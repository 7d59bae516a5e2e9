from dataclasses import FrozenInstanceError, replace

import pytest

from siamese_tf.config.resolved_config import ResolvedConfig
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError

VALUES = {"head": "cosine", "embedding_dim": 8, "epochs": 2, "learning_rate": 0.1, "whiten": False}
OPEN = TrainConfig(objective="bce", seed=3)


def test_it_is_made_of_a_config_and_the_values_that_are_never_none():
    resolved = ResolvedConfig.from_config(OPEN, **VALUES)
    assert resolved.to_dict() == OPEN.to_dict() | VALUES
    assert ResolvedConfig.__annotations__.keys() == VALUES.keys()
    for name in VALUES:
        with pytest.raises(ConfigError, match=f"{name} must be set in a resolved config; got None"):
            replace(resolved, **{name: None})


def test_it_is_checked_and_frozen_as_a_config_is():
    resolved = ResolvedConfig.from_config(OPEN, **VALUES)
    with pytest.raises(ConfigError, match="epochs must be an integer"):
        replace(resolved, epochs=0)
    with pytest.raises(FrozenInstanceError):
        resolved.epochs = 3
    assert type(replace(resolved, epochs=3)) is ResolvedConfig


def test_it_equals_a_config_with_the_same_values():
    resolved, config = ResolvedConfig.from_config(OPEN, **VALUES), replace(OPEN, **VALUES)
    assert resolved == config
    assert config == resolved
    assert hash(resolved) == hash(config)
    assert resolved != OPEN
    assert resolved != VALUES
