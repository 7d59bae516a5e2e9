"""`TrainConfig`: every knob of a training run, its default and its check. It is written beside each model."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from siamese_tf.errors import ConfigError

OBJECTIVE_NAMES = ("bce", "mse", "contrastive", "triplet")
TOWER_NAMES = ("small_cnn", "reference", "tnn")
HEAD_NAMES = ("cosine", "euclidean", "concat")
PAIRS_PER_STEP = ("all", "listed")
MINING_NAMES = ("semi-hard", "hard", "all")
LOSSES_FROM = ("addons", "native")
SOFT = "soft"
TRIPLET_KNOBS = ("mining", "losses", "classes_per_batch", "images_per_class")
AUGMENTATIONS = ("auto", "none", "shift", "flip", "shift-flip")
SCHEDULES = ("cosine", "constant")


@dataclass(frozen=True)
class TowerDefaults:
    """What a tower is trained with unless the config says otherwise."""

    embedding_dim: int = 128
    learning_rate: float = 6e-3
    augments: bool = True


TOWER_DEFAULTS = {
    "small_cnn": TowerDefaults(),
    "reference": TowerDefaults(embedding_dim=32, learning_rate=1e-3, augments=False),
    "tnn": TowerDefaults(learning_rate=1e-4),
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
        one_vs_rest: a class, by name or number, to be told from all others taken together; None tells all classes
            apart. Two images of the rest are alike where they are of one class; where the whole rest is one class,
            nothing is known of two of them.
        rest_is_a_class: with `one_vs_rest`, two images of the rest count as similar, whatever they are.
        objective: `bce`, `mse`, `contrastive` or `triplet`: what the loss is and which head it meets by default.
        tower: `small_cnn`, `reference` or `tnn`; `custom` stands here when a tower was given in Python.
        head: `cosine`, `euclidean` or `concat`; None takes the objective's own.
        embedding_dim: numbers in an embedding, at least 1; None takes the tower's own (TOWER_DEFAULTS).
        margin: in the head's distance, above 0: beyond it a dissimilar pair costs nothing (contrastive), or by so much
            the positive must be nearer than the negative (triplet), where `soft` is log(1 + exp(...)) instead; None
            takes the objective's own.
        mining: which triplets of a step count (triplet only): `semi-hard`, `hard` or `all`.
        losses: where the triplet loss is from: TensorFlow `addons` or `native`, this project's own; None takes Addons
            where it is installed and has the loss.
        classes_per_batch: P, different classes in a step (triplet only), at least 2; None takes 16, with hard mining
            32 and with all 8, or as many as there are.
        images_per_class: K, images of each (triplet only), at least 2; None takes batch_pairs / P, with hard mining a
            quarter of that, but 4 at least.
        epochs: passes over the listed pairs; None takes as many as make 1,000 steps. For triplets and `one_vs_rest`,
            passes over the images; None takes as many as show 256,000.
        batch_pairs: listed pairs in a step, so twice as many images; at least 1. With `one_vs_rest`, images of the
            class, and as many of the rest; for triplets see `images_per_class`.
        learning_rate: of Adam at the first step; None takes the tower's own.
        schedule: `cosine` takes the learning rate to 0 at the last step, `constant` leaves it.
        weight_decay: share of each weight, times the learning rate, that a step takes away; 0 or more.
        pairs_per_step: `all` pairs among the images of a step (needs labels), or only the `listed` ones (not triplet).
        augment: `shift` moves each image by up to a tenth of its size, `flip` mirrors half of them, `shift-flip` does
            both, `none` neither; `auto` mirrors clothing and shifts everything else (mirrored digits are not digits),
            and leaves images as they are for the reference tower.
        seed: of the weights, the batch order and the augmentation.
    """

    dataset: str = "auto"
    data_dir: str | None = None
    pairs: str | None = None
    test_pairs: str | None = None
    one_vs_rest: str | None = None
    rest_is_a_class: bool = False
    objective: str = "contrastive"
    tower: str = "small_cnn"
    head: str | None = None
    embedding_dim: int | None = None
    margin: float | str | None = None
    mining: str = "semi-hard"
    losses: str | None = None
    classes_per_batch: int | None = None
    images_per_class: int | None = None
    epochs: int | None = None
    batch_pairs: int = 128
    learning_rate: float | None = None
    schedule: str = "cosine"
    weight_decay: float = 0.0
    pairs_per_step: str = "all"
    augment: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_text("dataset")
        for name in ("data_dir", "pairs", "test_pairs", "one_vs_rest"):
            self._check_text(name, optional=True)
        self._check_choice("rest_is_a_class", (False, True))
        self._check_choice("objective", OBJECTIVE_NAMES)
        self._check_choice("tower", (*TOWER_NAMES, "custom"))
        self._check_choice("head", (*HEAD_NAMES, None))
        self._check_choice("pairs_per_step", PAIRS_PER_STEP)
        self._check_choice("mining", MINING_NAMES)
        self._check_choice("losses", (*LOSSES_FROM, None))
        self._check_choice("augment", AUGMENTATIONS)
        self._check_choice("schedule", SCHEDULES)
        self._check_whole("embedding_dim", 1, 4096, optional=True)
        self._check_whole("epochs", 1, 100_000, optional=True)
        self._check_whole("batch_pairs", 1, 65_536)
        self._check_whole("seed", 0, 2**32 - 1)
        self._check_whole("classes_per_batch", 2, 65_536, optional=True)
        self._check_whole("images_per_class", 2, 65_536, optional=True)
        self._check_number("learning_rate", above=True, optional=True)
        self._check_number("weight_decay", above=False)
        if self.margin != SOFT:
            self._check_number("margin", above=True, optional=True)
        self._check_together()

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

    @property
    def soft(self) -> bool:
        """Whether the triplet loss has a soft margin."""
        return self.margin == SOFT

    @property
    def hinge(self) -> float:
        """The margin of a settled config as a number; 0 for a soft one."""
        return 0.0 if self.soft else float(self.margin or 0)

    @property
    def steps_of_images(self) -> bool:
        """Whether a step is made of images drawn class by class, and not of listed pairs."""
        return self.objective == "triplet" or (self.one_vs_rest is not None and self.pairs_per_step == "all")

    @property
    def step_shape(self) -> tuple[int, int]:
        """Of a settled config whose steps are made of images: P classes with K images each."""
        if self.objective == "triplet":
            return self.classes_per_batch or 0, self.images_per_class or 0
        return 2, self.batch_pairs  # the class and the rest

    def to_dict(self) -> dict[str, Any]:
        """The knobs by name, plain values."""
        return asdict(self)

    def _check_text(self, name: str, optional: bool = False) -> None:
        value = getattr(self, name)
        if not isinstance(value, str) and not (optional and value is None):
            raise ConfigError(f"{name} must be text{' or None' if optional else ''}; got {value!r}. Use str(path)")

    def _check_choice(self, name: str, choices: tuple[str | bool | None, ...]) -> None:
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

    def _check_number(self, name: str, above: bool, optional: bool = False) -> None:
        value = getattr(self, name)
        if optional and value is None:
            return
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not (value > 0 or (value == 0 and not above)) or value == float("inf"):
            kind = "a number above 0" if above else "a number from 0 on"
            raise ConfigError(f"{name} must be {kind}{f', or {SOFT}' if name == 'margin' else ''}; got {value!r}")

    def _check_together(self) -> None:
        """Knobs that only make sense beside another."""
        if self.rest_is_a_class and self.one_vs_rest is None:
            raise ConfigError("rest_is_a_class says how to take the rest of one_vs_rest; name that class as well")
        if self.objective != "triplet":
            changed = [name for name in TRIPLET_KNOBS if getattr(self, name) != getattr(TrainConfig, name)]
            changed += ["margin"] if self.soft else []
            if changed:
                came = ", ".join(f"{name} {getattr(self, name)!r}" for name in changed)
                raise ConfigError(
                    f"{came}: for the objective triplet only; got objective {self.objective!r}."
                    " Leave it out, or take the objective triplet"
                )
            if self.margin is not None and self.objective != "contrastive":
                raise ConfigError(
                    f"margin {self.margin!r}: for the objectives contrastive and triplet only; got objective"
                    f" {self.objective!r}. Leave it out"
                )
        elif self.head == "concat":
            raise ConfigError(
                "objective 'triplet' needs the head euclidean or cosine; concat has no distance to compare"
            )
        elif self.pairs_per_step == "listed":
            raise ConfigError(
                "pairs_per_step 'listed' is not for the objective triplet, whose steps are made of images. Leave it out"
            )
