"""Identification of a few enrolled people and rejection of strangers, with a model trained on other people.

    python benchmarks/identification.py FOLDER     FOLDER has one sub-folder per person: 24 or more, four images each

The people are divided into eight groups. In each of eight trials, the people of one group are enrolled with three
images each, those of the next group are strangers, the group after that selects the threshold, and the others train a
model with the recipe `faces`. All other images of the enrolled people and all images of the strangers are then
identified. Takes less than a minute for the 40 people of AT&T.

Rank-1 is the fraction of probes of enrolled people whose best match is the right person, regardless of the threshold.
FNIR is the fraction of these probes that are not identified as the right person. FPIR is the fraction of probes of
strangers that are identified as anyone.
"""

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

GROUPS, ENROLLED, TRIALS = 8, 3, 8


class Counts(NamedTuple):
    """Results of one trial.

    Attributes:
        enrolled_probes: number of probes of enrolled people.
        rank1: number of these whose best match is the right person.
        identified: number of these that are also above the threshold.
        stranger_probes: number of probes of strangers.
        false_positives: number of these that are identified as anyone.
    """

    enrolled_probes: int
    rank1: int
    identified: int
    stranger_probes: int
    false_positives: int


def main(folder: str) -> None:
    from siamese_tf.console import start_tensorflow

    start_tensorflow()
    from siamese_tf.data.sources.load import load_source
    from siamese_tf.errors import SiameseError

    try:
        source = load_source(folder)
    except SiameseError as error:
        raise SystemExit(f"identification: {error}") from error
    check_enough(source)
    print(f"{source.note}; {GROUPS} groups, {ENROLLED} enrolled images per person\n", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        trials = [trial(source, number, Path(scratch) / str(number)) for number in range(TRIALS)]
    table = Table("", "rank-1", "correct decisions", "FPIR", "FNIR", box=box.SIMPLE)
    for name, counts in [*((f"trial {number}", one) for number, one in enumerate(trials)), ("all", total(trials))]:
        table.add_row(name, *rates(counts))
    Console(width=100).print(table)


def check_enough(source) -> None:
    """Exits with a message unless each group has three people and each person has an image left to identify."""
    from siamese_tf.data.sampling.split import distinct_images

    images = np.unique(source.labels[distinct_images(source)[0]], return_counts=True)[1]
    if len(images) < 3 * GROUPS or images.min() <= ENROLLED:
        raise SystemExit(
            f"identification: FOLDER must have at least {3 * GROUPS} people with {ENROLLED + 1} distinct images each;"
            f" got {len(images)} people with {images.min()} or more. Add images."
        )


def trial(source, number: int, folder: Path) -> Counts:
    """Trains a model without two groups of people, enrolls one of them and identifies both."""
    from siamese_tf.data.sampling.folds import people_folds
    from siamese_tf.data.sampling.split import distinct_images

    distinct = np.flatnonzero(distinct_images(source)[0])
    groups = [distinct[fold.test] for fold in people_folds(source.labels[distinct], GROUPS)]
    enrolled, strangers, validation = (groups[(number + step) % GROUPS] for step in range(3))
    train = np.setdiff1d(distinct, np.concatenate([enrolled, strangers, validation]))
    model = train_without(source, train, validation, np.union1d(enrolled, strangers), folder)
    return identify(model, source, enrolled, strangers, folder / "people.gallery")


def train_without(source, train, validation, test, folder: Path):
    """Trains with the recipe `faces` on the images `train`; the threshold comes from those of `validation`."""
    from siamese_tf.config.recipes import config_from
    from siamese_tf.data.pairs.audit import audit_pairs
    from siamese_tf.data.pairs.generate import pairs_of_split
    from siamese_tf.data.pairs.load_pairs import TrainTestPairs
    from siamese_tf.data.pairs.pair_file import TRAIN
    from siamese_tf.data.sampling.split import ImageSplit
    from siamese_tf.models.model_file import load_model
    from siamese_tf.training.run_data import RunData
    from siamese_tf.training.train import train_and_evaluate

    files = pairs_of_split(source, ImageSplit(train, validation, test, {}), "class", seed=0)
    original = TrainTestPairs(*files, source.name, source.note, audit_pairs(files).leaks)
    run = RunData(original, original, files[0].images_of(TRAIN))
    train_and_evaluate(config_from("faces", {}), folder, pairs=run, quiet=True)
    return load_model(folder / "siamese.keras")


def identify(model, source, enrolled, strangers, gallery: Path) -> Counts:
    """Enrolls the first images of each enrolled person and identifies all other images."""
    from siamese_tf.inference.gallery import Gallery

    names = np.array([source.class_names[label] for label in source.labels])
    people = [enrolled[names[enrolled] == name] for name in np.unique(names[enrolled])]
    probes = np.concatenate([images[ENROLLED:] for images in people])
    with Gallery.open(gallery, model, create=True) as file:
        for images in people:
            file.enroll(names[images[0]], model.embed(source.images[images[:ENROLLED]]))
        matches = [match for match, *_ in file.identify(model.embed(source.images[probes]), top=1)]
        stranger_matches = [match for match, *_ in file.identify(model.embed(source.images[strangers]), top=1)]
    correct = [match.name == name for match, name in zip(matches, names[probes], strict=True)]
    return Counts(
        enrolled_probes=len(probes),
        rank1=sum(correct),
        identified=sum(match.same and one for match, one in zip(matches, correct, strict=True)),
        stranger_probes=len(strangers),
        false_positives=sum(match.same for match in stranger_matches),
    )


def total(trials: list[Counts]) -> Counts:
    return Counts(*(sum(column) for column in zip(*trials, strict=True)))


def rates(counts: Counts) -> list[str]:
    """Returns rank-1, the fraction of correct decisions, FPIR and FNIR, formatted."""
    correct = counts.identified + counts.stranger_probes - counts.false_positives
    fractions = (
        counts.rank1 / counts.enrolled_probes,
        correct / (counts.enrolled_probes + counts.stranger_probes),
        counts.false_positives / counts.stranger_probes,
        1 - counts.identified / counts.enrolled_probes,
    )
    return [f"{fraction:.4f}" for fraction in fractions]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
