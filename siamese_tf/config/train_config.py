"""`TrainConfig`: every knob of a training run, its default and its check. It is written beside each model."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from siamese_tf.config.catalog import TOWER_NAMES
from siamese_tf.config.checks import check_choice, check_number, check_text, check_whole
from siamese_tf.errors import ConfigError

OBJECTIVE_NAMES = ("bce", "mse", "contrastive", "triplet")
HEAD_NAMES = ("cosine", "euclidean", "concat")
PAIRS_PER_STEP = ("all", "listed")
MINING_NAMES = ("semi-hard", "hard", "all")
LOSSES_FROM = ("addons", "native")
SOFT = "soft"
TRIPLET_SETTINGS = ("mining", "losses", "classes_per_batch", "images_per_class")
CHANGES = ("flip", "vflip", "color", "affine", "shift", "erase")  # that `augment` can put together
OPTIMIZERS = ("adam", "sgd")
SCHEDULES = ("cosine", "step", "plateau", "constant")
VIEW_NAMES = ("one", "mirror", "turn", "shift")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class TrainConfig:
    """What is trained, on what, and how.

    Attributes:
        dataset: `mnist`, `fashion-mnist`, `digits`, a folder of IDX files, or `auto` (mnist, else digits).
        data_dir: a folder that holds one folder per data set; None looks where `load_source` says.
        pairs: a pair file with training and validation rows; None takes `dataset/<name>/train_pairs.npz`, made when
            it is not there.
        test_pairs: a pair file with test rows; None takes the test rows of `pairs`, else `test_pairs.npz` beside it.
        images: the folder with the images that a list of pairs in LFW's form (.txt) names; None is the list's own.
        image_size: height and width that image files are brought to, as `112x92`, or `112` for a square; None takes
            what all share, else 112x112.
        color: `grey` or `rgb`, for image files; None is grey where all are.
        resize: how image files are brought to the size: `pad`, `crop` or `stretch`, see `resize_image`.
        one_vs_rest: a class, by name or number, to be told from all others taken together; None tells all classes
            apart. Two images of the rest are alike where they are of one class; where the whole rest is one class,
            nothing is known of two of them.
        rest_is_a_class: with `one_vs_rest`, two images of the rest count as similar, whatever they are.
        objective: `bce`, `mse`, `contrastive` or `triplet`: what the loss is and which head it meets by default.
        tower: one of TOWER_NAMES; `custom` stands here when a tower was given in Python.
        head: `cosine`, `euclidean` or `concat`; None takes the objective's own.
        embedding_dim: numbers in an embedding, at least 1; None takes the tower's own (TOWER_DEFAULTS).
        margin: in the head's distance, above 0: beyond it a dissimilar pair costs nothing (contrastive), or by so much
            the positive must be nearer than the negative (triplet), where `soft` is log(1 + exp(...)) instead; None
            takes the objective's own for the head.
        mining: which triplets of a step count (triplet only): `semi-hard`, `hard` or `all`.
        losses: where the triplet loss is from: TensorFlow `addons` or `native`, this project's own; None takes Addons
            where it is installed and has the loss.
        classes_per_batch: P, different classes in a step (triplet only), at least 2; None takes 16, with hard mining
            32 and with all 8, or as many as there are.
        images_per_class: K, images of each (triplet only), at least 2; None takes batch_pairs / P, with hard mining a
            quarter of that, but 4 at least.
        epochs: passes over the listed pairs; for triplets and `one_vs_rest`, over the images; None takes as many as
            show `images_shown`.
        images_shown: to the tower in all steps together, at least; where `epochs` says nothing.
        batch_pairs: listed pairs in a step, so twice as many images; at least 1. With `one_vs_rest`, images of the
            class, and as many of the rest; for triplets see `images_per_class`.
        optimizer: `adam`, which with `weight_decay` is AdamW, or `sgd` with a momentum of 0.9.
        learning_rate: at its height; None takes the tower's own, which is for Adam.
        schedule: `cosine` takes the learning rate up over the first twentieth of the steps and down to 0 at the last,
            `step` to a tenth after half of the steps and again after three quarters, `plateau` to a half when the
            validation accuracy has not risen for five epochs, `constant` leaves it.
        weight_decay: share of each kernel's weights, times the learning rate, that a step takes away; 0 or more.
        l2: what the loss counts of the sum of the kernels' squares; 0 or more.
        start_from: a model (`.keras`) whose tower's weights to start with, or a file of ImageNet weights (`.h5`) for
            the towers of `keras.applications`; None starts with new ones.
        train_last: how many of the tower's layers with weights, or blocks of layers, are trained, the last ones; None
            trains all.
        layer_decay: between 0 and 1: each layer or block learns at this share of the rate of the one after it; None
            lets all learn at the same.
        whiten: at the end, set the tower's last layer to one that makes images of a class differ alike in all
            directions, see `siamese_tf.training.whitening`; where the tower learns nothing else, without training. None
            takes the tower's own (TOWER_DEFAULTS), where classes are known and the head is not `concat`.
        pairs_per_step: `all` pairs among the images of a step (needs labels), or only the `listed` ones (not triplet).
        average: decay per step of the moving average of the weights, in [0, 1): the average is what is validated and
            kept; 0 keeps the weights themselves.
        augment: what is done to the images of a step: `flip`, `vflip`, `color`, `affine`, `shift`, `erase` with hyphens
            between them (see `augment`), or `none`. `auto` mirrors clothing and shifts everything else (mirrored digits
            are not digits), and leaves images as they are for the reference tower; `light` mirrors clothing and is
            `affine` for everything else; `strong` does all that fits the data set.
        views: what the model looks at of an image, to embed it as their mean: `one`, itself; `mirror`, its mirror image
            besides; `turn`, itself turned by 12 degrees either way besides; `shift`, itself moved a little in four
            directions, and the mirror images of all five; `auto`, what the augmentation taught it.
        precision: what the tower computes in while it trains: `float32`, or `bfloat16`, faster on processors that have
            it; weights are float32 all the same, and so is whatever is reported.
        seed: of the weights, the batch order and the augmentation.
    """

    dataset: str = "auto"
    data_dir: str | None = None
    pairs: str | None = None
    test_pairs: str | None = None
    images: str | None = None
    image_size: str | None = None
    color: str | None = None
    resize: str = "pad"
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
    images_shown: int = 256_000
    batch_pairs: int = 128
    optimizer: str = "adam"
    learning_rate: float | None = None
    schedule: str = "cosine"
    weight_decay: float = 0.0
    l2: float = 0.0
    start_from: str | None = None
    train_last: int | None = None
    layer_decay: float | None = None
    whiten: bool | None = None
    pairs_per_step: str = "all"
    average: float = 0.99
    augment: str = "auto"
    views: str = "one"
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        check_text("dataset", self.dataset)
        check_text("resize", self.resize)
        for name in ("data_dir", "pairs", "test_pairs", "images", "image_size", "color", "start_from", "one_vs_rest"):
            check_text(name, getattr(self, name), optional=True)
        check_choice("rest_is_a_class", self.rest_is_a_class, (False, True))
        check_choice("whiten", self.whiten, (False, True, None))
        check_choice("views", self.views, (*VIEW_NAMES, "auto"))
        check_choice("objective", self.objective, OBJECTIVE_NAMES)
        check_choice("tower", self.tower, (*TOWER_NAMES, "custom"))
        check_choice("head", self.head, (*HEAD_NAMES, None))
        check_choice("pairs_per_step", self.pairs_per_step, PAIRS_PER_STEP)
        check_choice("mining", self.mining, MINING_NAMES)
        check_choice("losses", self.losses, (*LOSSES_FROM, None))
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("precision", self.precision, PRECISIONS)
        check_whole("embedding_dim", self.embedding_dim, 1, 4096, optional=True)
        check_whole("epochs", self.epochs, 1, 100_000, optional=True)
        check_whole("images_shown", self.images_shown, 1, 10**10)
        check_whole("batch_pairs", self.batch_pairs, 1, 65_536)
        check_whole("seed", self.seed, 0, 2**32 - 1)
        check_whole("classes_per_batch", self.classes_per_batch, 2, 65_536, optional=True)
        check_whole("images_per_class", self.images_per_class, 2, 65_536, optional=True)
        check_number("learning_rate", self.learning_rate, above=True, optional=True)
        check_number("weight_decay", self.weight_decay)
        check_number("l2", self.l2)
        check_number("layer_decay", self.layer_decay, above=True, below=1, optional=True)
        check_whole("train_last", self.train_last, 1, 10_000, optional=True)
        check_number("average", self.average, below=1)
        if self.margin != SOFT:
            check_number("margin", self.margin, above=True, optional=True, or_text=SOFT)
        self._check_augment()
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
    def numeric_margin(self) -> float:
        """The margin of a settled config as a number; 0 for a soft one."""
        return 0.0 if self.soft else float(self.margin or 0)

    @property
    def uses_class_batches(self) -> bool:
        """Whether a step is made of images drawn class by class, and not of listed pairs."""
        return self.objective == "triplet" or (self.one_vs_rest is not None and self.pairs_per_step == "all")

    @property
    def batch_shape(self) -> tuple[int, int]:
        """Of a settled config whose steps are made of images: P classes with K images each."""
        if self.objective == "triplet":
            return self.classes_per_batch or 0, self.images_per_class or 0
        return 2, self.batch_pairs  # the class and the rest

    def to_dict(self) -> dict[str, Any]:
        """The knobs by name, plain values."""
        return asdict(self)

    def _check_augment(self) -> None:
        check_text("augment", self.augment)
        names = self.augment.split("-")
        if self.augment in ("auto", "light", "strong", "none") or (
            set(names) <= set(CHANGES) and len(set(names)) == len(names)
        ):
            return
        raise ConfigError(
            f"augment must be auto, light, strong, none, or some of {', '.join(CHANGES)} with hyphens between them, as"
            f" in shift-flip; got {self.augment!r}"
        )

    def _check_together(self) -> None:
        """Knobs that only make sense beside another."""
        if self.rest_is_a_class and self.one_vs_rest is None:
            raise ConfigError("rest_is_a_class says how to take the rest of one_vs_rest; name that class as well")
        if self.whiten and self.head == "concat":
            raise ConfigError("whiten needs the head euclidean or cosine; concat learns from embeddings. Take another")
        if self.objective != "triplet":
            changed = [name for name in TRIPLET_SETTINGS if getattr(self, name) != getattr(TrainConfig, name)]
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
