"""`TrainConfig`: every knob of a training run, its default and its check. It is written beside each model."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from siamese_tf.errors import ConfigError

OBJECTIVE_NAMES = ("bce", "mse", "contrastive")
TOWER_NAMES = ("small_cnn", "reference")
HEAD_NAMES = ("cosine", "euclidean", "concat")
PAIRS_PER_STEP = ("all", "listed")
AUGMENTATIONS = ("auto", "none", "shift", "flip", "shift-flip")


@dataclass(frozen=True)
class TowerDefaults:
    """What a tower is trained with unless the config says otherwise."""

    embedding_dim: int = 128
    learning_rate: float = 6e-3
    augments: bool = True


TOWER_DEFAULTS = {
    "small_cnn": TowerDefaults(),
    "reference": TowerDefaults(embedding_dim=32, learning_rate=1e-3, augments=False),
    "custom": TowerDefaults(),
}


@dataclass(frozen=True)
class TrainConfig:
    """What is trained, on what, and how.

    Attributes:
        dataset: `mnist`, `fashion-mnist`, `digits`, a folder of IDX files, or `auto` (mnist, else digits).
        data_dir: a folder that holds one folder per data set; None looks where `load_source` says.
        pairs: a pair file with training and validation rows; None takes `dataset/<name>/train_pairs.npz`, made when
            it is not there.
        test_pairs: a pair file with test rows; None takes the test rows of `pairs`, else `test_pairs.npz` beside it.
        objective: `bce`, `mse` or `contrastive`: what the loss is and which head it meets by default.
        tower: `small_cnn` or `reference`; `custom` stands here when a tower was given in Python.
        head: `cosine`, `euclidean` or `concat`; None takes the objective's own.
        embedding_dim: numbers in an embedding, at least 1; None takes the tower's own (TOWER_DEFAULTS).
        margin: distance beyond which a dissimilar pair costs nothing (contrastive only), above 0.
        epochs: passes over the listed pairs; None takes as many as make 1,000 steps.
        batch_pairs: listed pairs in a step, so twice as many images; at least 1.
        learning_rate: of Adam at the first step; a cosine takes it to 0 at the last; None takes the tower's own.
        pairs_per_step: `all` pairs among the images of a step (needs labels), or only the `listed` ones.
        augment: `shift` moves each image by up to a tenth of its size, `flip` mirrors half of them, `shift-flip` does
            both, `none` neither; `auto` mirrors clothing and shifts everything else (mirrored digits are not digits),
            and leaves images as they are for the reference tower.
        seed: of the weights, the batch order and the augmentation.
    """

    dataset: str = "auto"
    data_dir: str | None = None
    pairs: str | None = None
    test_pairs: str | None = None
    objective: str = "contrastive"
    tower: str = "small_cnn"
    head: str | None = None
    embedding_dim: int | None = None
    margin: float = 1.0
    epochs: int | None = None
    batch_pairs: int = 128
    learning_rate: float | None = None
    pairs_per_step: str = "all"
    augment: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_text("dataset")
        for name in ("data_dir", "pairs", "test_pairs"):
            self._check_text(name, optional=True)
        self._check_choice("objective", OBJECTIVE_NAMES)
        self._check_choice("tower", (*TOWER_NAMES, "custom"))
        self._check_choice("head", (*HEAD_NAMES, None))
        self._check_choice("pairs_per_step", PAIRS_PER_STEP)
        self._check_choice("augment", AUGMENTATIONS)
        self._check_whole("embedding_dim", 1, 4096, optional=True)
        self._check_whole("epochs", 1, 100_000, optional=True)
        self._check_whole("batch_pairs", 1, 65_536)
        self._check_whole("seed", 0, 2**32 - 1)
        self._check_positive("margin")
        if self.learning_rate is not None:
            self._check_positive("learning_rate")

    @classmethod
    def load(cls, path: str | Path) -> "TrainConfig":
        """Reads the `config.json` of a run.

        Raises:
            ConfigError: the file is not one, or holds a knob this version does not know.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read as a config.json: {error}") from error
        known = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or not set(values) <= known:
            raise ConfigError(f"{path} must hold a JSON object with some of {sorted(known)}; it holds {values!r:.200}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The knobs by name, plain values."""
        return asdict(self)

    def _check_text(self, name: str, optional: bool = False) -> None:
        value = getattr(self, name)
        if not isinstance(value, str) and not (optional and value is None):
            raise ConfigError(f"{name} must be text{' or None' if optional else ''}; got {value!r}. Use str(path)")

    def _check_choice(self, name: str, choices: tuple[str | None, ...]) -> None:
        value = getattr(self, name)
        if value not in choices:
            known = ", ".join(str(choice) for choice in choices if choice is not None)
            raise ConfigError(f"{name} must be one of {known}; got {value!r}")

    def _check_whole(self, name: str, low: int, high: int, optional: bool = False) -> None:
        value = getattr(self, name)
        if optional and value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ConfigError(f"{name} must be a whole number from {low:,} to {high:,}; got {value!r}")

    def _check_positive(self, name: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise ConfigError(f"{name} must be a number above 0; got {value!r}")
