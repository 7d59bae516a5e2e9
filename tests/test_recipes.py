from dataclasses import fields

import pytest

from siamese_tf.config import TrainConfig
from siamese_tf.errors import ConfigError
from siamese_tf.recipes import RECIPES, config_from


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_a_config_with_its_settings(name):
    values = config_from(name, {}).to_dict()
    settings = RECIPES[name].settings
    assert settings.keys() <= {field.name for field in fields(TrainConfig)}
    assert values == TrainConfig().to_dict() | settings
    assert RECIPES[name].about


def test_tnn_is_the_reference_network_as_it_was_trained():
    config = config_from("tnn", {})
    assert (config.objective, config.mining, config.margin, config.tower) == ("triplet", "all", 0.5, "tnn")
    assert (config.learning_rate, config.schedule, config.weight_decay) == (1e-4, "constant", 5e-4)
    assert (config.batch_pairs, config.epochs, config.augment) == (64, 10, "none")
    assert config.head is None  # the objective's: unsquared distances of embeddings of length 1
    assert config.embedding_dim is None  # the tower's: 128


def test_what_is_given_goes_before_the_recipe():
    given = {"dataset": "digits", "epochs": 2, "margin": "soft", "one_vs_rest": "7"}
    assert config_from("tnn", given).to_dict() == config_from("tnn", {}).to_dict() | given


@pytest.mark.parametrize("given", [{}, {"objective": "bce", "epochs": 3}])
def test_no_recipe_is_the_settings_alone(given):
    assert config_from(None, given) == TrainConfig(**given)


def test_a_recipe_cannot_be_changed():
    with pytest.raises(TypeError):
        RECIPES["tnn"] = RECIPES["tnn"]  # type: ignore[index]


@pytest.mark.parametrize("name", ["TNN", "", "mine"])
def test_an_unknown_recipe_is_answered_with_those_there_are(name):
    with pytest.raises(ConfigError) as caught:
        config_from(name, {})
    assert str(caught.value).startswith(f"there is no recipe {name!r}; there is tnn (the reference triplet network")


def test_what_is_given_must_go_with_the_recipe():
    with pytest.raises(ConfigError, match="recipe tnn, .*: mining 'all': for the objective triplet only; got .* 'bce'"):
        config_from("tnn", {"objective": "bce"})
    assert config_from("tnn", {"objective": "contrastive", "mining": "semi-hard"}).tower == "tnn"
