"""Sizes of the splits: by default, or with a given share of the images, classes or groups for training.

The sizes of the splits other than training are steps: a step of 5 stands for a fifth.
"""

from collections.abc import Sequence
from fractions import Fraction

from siamese_tf.errors import ConfigError

Steps = Sequence[int | Fraction]
OFFICIAL_STEPS = (6,)  # validation, if the test images are given
MAX_DENOMINATOR = 10_000  # converts 0.6 to 3/5


def check_train_share(train_share: float | None) -> None:
    """Raises a ConfigError unless the share is None, or more than 0 and at most 1."""
    if train_share is not None and not 0 < train_share <= 1:
        raise ConfigError(f"the training share must be more than 0 and at most 1; got {train_share}.")


def other_steps(
    default: tuple[int, ...], has_test: bool, train_share: float | None, unit: str, name: str
) -> tuple[int, ...]:
    """Returns the default steps of the splits that are taken from the images for training.

    Args:
        default: steps of test and validation.
        has_test: whether the test images are given, so that only validation is taken.
        train_share: share for training; None for the default.
        unit: "image", "class" or "group", for messages.
        name: name of the data set in messages.

    Raises:
        ConfigError: if the share is 1 but test images must be taken.
    """
    if train_share != 1:
        return OFFICIAL_STEPS if has_test else default
    if not has_test:
        why = "" if unit == "image" else f" that shares no {unit} with its other images"
        raise ConfigError(
            f"the training share must be less than 1 for {name}, which has no official test split{why}; got 1. Leave a"
            " share for test and validation"
        )
    return ()


def scale_steps(steps: Steps, train_share: float | None) -> Steps:
    """Scales successive steps, each of the images that the earlier ones leave, to a share for training.

    `(4, 5)` gives a quarter to the first split and a fifth of the rest to the second, which leaves 0.6 for training.
    """
    if train_share is None or not steps:
        return steps
    shares, left = [], Fraction(1)
    for step in steps:
        shares.append(left / step)
        left -= left / step
    scale = (1 - _fraction(train_share)) / (1 - left)
    scaled, left = [], Fraction(1)
    for share in shares:
        scaled.append(left / (share * scale))
        left -= share * scale
    return scaled


def other_counts(total: int, steps: Steps, minimum: int, train_share: float | None) -> list[int]:
    """Returns the number of classes (or groups) of each split other than training; training gets the others.

    Args:
        total: number of classes; at least `minimum` for each split.
        steps: `(5, 5)` gives two splits a fifth of the classes each.
        minimum: minimum number of classes of each split, training included.
        train_share: share of the classes for training, of which the rest is divided evenly; None for the default.
    """
    if train_share is None:
        return [max(minimum, round(total / step)) for step in steps]
    train = max(minimum, round(_fraction(train_share) * total))
    rest, splits = max(minimum * len(steps), total - train), len(steps)
    return [rest // splits + (split < rest % splits) for split in range(splits)]


def _fraction(share: float) -> Fraction:
    return Fraction(share).limit_denominator(MAX_DENOMINATOR)
