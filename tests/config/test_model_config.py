import pytest

from siamese_tf.config.catalog import CUSTOM, HEADS, OBJECTIVES, TOWERS
from siamese_tf.config.model_config import ModelConfig
from siamese_tf.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "choices"), [("objective", OBJECTIVES), ("head", HEADS), ("tower", (*TOWERS, CUSTOM))]
)
def test_choices_are_accepted_and_in_the_help_text(name, choices):
    help = ModelConfig.settings()[name].help
    for choice in choices:
        assert getattr(ModelConfig(**{name: choice}), name) == choice
        assert choice in help or choice == CUSTOM
    with pytest.raises(ConfigError, match=f"{name} must be one of {', '.join(choices)}; got 'none'"):
        ModelConfig(**{name: "none"})


def test_a_head_and_an_embedding_length_can_be_left_to_the_objective_and_the_tower():
    assert (ModelConfig().head, ModelConfig().embedding_dim) == (None, None)
    with pytest.raises(ConfigError, match="embedding_dim must be an integer from 1 to 4,096; got 4097"):
        ModelConfig(embedding_dim=4097)


def test_a_row_of_the_catalog_is_a_choice(monkeypatch):
    monkeypatch.setitem(TOWERS, "new", TOWERS["small_cnn"])
    assert ModelConfig(tower="new").tower == "new"
