"""`TrainConfig`: all settings of a training run. It is saved as `config.json` beside each model."""

from dataclasses import dataclass
from typing import Any

from siamese_tf.config.catalog import HEADS, MINING, OBJECTIVES
from siamese_tf.config.checks import either
from siamese_tf.config.data_config import DataConfig
from siamese_tf.config.model_config import ModelConfig
from siamese_tf.config.objective_config import SOFT, ObjectiveConfig
from siamese_tf.config.optim_config import OPTIMIZERS, SCHEDULES, OptimConfig
from siamese_tf.config.settings import documented
from siamese_tf.errors import ConfigError

__all__ = ["FORMER_DEFAULTS", "MINING_NAMES", "OBJECTIVE_NAMES", "OPTIMIZERS", "SCHEDULES", "TrainConfig"]
OBJECTIVE_NAMES, MINING_NAMES = tuple(OBJECTIVES), tuple(MINING)
# Of earlier releases; their runs and their models as initial weights keep them.
FORMER_DEFAULTS: dict[str, Any] = {"images_shown": 256_000, "tower": "small_cnn"}


@documented
@dataclass(frozen=True)
class TrainConfig(OptimConfig, ObjectiveConfig, ModelConfig, DataConfig):
    """All settings of a training run, as keyword arguments, flags of `siamese-tf train` and keys of `config.json`.

    None leaves a value to `resolve_config`. Paths are text.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_settings_of_the_objective()
        self._check_head()
        if self._draws_classes and self.pairs_per_step == "listed":
            raise ConfigError(
                f"pairs_per_step 'listed' is not for the objective {self.objective}, whose batches are drawn by class."
                " Leave it out"
            )

    @property
    def soft(self) -> bool:
        """True if the triplet loss has a soft margin."""
        return self.margin == SOFT

    @property
    def numeric_margin(self) -> float:
        """The margin of a resolved config as a number; 0 for a soft one."""
        return 0.0 if self.soft else float(self.margin or 0)

    @property
    def uses_class_batches(self) -> bool:
        """True if batches are drawn class by class, and not from the listed pairs."""
        return self._draws_classes or (self.one_vs_rest is not None and self.pairs_per_step == "all")

    @property
    def parts_per_batch(self) -> int:
        """Number of groups in a batch, for a resolved config; 1 for batches that are not drawn within groups."""
        return self.groups_per_batch or 1

    @property
    def batch_shape(self) -> tuple[int, int]:
        """Number of classes in a part of a batch, and of images of each, for a resolved config with class batches."""
        if self._draws_classes:
            return self.classes_per_batch or 0, self.images_per_class or 0
        return 2, self.batch_pairs  # the class and the rest

    @property
    def _draws_classes(self) -> bool:
        return OBJECTIVES[self.objective].batches == "classes"

    def _check_settings_of_the_objective(self) -> None:
        """Raises a ConfigError for settings that only other objectives have."""
        defaults = self.defaults()
        owners = {name: [one for one, row in OBJECTIVES.items() if name in row.settings] for name in defaults}
        owners["margin"] = [one for one, row in OBJECTIVES.items() if (row.soft_margin if self.soft else row.margins)]
        changed = [name for name, objectives in owners.items() if objectives and getattr(self, name) != defaults[name]]
        wrong = sorted(
            (name for name in changed if self.objective not in owners[name]), key=lambda name: len(owners[name])
        )
        if wrong:
            objectives = owners[wrong[0]]
            got = ", ".join(f"{name} {getattr(self, name)!r}" for name in wrong if owners[name] == objectives)
            raise ConfigError(
                f"{got}: for the objective {either(objectives)} only; got objective {self.objective!r}. Leave it out,"
                f" or choose the objective {either(objectives)}"
            )

    def _check_head(self) -> None:
        heads, why = OBJECTIVES[self.objective].heads, f"objective {self.objective!r}"
        if self.whiten:
            heads, why = tuple(name for name in heads if HEADS[name].normalizes), "whiten"
        if self.head is not None and self.head not in heads:
            raise ConfigError(f"{why} needs the head {either(heads)}; got head {self.head!r}. Choose another head")
