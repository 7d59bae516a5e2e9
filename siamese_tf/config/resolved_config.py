"""`ResolvedConfig`: a config that leaves nothing open which training needs."""

from typing import Self

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError


class ResolvedConfig(TrainConfig):
    """A `TrainConfig` whose values are known, as `resolve_config` returns it.

    It equals a `TrainConfig` with the same values. The fields below are never None.
    """

    head: str
    embedding_dim: int
    epochs: int
    learning_rate: float
    whiten: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ResolvedConfig.__annotations__:
            if getattr(self, name) is None:
                raise ConfigError(f"{name} must be set in a resolved config; got None. Call resolve_config")

    @classmethod
    def from_config(
        cls,
        config: TrainConfig,
        *,
        head: str,
        embedding_dim: int,
        epochs: int,
        learning_rate: float,
        whiten: bool,
    ) -> Self:
        """Returns a config with these values, and the other values of `config`."""
        resolved = {
            "head": head,
            "embedding_dim": embedding_dim,
            "epochs": epochs,
            "learning_rate": learning_rate,
            "whiten": whiten,
        }
        return cls(**(config.to_dict() | resolved))

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, TrainConfig) else NotImplemented

    __hash__ = TrainConfig.__hash__
