"""Recipes: settings that belong together, under one name."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from siamese_tf.config import TrainConfig
from siamese_tf.errors import ConfigError


@dataclass(frozen=True)
class Recipe:
    """Settings of a run.

    Attributes:
        about: one line for people.
        settings: the fields of TrainConfig that it sets.
    """

    about: str
    settings: Mapping[str, Any]


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "tnn": Recipe(
            "the reference triplet network: batch-all, margin 0.5, 64 images a step, 10 epochs, decoupled weight decay",
            {
                "objective": "triplet",
                "mining": "all",
                "margin": 0.5,
                "tower": "tnn",
                "epochs": 10,
                "batch_pairs": 64,
                "learning_rate": 1e-4,
                "schedule": "constant",
                "weight_decay": 5e-4,
                "augment": "none",
            },
        ),
    }
)


def config_from(recipe: str | None, given: Mapping[str, Any]) -> TrainConfig:
    """The settings of a recipe, with what was given besides in place of its own.

    Raises:
        ConfigError: there is no such recipe, or the settings are refused.
    """
    if recipe is None:
        return TrainConfig(**given)
    if recipe not in RECIPES:
        known = "; ".join(f"{name} ({one.about})" for name, one in RECIPES.items())
        raise ConfigError(f"there is no recipe {recipe!r}; there is {known}")
    try:
        return TrainConfig(**{**RECIPES[recipe].settings, **given})
    except ConfigError as error:
        raise ConfigError(f"recipe {recipe}, with what was given besides: {error}") from error
