import pytest

from siamese_tf.config.catalog import TOWER_DEFAULTS, TOWER_NAMES


def test_a_tower_of_your_own_has_defaults_and_no_name():
    assert set(TOWER_DEFAULTS) - set(TOWER_NAMES) == {"custom"}


@pytest.mark.parametrize("name", TOWER_DEFAULTS)
def test_the_defaults_can_be_trained_with(name):
    defaults = TOWER_DEFAULTS[name]
    assert 1 <= defaults.embedding_dim <= 4096
    assert 0 < defaults.learning_rate < 0.1
