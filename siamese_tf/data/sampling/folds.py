"""Cross-validation folds: every person is tested once by a model that has never seen them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.data.sampling.balance import deal_classes
from siamese_tf.errors import ConfigError, DatasetError, PairFileError

MIN_FOLDS = 3  # people to test, people to choose the threshold by, people to train on
MIN_PEOPLE = 2  # in each part: one person alone makes no different pair


class Fold(NamedTuple):
    """Images of one fold, as sorted int64 positions; no person is in two splits.

    Attributes:
        train, validation, test: positions.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


class PairFold(NamedTuple):
    """Pairs of one fold of a list, as sorted int64 row numbers.

    Attributes:
        others: the pairs of all other folds, by which the threshold is chosen.
        held_out: the pairs of this fold, which the threshold is used on.
    """

    others: np.ndarray
    held_out: np.ndarray


def people_folds(labels: ArrayLike, folds: int, seed: int = 0) -> list[Fold]:
    """Deals the people, shuffled, into as many groups as folds. Fold k tests group k and validates on the next group.

    The groups differ by one person at most, so of 40 people 8 folds have 30 to train on, 5 to validate and 5 to test.
    Where people have very different numbers of images, they are dealt so that the groups have about as many images, see
    `deal_classes`.

    Args:
        labels: integers (n,), who is on each image; give distinct images, see `distinct_images`.
        folds: from 3 on; two people at least must come on each.
        seed: of the shuffle; the same seed gives the same folds.

    Returns:
        One `Fold` a fold. Every image is in the test part of exactly one of them.

    Raises:
        ConfigError: fewer than three folds.
        DatasetError: labels that are not (n,) integers, or fewer than two people a fold.
    """
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < MIN_FOLDS:
        raise ConfigError(f"folds is {folds!r}; expected a whole number from {MIN_FOLDS} on")
    who = np.asarray(labels)
    if who.ndim != 1 or who.dtype.kind not in "iu":
        raise DatasetError(f"labels have shape {who.shape} and dtype {who.dtype}; expected (n,) integers")
    people = np.random.default_rng(seed).permutation(np.unique(who))
    if len(people) < MIN_PEOPLE * folds:
        raise DatasetError(
            f"there are {len(people)} people for {folds} folds, and each fold tests {MIN_PEOPLE} or more."
            f" Ask for fewer folds, {MIN_FOLDS} at least, or add people"
        )
    images = np.unique(who, return_counts=True)[1][np.searchsorted(np.unique(who), people)]
    group = deal_classes(images, [len(part) for part in np.array_split(people, folds)])
    groups = [np.flatnonzero(np.isin(who, people[group == number])) for number in range(folds)]
    made = []
    for number, test in enumerate(groups):
        validation = groups[(number + 1) % folds]
        train = np.setdiff1d(np.arange(len(who)), np.concatenate([validation, test]))
        made.append(Fold(train, validation, test))
        check_people_apart(who, made[-1])
    return made


def check_people_apart(labels: ArrayLike, fold: Fold) -> None:
    """Refuses a fold in which someone is in two parts.

    Args:
        labels: integers (n,), who is on each image.
        fold: the positions of each part.

    Raises:
        DatasetError: how many people are in which two parts.
    """
    who = np.asarray(labels)
    for one, two in (("train", "validation"), ("train", "test"), ("validation", "test")):
        shared = np.intersect1d(who[getattr(fold, one)], who[getattr(fold, two)])
        if len(shared):
            raise DatasetError(
                f"{len(shared)} people are in both the {one} and the {two} part of a fold, label {shared[0]} for one;"
                " numbers from such a fold flatter the model. Put all images of a person into one part"
            )


def pair_folds(fold: ArrayLike) -> list[PairFold]:
    """Returns the folds of a list that assigns each pair to a fold, such as the ten of LFW's pairs.txt.

    Args:
        fold: integers (m,), the fold of each pair; only which are equal matters.

    Returns:
        One `PairFold` for each distinct number, in their order. Every pair is held out exactly once.

    Raises:
        PairFileError: not (m,) integers, or fewer than two folds.
    """
    numbers = np.asarray(fold)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise PairFileError(f"fold has shape {numbers.shape} and dtype {numbers.dtype}; expected (m,) integers")
    distinct = np.unique(numbers)
    if len(distinct) < 2:
        raise PairFileError(
            f"the pairs are in {len(distinct)} fold(s); with one fold there are no others to choose the threshold by."
            " Give two folds or more, ten as LFW does"
        )
    return [PairFold(np.flatnonzero(numbers != number), np.flatnonzero(numbers == number)) for number in distinct]


def people_in_several_folds(fold: ArrayLike, person1: ArrayLike, person2: ArrayLike) -> int:
    """Counts people in the pairs of more than one fold; if 0, thresholds are chosen on other people.

    Args:
        fold: integers (m,), the fold of each pair.
        person1, person2: integers (m,), who is on either image of each pair.
    """
    numbers, first, second = np.asarray(fold), np.asarray(person1), np.asarray(person2)
    person_folds = np.unique(np.stack([np.concatenate([first, second]), np.concatenate([numbers, numbers])]), axis=1)
    return int((np.unique(person_folds[0], return_counts=True)[1] > 1).sum())
