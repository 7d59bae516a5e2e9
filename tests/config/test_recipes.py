from dataclasses import fields, replace

import pytest

from siamese_tf.config import recipes
from siamese_tf.config.catalog import OBJECTIVES
from siamese_tf.config.recipes import QUICK, RECIPES, config_from
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError


def test_the_recipes_and_their_descriptions():
    assert list(RECIPES) == [QUICK, "best", "reference", "faces", "tnn", "omniglot", "koch"]
    for name, recipe in RECIPES.items():
        assert recipe.command.startswith("python main") or f"train --recipe {name}" in recipe.command
        assert min(len(recipe.about), len(recipe.takes), len(recipe.expect)) > 5


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_a_config_with_its_settings(name):
    recipe = RECIPES[name]
    settings = {**recipe.by_objective.get(config_from(name, {}).objective, {}), **recipe.settings}
    assert settings.keys() <= {field.name for field in fields(TrainConfig)}
    assert config_from(name, {}).to_dict() == TrainConfig().to_dict() | settings


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("name", [QUICK, "best", "reference"])
def test_a_recipe_serves_every_objective(name, objective):
    assert "objective" not in RECIPES[name].settings
    config, more = config_from(name, {"objective": objective}), RECIPES[name].by_objective
    assert more.keys() <= set(OBJECTIVES)
    settings = {**RECIPES[name].settings, **more.get(objective, {}), "objective": objective}
    assert config.to_dict() == TrainConfig().to_dict() | settings


def test_the_reference_recipe_has_the_reference_tower():
    assert config_from("reference", {}).tower == "reference"


def test_tnn_is_the_reference_network_as_it_was_trained():
    config = config_from("tnn", {})
    assert (config.objective, config.mining, config.margin, config.tower) == ("triplet", "all", 0.5, "tnn")
    assert (config.learning_rate, config.schedule, config.weight_decay) == (1e-4, "constant", 5e-4)
    assert (config.batch_pairs, config.epochs, config.augment, config.average) == (64, 10, "none", 0)
    assert config.head is None  # the objective's: unsquared distances of embeddings of length 1
    assert config.embedding_dim is None  # the tower's: 128


def test_koch_is_the_published_network_within_the_published_ranges():
    config = config_from("koch", {})
    assert (config.objective, config.tower, config.head) == ("bce", "koch", "weighted_l1")
    assert (config.optimizer, config.schedule, config.pairs_per_step) == ("momentum", "exponential", "listed")
    assert (config.batch_pairs, config.epochs, config.average) == (128, 200, 0)
    rates = [config.learning_rate * config.layer_decay**depth for depth in range(5)]  # four convolutions, one Dense
    assert 1e-4 <= rates[-1] < rates[0] <= 1e-1
    assert 0 < config.l2 <= 0.1
    assert config.embedding_dim is None  # the tower's: 4,096


def test_given_settings_override_the_recipe():
    given = {"dataset": "digits", "epochs": 2, "margin": "soft", "one_vs_rest": "7"}
    assert config_from("tnn", given).to_dict() == config_from("tnn", {}).to_dict() | given


@pytest.mark.parametrize("given", [{}, {"objective": "bce", "epochs": 3}])
def test_quick_is_the_defaults(given):
    assert config_from(QUICK, given) == TrainConfig(**given)


@pytest.mark.parametrize("name", RECIPES)
def test_given_settings_override_those_for_one_objective(name):
    for objective, settings in RECIPES[name].by_objective.items():
        given = {field: TrainConfig().to_dict()[field] for field in settings} | {"objective": objective}
        assert config_from(name, given).to_dict().items() >= given.items()


def test_settings_for_one_objective_override_those_for_all(monkeypatch):
    mine = replace(RECIPES["best"], settings={"epochs": 3, "seed": 1}, by_objective={"mse": {"epochs": 4}})
    monkeypatch.setattr(recipes, "RECIPES", {"mine": mine})
    assert [config_from("mine", {"objective": name}).epochs for name in ("bce", "mse")] == [3, 4]
    assert config_from("mine", {"objective": "mse", "epochs": 5}).epochs == 5


def test_images_shown_take_the_place_of_the_epochs_of_a_recipe():
    config = config_from("tnn", {"images_shown": 1000})
    assert (config.epochs, config.images_shown) == (None, 1000)
    assert config_from("tnn", {"images_shown": 1000, "epochs": 2}).epochs == 2


def test_a_recipe_cannot_be_changed():
    with pytest.raises(TypeError):
        RECIPES["tnn"] = RECIPES["tnn"]  # type: ignore[index]


@pytest.mark.parametrize("name", ["TNN", "", "mine"])
def test_an_unknown_recipe_is_refused_with_a_list_of_all(name):
    with pytest.raises(ConfigError) as caught:
        config_from(name, {})
    known = [f"{one} ({recipe.about})" for one, recipe in RECIPES.items()]
    assert str(caught.value) == f"recipe must be one of {'; '.join(known)}; got {name!r}"


def test_given_settings_must_suit_the_recipe():
    with pytest.raises(
        ConfigError,
        match="recipe tnn with the other settings: mining 'all': for the objective triplet only; got .* 'bce'",
    ):
        config_from("tnn", {"objective": "bce"})
    assert config_from("tnn", {"objective": "contrastive", "mining": "semi-hard"}).tower == "tnn"


def test_errors_of_the_default_recipe_do_not_name_it():
    with pytest.raises(ConfigError) as caught:
        config_from(QUICK, {"epochs": 0})
    assert str(caught.value) == "epochs must be an integer from 1 to 100,000; got 0"
