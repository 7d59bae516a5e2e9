"""What the training of an objective costs, and how several objectives get as much as each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.models.towers.build import build_tower
from siamese_tf.training.pipeline import images_per_epoch, training_steps
from siamese_tf.training.resolve import resolve_config
from siamese_tf.training.run_data import RunData


@dataclass(frozen=True)
class Budget:
    """What a run spends on training.

    Attributes:
        epochs: of the run.
        steps: of an epoch.
        images_per_step: through the tower.
        images: through the tower in all steps of the run.
    """

    epochs: int
    steps: int
    images_per_step: int
    images: int


def with_one_budget(configs: Sequence[TrainConfig], pairs: RunData) -> list[TrainConfig]:
    """The configs, settled, with epochs such that each has as many images through the tower, to the nearest epoch.

    The measure is the first config whose steps are made of listed pairs, or the first of all where there is none.
    """
    resolved = [resolve_config(config, pairs, None) for config in configs]
    measure = next((config for config in resolved if not config.uses_class_batches), resolved[0])
    images = budget(measure, pairs).images
    return [replace(config, epochs=max(1, round(images / images_per_epoch(pairs, config)))) for config in resolved]


def budget(config: TrainConfig, pairs: RunData) -> Budget:
    """What a run with a settled config spends."""
    assert config.epochs is not None  # `resolve_config` has set it
    steps, images = training_steps(pairs, config), images_per_epoch(pairs, config)
    return Budget(config.epochs, steps, images // steps, config.epochs * images)


def tower_parameters(config: TrainConfig, pairs: RunData) -> int:
    """How many parameters the tower of a settled config has for these images."""
    assert config.embedding_dim is not None  # `resolve_config` has set it
    height, width, channels = pairs.task.train.images.shape[1:]
    return build_tower(config.tower, (height, width, channels), config.embedding_dim).count_params()


def budget_lines(tower: str, parameters: int, budgets: Mapping[str, Budget]) -> list[str]:
    """What is the same for all objectives, for people, and how far their images are from the first one's."""
    first = next(iter(budgets.values()))
    lines = [
        f"the same pairs and tower for all ({tower}, {parameters:,} parameters)",
        "images through the tower in training (epochs x steps x images):",
    ]
    for name, one in budgets.items():
        off = f"  {one.images / first.images - 1:+.1%}" if one.images != first.images else ""
        factors = f"{one.epochs:,} x {one.steps:,} x {one.images_per_step:,}"
        lines.append(f"  {name:<11} {one.images:>11,} = {factors}{off}")
    return lines
