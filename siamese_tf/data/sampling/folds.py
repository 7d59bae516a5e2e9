"""Cross-validation folds: every person is tested once, by a model that was not trained on that person."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.data.sampling.balance import deal_classes
from siamese_tf.errors import ConfigError, DatasetError, PairFileError

MIN_FOLDS = 3  # test, validation (for the threshold) and training
MIN_PEOPLE = 2  # per split; one person alone forms no dissimilar pair


class Fold(NamedTuple):
    """Images of one fold; no person is in two splits.

    Attributes:
        train, validation, test: positions of the images, int64, ascending.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


class PairFold(NamedTuple):
    """Pairs of one fold of a list, as row numbers, int64, ascending.

    Attributes:
        others: pairs of all other folds, on which the threshold is chosen.
        held_out: pairs of this fold, on which the threshold is evaluated.
    """

    others: np.ndarray
    held_out: np.ndarray


def people_folds(labels: ArrayLike, folds: int, seed: int = 0) -> list[Fold]:
    """Assigns the shuffled people to one group per fold; fold k tests on group k and validates on the next group.

    Group sizes differ by at most one person: with 40 people, each of 8 folds has 30 people for training, 5 for
    validation and 5 for test. If the numbers of images per person vary widely, `deal_classes` balances the images of
    the groups.

    Args:
        labels: person on each image, (n,) integers. The images must be distinct; `distinct_images` finds them.
        folds: number of folds, 3 or more; there must be at least two people per fold.
        seed: seed of the shuffle; equal seeds give equal folds.

    Returns:
        One `Fold` per fold. Every image is in the test split of exactly one of them.

    Raises:
        ConfigError: if `folds` is less than 3 or not an integer.
        DatasetError: if `labels` are not (n,) integers, or there are fewer than two people per fold.
    """
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < MIN_FOLDS:
        raise ConfigError(f"folds must be a whole number of {MIN_FOLDS} or more; got {folds!r}")
    person = np.asarray(labels)
    if person.ndim != 1 or person.dtype.kind not in "iu":
        raise DatasetError(f"labels must be (n,) integers; got shape {person.shape} and dtype {person.dtype}")
    people = np.random.default_rng(seed).permutation(np.unique(person))
    if len(people) < MIN_PEOPLE * folds:
        raise DatasetError(
            f"{folds} folds must have at least {MIN_PEOPLE} people each; got {len(people)} people."
            f" Use fewer folds, at least {MIN_FOLDS}, or add people"
        )
    images = np.unique(person, return_counts=True)[1][np.searchsorted(np.unique(person), people)]
    group = deal_classes(images, [len(part) for part in np.array_split(people, folds)])
    groups = [np.flatnonzero(np.isin(person, people[group == number])) for number in range(folds)]
    result = []
    for number, test in enumerate(groups):
        validation = groups[(number + 1) % folds]
        train = np.setdiff1d(np.arange(len(person)), np.concatenate([validation, test]))
        result.append(Fold(train, validation, test))
        check_people_apart(person, result[-1])
    return result


def check_people_apart(labels: ArrayLike, fold: Fold) -> None:
    """Checks that no person is in two splits of a fold.

    Args:
        labels: person on each image, (n,) integers.
        fold: positions of the images of each split.

    Raises:
        DatasetError: if a person is in two splits; the message gives the splits and the number of such people.
    """
    person = np.asarray(labels)
    for one, two in (("train", "validation"), ("train", "test"), ("validation", "test")):
        shared = np.intersect1d(person[getattr(fold, one)], person[getattr(fold, two)])
        if len(shared):
            raise DatasetError(
                f"each person must be in one split of a fold, or its results overestimate the model; got {len(shared)}"
                f" people in both {one} and {two}, for example label {shared[0]}."
                " Put all images of a person into one split"
            )


def pair_folds(fold: ArrayLike) -> list[PairFold]:
    """Returns the folds of a list that assigns each pair to a fold, such as LFW's `pairs.txt` with ten folds.

    Args:
        fold: fold of each pair, (m,) integers.

    Returns:
        One `PairFold` for each distinct number, in ascending order. Every pair is held out exactly once.

    Raises:
        PairFileError: if `fold` is not (m,) integers, or has fewer than two distinct numbers.
    """
    numbers = np.asarray(fold)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise PairFileError(f"fold must be (m,) integers; got shape {numbers.shape} and dtype {numbers.dtype}")
    distinct = np.unique(numbers)
    if len(distinct) < 2:
        raise PairFileError(
            "the pairs must be in at least two folds, since the threshold for a fold is chosen on the others; got"
            f" {len(distinct)}. Use a list with more folds; LFW has ten"
        )
    return [PairFold(np.flatnonzero(numbers != number), np.flatnonzero(numbers == number)) for number in distinct]


def people_in_several_folds(fold: ArrayLike, person1: ArrayLike, person2: ArrayLike) -> int:
    """Returns the number of people in pairs of more than one fold; 0 means thresholds are chosen on other people.

    Args:
        fold: fold of each pair, (m,) integers.
        person1, person2: person on the first and on the second image of each pair, (m,) integers.
    """
    numbers, first, second = np.asarray(fold), np.asarray(person1), np.asarray(person2)
    person_folds = np.unique(np.stack([np.concatenate([first, second]), np.concatenate([numbers, numbers])]), axis=1)
    return int((np.unique(person_folds[0], return_counts=True)[1] > 1).sum())
