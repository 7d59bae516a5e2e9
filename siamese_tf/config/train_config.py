"""`TrainConfig`: all settings of a training run. It is saved as `config.json` beside each model."""

from dataclasses import dataclass

from siamese_tf.config.checks import either
from siamese_tf.config.data_config import DataConfig
from siamese_tf.config.model_config import HEAD_NAMES, OBJECTIVE_NAMES, ModelConfig
from siamese_tf.config.objective_config import MINING_NAMES, SOFT, ObjectiveConfig
from siamese_tf.config.optim_config import CHANGES, OPTIMIZERS, SCHEDULES, VIEW_NAMES, OptimConfig
from siamese_tf.config.settings import documented
from siamese_tf.errors import ConfigError

__all__ = [
    "CHANGES",
    "HEAD_NAMES",
    "MINING_NAMES",
    "OBJECTIVE_NAMES",
    "OPTIMIZERS",
    "SCHEDULES",
    "VIEW_NAMES",
    "TrainConfig",
]


@documented
@dataclass(frozen=True)
class TrainConfig(OptimConfig, ObjectiveConfig, ModelConfig, DataConfig):
    """All settings of a training run, as keyword arguments, flags of `siamese-tf train` and keys of `config.json`.

    None leaves a value to `resolve_config`. Paths are text.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_objective()
        if self.head == "concat" and self.whiten:
            raise ConfigError("whiten needs the head euclidean or cosine; got head 'concat'. Choose another head")
        if self.head == "concat" and self.objective == "triplet":
            raise ConfigError(
                "objective 'triplet' needs the head euclidean or cosine; got head 'concat'. concat has no distance to"
                " compare"
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
        return self.objective == "triplet" or (self.one_vs_rest is not None and self.pairs_per_step == "all")

    @property
    def batch_shape(self) -> tuple[int, int]:
        """Number of classes and of images of each in a batch, for a resolved config that uses class batches."""
        if self.objective == "triplet":
            return self.classes_per_batch or 0, self.images_per_class or 0
        return 2, self.batch_pairs  # the class and the rest

    def _check_objective(self) -> None:
        """Raises a ConfigError for settings that the objective does not have."""
        defaults = self.defaults()
        limits = {name: one.objectives for name, one in self.settings().items() if one.objectives}
        limits |= {"margin": ("triplet",)} if self.soft else {}
        wrong = [
            name for name in limits if getattr(self, name) != defaults[name] and self.objective not in limits[name]
        ]
        if wrong:
            limit = limits[wrong[-1]]
            got = ", ".join(f"{name} {getattr(self, name)!r}" for name in wrong if limits[name] == limit)
            raise ConfigError(
                f"{got}: for the objective {either(limit)} only; got objective {self.objective!r}. Leave it out, or"
                f" choose the objective {either(limit)}"
            )
        if self.objective == "triplet" and self.pairs_per_step == "listed":
            raise ConfigError(
                "pairs_per_step 'listed' is not for the objective triplet, whose batches are drawn by class. Leave it"
                " out"
            )
