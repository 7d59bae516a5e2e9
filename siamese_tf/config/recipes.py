"""Recipes: named sets of settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError


@dataclass(frozen=True)
class Recipe:
    """Named settings of a run.

    Attributes:
        command: command line that trains with the recipe.
        about: purpose, one line.
        takes: duration on two processor cores, with the data set of `expect`.
        expect: expected accuracy on the test pairs, or another metric, by data set.
        settings: fields of TrainConfig that the recipe sets; the others keep their defaults.
        by_objective: further fields that the recipe sets for one objective.
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
            about="the defaults: a good model in a minute",
            takes="1 minute",
            expect="MNIST 0.996",
            settings={},
        ),
        "best": Recipe(
            command="siamese-tf train --recipe best",
            about="a residual tower trained for longer, with stronger augmentation and test-time augmentation",
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
            about="the tower and the training budget of the reference implementation",
            takes="2 minutes (--epochs 10, bfloat16)",
            expect="MNIST 0.994, Fashion-MNIST 0.946",
            settings={
                "tower": "reference",
                "images_shown": 40 * 139_776,  # 40 epochs of MNIST's pairs
                "learning_rate": 3e-3,
                "augment": "light",
                "views": "auto",
            },
            # With a margin of 0.5, most of the 32 ReLU outputs of the tower become 0 for all images; if fewer are left
            # than there are classes, two classes get the same embedding.
            by_objective={"triplet": {"mining": "all", "margin": 0.2}},
        ),
        "faces": Recipe(
            command="siamese-tf train --recipe faces",
            about="HOG features for a small folder of faces: dozens of people, a few images each",
            takes="seconds",
            expect="AT&T, 8 folds: EER 0.025 to 0.036",
            settings={"tower": "hog", "views": "shift"},
        ),
        "tnn": Recipe(
            command="siamese-tf train --recipe tnn",
            about="the reference triplet network: batch-all mining, margin 0.5, 64 images per batch, 10 epochs",
            takes="20 minutes",
            expect="MNIST 0.995, Fashion-MNIST 0.936",
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
        "omniglot": Recipe(
            command="siamese-tf train --recipe omniglot --dataset omniglot",
            about="handwritten characters, for one-shot classification of new ones",
            takes="8 minutes",
            expect="Omniglot, all-runs: 0.98",
            settings={
                "image_size": "64",
                "invert": True,
                "center": "strokes",
                "objective": "episode",
                "batch_within": "group",
                "classes_from": "rotations",
                "tower": "omniglot",
                "images_shown": 408_000,  # 1,700 steps of 240 images
                "weight_decay": 0.02,
                "average": 0.998,
                "augment": "warp-elastic",
                "views": "affine",
                "precision": "bfloat16",
                "validate_every": 1000,  # at the end: accuracies on a few held-out alphabets hardly tell epochs apart
            },
        ),
        # The paper publishes ranges of learning rates, momentums and penalties, not the values that its search found.
        "koch": Recipe(
            command="siamese-tf train --recipe koch --dataset omniglot",
            about="the network of Koch et al. 2015 on 105x105 images, for 200 epochs",
            takes="days, 4 s per step of 128 pairs",
            expect="Omniglot pairs: 0.69 after 2 epochs",
            settings={
                "invert": True,  # augmentation fills borders with black
                "objective": "bce",
                "tower": "koch",
                "head": "weighted_l1",
                "pairs_per_step": "listed",
                "epochs": 200,
                "batch_pairs": 128,
                "optimizer": "momentum",
                "learning_rate": 1e-2,
                "layer_decay": 0.8,
                "schedule": "exponential",
                "l2": 2e-4,
                "average": 0.0,
                "augment": "affine",
                "precision": "bfloat16",
            },
        ),
    }
)


def config_from(recipe: str, given: Mapping[str, Any]) -> TrainConfig:
    """Returns the config of a recipe.

    Args:
        recipe: name of the recipe.
        given: fields of TrainConfig that override those of the recipe.

    Raises:
        ConfigError: an unknown recipe, or settings that TrainConfig refuses.
    """
    if recipe not in RECIPES:
        known = "; ".join(f"{name} ({one.about})" for name, one in RECIPES.items())
        raise ConfigError(f"recipe must be one of {known}; got {recipe!r}")
    settings = dict(RECIPES[recipe].settings)
    if "images_shown" in given:  # epochs override images_shown
        settings.pop("epochs", None)
    objective = given.get("objective", settings.get("objective", TrainConfig.objective))
    try:
        return TrainConfig(**{**settings, **RECIPES[recipe].by_objective.get(objective, {}), **given})
    except ConfigError as error:
        if recipe == QUICK:  # the default recipe may not have been named
            raise
        raise ConfigError(f"recipe {recipe} with the other settings: {error}") from error
