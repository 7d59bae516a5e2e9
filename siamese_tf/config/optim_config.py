"""Settings of the optimization: budget, batches, optimizer, transfer, augmentation and numerics."""

from dataclasses import dataclass
from functools import partial

from siamese_tf.config.catalog import AUGMENT_LEVELS, AUGMENTATIONS, VIEWS
from siamese_tf.config.checks import check_choice, check_number, check_text, check_whole
from siamese_tf.config.pretrained import WEIGHTS
from siamese_tf.config.settings import ADVANCED, AUTO, MODEL, TRAINING, Settings, setting
from siamese_tf.errors import ConfigError

PAIRS_PER_STEP = ("all", "listed")
OPTIMIZERS = ("adam", "sgd", "momentum")
SCHEDULES = ("cosine", "step", "exponential", "plateau", "constant")
ROTATIONS = "rotations"
CLASSES_FROM = ("images", ROTATIONS)
PRECISIONS = (AUTO, "float32", "bfloat16")
AUGMENT_PRESETS = (*AUGMENT_LEVELS, "none")


def check_augment(name: str, value: object) -> None:
    """Raises a ConfigError unless the value is a preset or transformations joined by hyphens."""
    check_text(name, value)
    transforms = str(value).split("-")
    if value in AUGMENT_PRESETS or (set(transforms) <= set(AUGMENTATIONS) and len(set(transforms)) == len(transforms)):
        return
    raise ConfigError(
        f"{name} must be {', '.join(AUGMENT_PRESETS)}, or some of {', '.join(AUGMENTATIONS)} joined by hyphens, such as"
        f" shift-flip; got {value!r}"
    )


@dataclass(frozen=True)
class OptimConfig(Settings):
    """Optimization of a run."""

    epochs: int | None = setting(
        None,
        "Number of epochs, of one pass over the data or --steps-per-epoch steps each; overrides --images-shown.",
        partial(check_whole, low=1, high=100_000, optional=True),
        panel=TRAINING,
        show_default="enough to show --images-shown images",
    )
    images_shown: int = setting(
        210_000,
        "Number of images that the tower is trained on in all steps together, rounded up to steps of equal epochs.",
        partial(check_whole, low=1, high=10**10),
        panel=TRAINING,
    )
    batch_pairs: int = setting(
        128,
        "Number of listed pairs in a batch; with triplet the number of images; with --one-vs-rest the number of images"
        " of the class, and of the rest.",
        partial(check_whole, low=1, high=65_536),
        panel=TRAINING,
    )
    optimizer: str = setting(
        "adam",
        "Optimizer: adam (AdamW with --weight-decay), sgd (Nesterov momentum 0.9) or momentum (SGD with classical"
        " momentum that rises linearly from 0.5 in the first epoch to 0.9 in the last).",
        partial(check_choice, choices=OPTIMIZERS),
        panel=TRAINING,
    )
    learning_rate: float | None = setting(
        None,
        "Peak learning rate.",
        partial(check_number, above=True, optional=True),
        panel=TRAINING,
        show_default="the tower's, for adam",
    )
    schedule: str = setting(
        "cosine",
        "Learning-rate schedule: cosine (5% warm-up, then decay to 0), step (x0.1 after 1/2 and 3/4 of the steps),"
        " exponential (x0.99 after each epoch), plateau (x0.5 after 5 epochs without a better validation accuracy) or"
        " constant.",
        partial(check_choice, choices=SCHEDULES),
        panel=TRAINING,
    )
    weight_decay: float = setting(
        0.0,
        "Decoupled weight decay of the kernels per step, multiplied by the learning rate.",
        check_number,
        panel=TRAINING,
    )
    l2: float = setting(
        0.0, "L2 penalty: factor of the sum of squared kernel weights in the loss.", check_number, panel=TRAINING
    )
    start_from: str | None = setting(
        None,
        f"Initial weights of the tower: a model (.keras), {', '.join(WEIGHTS)}, or ImageNet weights (.h5) for towers of"
        " keras.applications.",
        partial(check_text, optional=True),
        flag="--init-weights",
        panel=ADVANCED,
        show_default="random",
    )
    train_last: int | None = setting(
        None,
        "Number of layers or blocks of the tower to train, counted from the last; the others are frozen.",
        partial(check_whole, low=1, high=10_000, optional=True),
        flag="--trainable-blocks",
        panel=ADVANCED,
        show_default="all",
    )
    layer_decay: float | None = setting(
        None,
        "Factor between 0 and 1 of the learning rate from each layer or block to the one before it.",
        partial(check_number, above=True, below=1, optional=True),
        panel=ADVANCED,
        show_default="the same rate for all",
    )
    whiten: bool | None = setting(
        None,
        "Whiten the within-class differences by solving for the tower's last layer after training.",
        partial(check_choice, choices=(False, True), optional=True),
        panel=ADVANCED,
        show_default="the tower's",
    )
    pairs_per_step: str = setting(
        "all",
        "Pairs of a batch that count: all pairs of its images (needs class labels), or the listed ones.",
        partial(check_choice, choices=PAIRS_PER_STEP),
        panel=TRAINING,
    )
    average: float = setting(
        0.99,
        "Decay per step of the exponential moving average of the weights, which is validated and saved; 0 turns it"
        " off.",
        partial(check_number, below=1),
        flag="--ema-decay",
        panel=TRAINING,
    )
    augment: str = setting(
        "auto",
        f"Augmentation of training images: {', '.join(AUGMENT_PRESETS)}, or some of {', '.join(AUGMENTATIONS)} joined"
        " by hyphens, such as shift-flip.",
        check_augment,
        panel=TRAINING,
    )
    steps_per_epoch: int | None = setting(
        None,
        "Number of steps in an epoch; with listed pairs at most one pass over them.",
        partial(check_whole, low=1, high=10**8, optional=True),
        panel=ADVANCED,
        show_default="one pass over the data or, to show --images-shown images, fewer",
        keyword_only=True,
    )
    validate_every: int = setting(
        1,
        "Number of epochs between validations; the last epoch is always validated.",
        partial(check_whole, low=1, high=100_000),
        panel=ADVANCED,
        keyword_only=True,
    )
    classes_from: str = setting(
        "images",
        "Classes of a batch: images (as they are), or rotations (quarter turns and mirror images, the same for a whole"
        " batch or group of it, which are new classes of characters).",
        partial(check_choice, choices=CLASSES_FROM),
        panel=TRAINING,
        keyword_only=True,
    )
    views: str = setting(
        "one",
        "Test-time augmentation, the views whose mean is the embedding: one (the image), mirror (and its mirror"
        " image), turn (and rotations by 12 degrees), shift (and shifts, all mirrored), affine (and eight affine"
        " variants) or auto (to match --augment).",
        partial(check_choice, choices=VIEWS, also="auto"),
        flag="--tta",
        panel=MODEL,
    )
    precision: str = setting(
        AUTO,
        "Numeric precision of the tower in training: float32, bfloat16, which is faster on processors with instructions"
        " for it, or auto (bfloat16 on these, else float32); weights and reported numbers are float32.",
        partial(check_choice, choices=PRECISIONS),
        panel=ADVANCED,
    )
    seed: int = setting(
        0,
        "Random seed of the weights, the batch order and the augmentation.",
        partial(check_whole, low=0, high=2**32 - 1),
        panel=TRAINING,
    )
