"""How well a few people are told apart, and from strangers, by a model that has seen none of them.

    python benchmarks/identification.py FOLDER     one sub-folder for each of 24 people or more, with four pictures each

The people are dealt into eight groups. In each of eight trials the people of one group are enrolled with three pictures
each, those of the next are strangers, the one after chooses the threshold, and the others train a model by the recipe
`faces`. Every other picture of the enrolled people and every picture of the strangers is then identified. Under a
minute for the 40 people of AT&T.

Of the pictures of enrolled people, rank-1 is the share whose best match is the right person, whatever the threshold,
and FNIR the share that is not named rightly; FPIR is the share of the strangers' pictures that get a name.
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
    """Of one trial: pictures of enrolled people, how often the best match is right, how often the name is; and
    pictures of strangers, and how often they get a name."""

    known: int
    best: int
    named: int
    strangers: int
    taken: int


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
    print(f"{source.note}; {GROUPS} groups, {ENROLLED} pictures each of the enrolled\n", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        trials = [trial(source, number, Path(scratch) / str(number)) for number in range(TRIALS)]
    table = Table("", "rank-1", "named rightly or rightly not", "FPIR", "FNIR", box=box.SIMPLE)
    for name, counts in [*((f"trial {number}", one) for number, one in enumerate(trials)), ("all", total(trials))]:
        table.add_row(name, *rates(counts))
    Console(width=100).print(table)


def check_enough(source) -> None:
    """Ends the program where a group would have fewer than three people, or somebody nothing left to identify."""
    from siamese_tf.data.sampling.split import distinct_images

    pictures = np.unique(source.labels[distinct_images(source)[0]], return_counts=True)[1]
    if len(pictures) < 3 * GROUPS or pictures.min() <= ENROLLED:
        raise SystemExit(
            f"identification: {len(pictures)} people with {pictures.min()} or more different pictures each; expected"
            f" {3 * GROUPS} people or more, with {ENROLLED + 1} each. Add pictures"
        )


def trial(source, number: int, folder: Path) -> Counts:
    """Trains without two groups of people and identifies them."""
    from siamese_tf.data.sampling.folds import people_folds
    from siamese_tf.data.sampling.split import distinct_images

    ema_model = np.flatnonzero(distinct_images(source)[0])
    groups = [ema_model[fold.test] for fold in people_folds(source.labels[ema_model], GROUPS)]
    known, strangers, validation = (groups[(number + step) % GROUPS] for step in range(3))
    train = np.setdiff1d(ema_model, np.concatenate([known, strangers, validation]))
    model = train_without(source, train, validation, np.union1d(known, strangers), folder)
    return identify(model, source, known, strangers, folder / "people.gallery")


def train_without(source, train, validation, unseen, folder: Path):
    """A model of the recipe `faces` that has seen the pictures of `train` and, for its threshold, of `validation`."""
    from siamese_tf.config.recipes import config_from
    from siamese_tf.data.pairs.audit import audit_pairs
    from siamese_tf.data.pairs.generate import pairs_of_split
    from siamese_tf.data.pairs.pair_file import TRAIN
    from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
    from siamese_tf.data.sampling.split import ImageSplit
    from siamese_tf.models.model_file import load_model
    from siamese_tf.training.run_data import RunData
    from siamese_tf.training.train import train_and_evaluate

    files = pairs_of_split(source, ImageSplit(train, validation, unseen, {}), "class", seed=0)
    original = TrainTestPairs(*files, source.name, source.note, audit_pairs(files).leaks)
    run = RunData(original, original, files[0].images_of(TRAIN))
    train_and_evaluate(config_from("faces", {}), folder, pairs=run, quiet=True)
    return load_model(folder / "siamese.keras")


def identify(model, source, known, strangers, gallery: Path) -> Counts:
    """Enrolls the first pictures of the known people, and identifies all others."""
    from siamese_tf.inference.gallery import Gallery

    names = np.array([source.class_names[label] for label in source.labels])
    people = [known[names[known] == name] for name in np.unique(names[known])]
    probes = np.concatenate([pictures[ENROLLED:] for pictures in people])
    with Gallery.open(gallery, model, create=True) as original:
        for pictures in people:
            original.enroll(names[pictures[0]], model.embed(source.images[pictures[:ENROLLED]]))
        found = [match for match, *_ in original.identify(model.embed(source.images[probes]), top=1)]
        unknown = [match for match, *_ in original.identify(model.embed(source.images[strangers]), top=1)]
    right = [match.name == name for match, name in zip(found, names[probes], strict=True)]
    return Counts(
        known=len(probes),
        best=sum(right),
        named=sum(match.same and one for match, one in zip(found, right, strict=True)),
        strangers=len(strangers),
        taken=sum(match.same for match in unknown),
    )


def total(trials: list[Counts]) -> Counts:
    return Counts(*(sum(column) for column in zip(*trials, strict=True)))


def rates(counts: Counts) -> list[str]:
    """As the table shows them."""
    right = counts.named + counts.strangers - counts.taken
    lr_multipliers = (
        counts.best / counts.known,
        right / (counts.known + counts.strangers),
        counts.taken / counts.strangers,
        1 - counts.named / counts.known,
    )
    return [f"{share:.4f}" for share in lr_multipliers]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
