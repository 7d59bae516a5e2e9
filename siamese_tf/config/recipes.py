"""Recipes: settings that belong together, under one name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError


@dataclass(frozen=True)
class Recipe:
    """Settings of a run.

    Attributes:
        command: what to type.
        about: one line for people: what it is for.
        takes: how long it takes on two processor cores, on the data of `expect`.
        expect: the accuracy to expect on the test pairs, or what else says how good it is, where it was measured.
        settings: the fields of TrainConfig that it sets; the others keep their defaults.
        by_objective: what it sets for an objective besides.
    """

    command: str
    about: str
    takes: str
    expect: str
    settings: Mapping[str, Any]
    by_objective: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


QUICK = "quick"
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        QUICK: Recipe(
            command="python main3.py",
            about="a good model in a minute: the defaults",
            takes="1 minute",
            expect="MNIST 0.996",
            settings={},
        ),
        "best": Recipe(
            command="siamese-tf train --recipe best",
            about="the most accurate models this project makes",
            takes="20 minutes with --precision bfloat16",
            expect="MNIST 0.9976, Fashion-MNIST 0.963",
            settings={
                "tower": "resnet",
                "images_shown": 1_400_000,
                "weight_decay": 0.02,
                "average": 0.995,
                "augment": "strong",
                "views": "auto",
            },
            by_objective={"triplet": {"mining": "all"}},
        ),
        "reference": Recipe(
            command="siamese-tf train --recipe reference",
            about="the tower and the budget of the implementation this project measures itself against",
            takes="2 minutes (--epochs 10, bfloat16)",
            expect="MNIST 0.994, Fashion-MNIST 0.946",
            settings={
                "tower": "reference",
                "images_shown": 40 * 139_776,  # 40 epochs of MNIST's pairs
                "learning_rate": 3e-3,
                "augment": "light",
                "views": "auto",
            },
            by_objective={"triplet": {"mining": "all"}},
        ),
        "faces": Recipe(
            command="siamese-tf train --recipe faces",
            about="a folder with a few pictures of each person, and of some dozens of people",
            takes="seconds",
            expect="AT&T, 8 folds: EER 0.025 to 0.036",
            settings={"tower": "hog", "views": "shift"},
        ),
        "tnn": Recipe(
            command="siamese-tf train --recipe tnn",
            about="the reference triplet network: batch-all, margin 0.5, 64 images a step, 10 epochs",
            takes="not measured",
            expect="not measured",
            settings={
                "objective": "triplet",
                "mining": "all",
                "margin": 0.5,
                "tower": "tnn",
                "epochs": 10,
                "batch_pairs": 64,
                "learning_rate": 1e-4,
                "schedule": "constant",
                "weight_decay": 5e-4,
                "average": 0.0,
                "augment": "none",
            },
        ),
    }
)


def config_from(recipe: str, given: Mapping[str, Any]) -> TrainConfig:
    """The settings of a recipe, with what was given besides in place of its own.

    Raises:
        ConfigError: there is no such recipe, or the settings are refused.
    """
    if recipe not in RECIPES:
        known = "; ".join(f"{name} ({one.about})" for name, one in RECIPES.items())
        raise ConfigError(f"there is no recipe {recipe!r}; there is {known}")
    settings = dict(RECIPES[recipe].settings)
    if "images_shown" in given:  # which epochs of the recipe's would make do nothing
        settings.pop("epochs", None)
    objective = given.get("objective", settings.get("objective", TrainConfig.objective))
    try:
        return TrainConfig(**{**settings, **RECIPES[recipe].by_objective.get(objective, {}), **given})
    except ConfigError as error:
        if recipe == QUICK:  # who named no recipe need not hear of one
            raise
        raise ConfigError(f"recipe {recipe}, with what was given besides: {error}") from error
