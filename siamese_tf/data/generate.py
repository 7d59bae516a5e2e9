"""From labelled images to the two pair files of a data set: one for training and validation, one for the test."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from siamese_tf.data.audit import Audit, audit_pairs
from siamese_tf.data.pair_file import PARTS, TEST, TRAIN, VALIDATION, PairFile, save_pair_file
from siamese_tf.data.pairs import existing_pairs, make_pairs
from siamese_tf.data.sources import Source, load_source
from siamese_tf.data.split import split_images
from siamese_tf.errors import ConfigError, DatasetError
from siamese_tf.version import __version__

FORMAT = 1
STANDARD_PAIRS = {"train": 70_000, "validation": 30_000, "test": 50_000}
PAIRS_PER_IMAGE = 10

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]  # img1 and img2 as positions in the source, similarity


@dataclass(frozen=True)
class GeneratedPairs:
    """What `generate_pair_files` wrote.

    Attributes:
        train_path, test_path: the two files.
        note: which data set was used, and why when there was a choice.
        duplicates: images left out, by reason; see `siamese_tf.data.split.distinct_images`.
        audit: of both files together; the counts of pairs and images are in its parts.
    """

    train_path: Path
    test_path: Path
    note: str
    duplicates: dict[str, int]
    audit: Audit

    def lines(self) -> list[str]:
        """What was done, for people."""
        dropped = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in self.duplicates.items())
        return [
            self.note,
            f"byte-identical images left out: {dropped}",
            *self.audit.lines(),
            f"wrote {self.train_path}",
            f"wrote {self.test_path}",
        ]


def generate_pair_files(
    dataset: str | Source = "auto",
    *,
    out: str | Path = "dataset",
    data_dir: str | Path | None = None,
    train_pairs: int | None = None,
    validation_pairs: int | None = None,
    test_pairs: int | None = None,
    split: str = "image",
    seed: int = 0,
) -> GeneratedPairs:
    """Writes `<out>/<name>/train_pairs.npz` and `<out>/<name>/test_pairs.npz`; same arguments and data, same bytes.

    Args:
        dataset: a name or a folder, as for `load_source`, or what it gave.
        out: the folder that gets a folder for this data set.
        data_dir: where to look for data sets first.
        train_pairs, validation_pairs, test_pairs: how many pairs. By default 70,000, 30,000 and 50,000, but at most
            ten for each image of the part, and at most half of the similar and of the dissimilar pairs that exist.
        split: `"image"` or `"class"`, as for `split_images`.
        seed: of every choice; the three parts have generators of their own, so the count of one changes no other.

    Raises:
        DatasetError: the data set cannot be had, is too small to split, or has fewer pairs than asked for.
        ConfigError: a split that is neither, or a negative seed.
    """
    source = dataset if isinstance(dataset, Source) else load_source(dataset, data_dir)
    asked = {"train": train_pairs, "validation": validation_pairs, "test": test_pairs}
    files = build_pairs(source, asked, split, seed)
    audit = audit_pairs(files)
    if audit.leaks or audit.contradictions:
        raise RuntimeError(
            "These pairs leak, which is a fault of siamese_tf; please report:\n" + "\n".join(audit.lines())
        )
    folder = Path(out) / source.name
    paths = folder / "train_pairs.npz", folder / "test_pairs.npz"
    for path, file in zip(paths, files, strict=True):
        save_pair_file(path, replace(file, manifest={**file.manifest, "audit": audit.as_dict()}))
    return GeneratedPairs(*paths, source.note, files[0].manifest["duplicates"], audit)


def build_pairs(source: Source, asked: dict[str, int | None], mode: str, seed: int) -> list[PairFile]:
    """Makes the two files in memory: training with validation pairs, and test pairs.

    The manifest holds nothing that differs from machine to machine; what the data was, the hashes in `files` say.
    """
    if seed < 0:
        raise ConfigError(f"seed is {seed}; expected 0 or more.")
    split_seed, *pair_seeds = np.random.SeedSequence(seed).spawn(1 + len(PARTS))
    split = split_images(source, mode, split_seed)
    images = {TRAIN: split.train, VALIDATION: split.validation, TEST: split.test}
    pairs = {
        part: _pairs_of_part(source, positions, PARTS[part], asked[PARTS[part]], pair_seeds[part])
        for part, positions in images.items()
    }
    manifest = {
        "format": FORMAT,
        "version": __version__,
        "source": source.name,
        "files": source.files,
        "class_names": list(source.class_names),
        "seed": seed,
        "split": mode,
        "images": {PARTS[part]: len(positions) for part, positions in images.items()},
        "pairs": {PARTS[part]: len(similarity) for part, (_, _, similarity) in pairs.items()},
        "duplicates": split.duplicates,
    }
    return [_pair_file(source, images, pairs, parts, manifest) for parts in ((TRAIN, VALIDATION), (TEST,))]


def _pairs_of_part(
    source: Source, positions: np.ndarray, part: str, asked: int | None, seed: np.random.SeedSequence
) -> Pairs:
    labels = source.labels[positions]
    count = default_count(labels, STANDARD_PAIRS[part]) if asked is None else asked
    try:
        img1, img2, similarity = make_pairs(labels, count, seed)
    except DatasetError as error:
        raise DatasetError(f"{source.name}, {part} part: {error}") from error
    return positions[img1], positions[img2], similarity


def _pair_file(
    source: Source,
    images: dict[int, np.ndarray],
    pairs: dict[int, Pairs],
    parts: tuple[int, ...],
    manifest: dict[str, Any],
) -> PairFile:
    """The pairs of some parts, and of the source only the images of these parts."""
    kept = np.sort(np.concatenate([images[part] for part in parts]))
    img1, img2, similarity = (np.concatenate(column) for column in zip(*(pairs[part] for part in parts), strict=True))
    return PairFile(
        images=source.images[kept],
        labels=source.labels[kept],
        img1=np.searchsorted(kept, img1).astype(np.int32),
        img2=np.searchsorted(kept, img2).astype(np.int32),
        similarity=similarity,
        split=np.repeat(np.array(parts, np.uint8), [len(pairs[part][2]) for part in parts]),
        manifest=manifest,
    )


def default_count(labels: np.ndarray, standard: int) -> int:
    """How many pairs to make unasked: `standard`, ten an image, or half of what exists on the scarcer side; even.

    Never less than two, so that a part too small for any pair is refused by `make_pairs`, with the reason.
    """
    count = min(standard, PAIRS_PER_IMAGE * len(labels), *existing_pairs(labels))
    return max(2, count - count % 2)
