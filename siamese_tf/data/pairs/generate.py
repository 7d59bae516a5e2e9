"""Generation of the two pair files of a data set: training with validation pairs, and test pairs."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from siamese_tf.data.images.format import NATIVE_FORMAT, ImageFormat
from siamese_tf.data.pairs.audit import audit_pairs
from siamese_tf.data.pairs.csv_list import write_csv_pairs
from siamese_tf.data.pairs.draw_parts import STANDARD_PAIRS, DrawnPairs, draw_parts
from siamese_tf.data.pairs.generated_pairs import GeneratedPairs
from siamese_tf.data.pairs.npz import check_size
from siamese_tf.data.pairs.pair_datasets import pair_datasets
from siamese_tf.data.pairs.pair_file import PARTS, PairDataset, arrays_of, save_pair_file
from siamese_tf.data.pairs.pairs_folder import CSV_FILE, TEST_FILE, TRAIN_FILE, explain_mismatch, pairs_folder
from siamese_tf.data.pairs.pairs_lock import pairs_lock
from siamese_tf.data.sampling.split import GIVEN, ImageSplit, default_mode, split_images
from siamese_tf.data.sampling.split_sizes import pair_warnings
from siamese_tf.data.sources.load import NAMES, load_source
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import ConfigError, DatasetError


def generate_pair_files(
    dataset: str | Source = "auto",
    *,
    out: str | Path = "dataset",
    data_dir: str | Path | None = None,
    train_pairs: int | None = None,
    validation_pairs: int | None = None,
    test_pairs: int | None = None,
    split: str | None = None,
    train_share: float | None = None,
    pairs_within: str | None = None,
    seed: int = 0,
    image_format: ImageFormat = NATIVE_FORMAT,
) -> GeneratedPairs:
    """Writes `<out>/<name>/train_pairs.npz` and `<out>/<name>/test_pairs.npz`; equal input gives equal bytes.

    For a folder of image files, also writes `<out>/<name>/pairs.csv`, which lists the same pairs as
    `img1,img2,similarity,split` with image paths relative to `<out>/<name>`. If `<out>/<name>` has pairs of a different
    user folder or image format, the files are in `<out>/<name>-<hash>`; `pairs_folder` describes the choice.

    Args:
        dataset: name or folder of the data set (`load_source` describes both), or a loaded `Source`.
        out: folder in which the folder of this data set is created.
        data_dir: folder that is searched for data sets first.
        train_pairs, validation_pairs, test_pairs: numbers of pairs. The default is 70,000, 30,000 and 50,000, but at
            most ten per image of the split, and at most half of the similar and of the dissimilar pairs that exist
            (all of them up to 100 pairs).
        split: `"image"`, `"class"` or `"group"`, a mode of `split_images`. The default is that of `default_mode`: the
            split of a folder with sub-folders train, and validation, test or both; by class for image files with enough
            classes; otherwise by image.
        train_share: share of the images, classes or groups (by `split`) for training, more than 0 and at most 1; the
            rest is divided as by default. 1 requires an official test split and leaves no validation pairs.
        pairs_within: `"group"` draws dissimilar pairs within groups only, such as two characters of one alphabet,
            balanced over the groups; None draws them from all classes.
        seed: seed of all random choices, 0 or more. Each split has its own generator, so its number of pairs does not
            affect the others.
        image_format: image format to convert the files of a folder of image files to.

    Raises:
        DatasetError: if the data set is missing, is too small to split, or has fewer pairs than requested; or if a
            folder of image files has the name of a known data set.
        PairFileError: if a file would be too large to load; none is written.
        ConfigError: if `split` or `train_share` is invalid, or given for a folder with its own split; if `split` is
            `"group"` and there are no groups; if `pairs_within` is unknown, or given without groups; if `seed` is
            negative; or if `image_format` is given for a data set without image files.
        SiameseError: if the cache of converted images cannot be written.
    """
    source = dataset if isinstance(dataset, Source) else load_source(dataset, data_dir, image_format)
    if source.paths is not None and source.name in NAMES:
        raise DatasetError(
            f"the name of the image folder {source.origin} must differ from the known data sets, since"
            f" {Path(out) / source.name} is for the pairs of {source.name}; got {source.name}. Rename the folder"
        )
    counts = {"train": train_pairs, "validation": validation_pairs, "test": test_pairs}
    mode = split or default_mode(source)
    drawn = _draw(source, counts, mode, seed, train_share, pairs_within)
    files = pair_datasets(source, drawn, mode, seed)
    audit = audit_pairs(files)
    if audit.leaks or audit.contradictions:
        raise RuntimeError(
            "These pairs leak, which is a bug in siamese_tf; please report it:\n" + "\n".join(audit.lines())
        )
    files = [replace(file, manifest={**file.manifest, "audit": audit.as_dict()}) for file in files]
    for name, file in zip((TRAIN_FILE, TEST_FILE), files, strict=True):
        check_size(arrays_of(file), f"{Path(out) / source.name / name}")
    with pairs_lock(Path(out)):
        folder = pairs_folder(out, source)
        note, csv_path = f"{source.note}{explain_mismatch(folder, source)}", None
        if source.paths is not None:
            csv_path = folder / CSV_FILE
            groups = None if source.groups is None else [source.group_names[group] for group in source.groups.tolist()]
            write_csv_pairs(csv_path, source.origin, source.paths, drawn.pairs, groups=groups, private=files[0].private)
            reason = ", too few classes for a split by class" if split is None and mode == "image" else ""
            note += "; split as given" if mode == GIVEN else f"; split by {mode}{reason}"
        paths = folder / TRAIN_FILE, folder / TEST_FILE
        for path, file in zip(paths, files, strict=True):
            save_pair_file(path, file)
    manifest = files[0].manifest
    warnings = pair_warnings(source, manifest)
    return GeneratedPairs(*paths, note, manifest["duplicates"], audit, csv_path, source.unreadable, warnings)


def build_pairs(source: Source, counts: dict[str, int | None], mode: str, seed: int) -> list[PairDataset]:
    """Builds the two pair data sets in memory: training with validation pairs, and test pairs."""
    return pair_datasets(source, _draw(source, counts, mode, seed), mode, seed)


def pairs_of_split(source: Source, split: ImageSplit, mode: str, seed: int) -> list[PairDataset]:
    """Builds the two pair data sets of images already split; `mode` describes the split in the manifest."""
    _, pair_seeds = _seeds(seed)
    return pair_datasets(source, draw_parts(source, split, dict.fromkeys(STANDARD_PAIRS), pair_seeds), mode, seed)


def _draw(
    source: Source,
    counts: dict[str, int | None],
    mode: str,
    seed: int,
    train_share: float | None = None,
    pairs_within: str | None = None,
) -> DrawnPairs:
    split_seed, pair_seeds = _seeds(seed)
    return draw_parts(source, split_images(source, mode, split_seed, train_share), counts, pair_seeds, pairs_within)


def _seeds(seed: int) -> tuple[np.random.SeedSequence, list[np.random.SeedSequence]]:
    """Returns the seed for splitting the images, and one seed per split for drawing its pairs."""
    if seed < 0:
        raise ConfigError(f"seed must be 0 or more; got {seed}.")
    split_seed, *pair_seeds = np.random.SeedSequence(seed).spawn(1 + len(PARTS))
    return split_seed, pair_seeds
