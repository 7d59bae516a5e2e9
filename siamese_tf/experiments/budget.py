"""Training budgets: the number of images that pass through the tower, and configs with equal budgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from siamese_tf.config.resolved_config import ResolvedConfig
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.models.towers.build import build_tower
from siamese_tf.training.epochs import images_per_epoch, training_steps
from siamese_tf.training.resolve import resolve_config
from siamese_tf.training.run_data import RunData


@dataclass(frozen=True)
class Budget:
    """Cost of a training run.

    Attributes:
        epochs: number of epochs.
        steps: number of steps per epoch.
        images_per_step: number of images that pass through the tower in a step.
        images: number of images that pass through the tower in the run.
    """

    epochs: int
    steps: int
    images_per_step: int
    images: int


def with_one_budget(configs: Sequence[TrainConfig], pairs: RunData) -> list[ResolvedConfig]:
    """Resolves configs and sets their numbers of epochs so that all train on about the same number of images.

    The reference is the first config that trains on batches of pairs, or the first config if there is none.
    """
    resolved = [resolve_config(config, pairs, None) for config in configs]
    reference = next((config for config in resolved if not config.uses_class_batches), resolved[0])
    images = budget(reference, pairs).images
    return [replace(config, epochs=max(1, round(images / images_per_epoch(pairs, config)))) for config in resolved]


def budget(config: ResolvedConfig, pairs: RunData) -> Budget:
    """Returns the budget of a run with a resolved config."""
    steps, images = training_steps(pairs, config), images_per_epoch(pairs, config)
    return Budget(config.epochs, steps, images // steps, config.epochs * images)


def tower_parameters(config: ResolvedConfig, pairs: RunData) -> int:
    """Returns the number of parameters of the tower of a resolved config for the images of a run."""
    height, width, channels = pairs.task.train.images.shape[1:]
    return build_tower(config.tower, (height, width, channels), config.embedding_dim).count_params()


def budget_lines(tower: str, parameters: int, budgets: Mapping[str, Budget]) -> list[str]:
    """Returns the report as lines: the shared tower, and the budget of each objective relative to the first one."""
    first = next(iter(budgets.values()))
    lines = [
        f"same pairs and tower for all objectives ({tower}, {parameters:,} parameters)",
        "training images through the tower (epochs x steps x images per step):",
    ]
    for name, one in budgets.items():
        difference = f"  {one.images / first.images - 1:+.1%}" if one.images != first.images else ""
        factors = f"{one.epochs:,} x {one.steps:,} x {one.images_per_step:,}"
        lines.append(f"  {name:<11} {one.images:>11,} = {factors}{difference}")
    return lines
