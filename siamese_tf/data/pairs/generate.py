"""Generation of the two pair files of a data set: training with validation pairs, and test pairs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from siamese_tf.data.images.cache import block_size
from siamese_tf.data.images.cache_folder import scratch_images
from siamese_tf.data.images.format import NATIVE_FORMAT, ImageFormat
from siamese_tf.data.pairs.audit import audit_pairs
from siamese_tf.data.pairs.csv_list import write_csv_pairs
from siamese_tf.data.pairs.draw_parts import STANDARD_PAIRS, DrawnPairs, PairArrays, draw_parts
from siamese_tf.data.pairs.generated_pairs import GeneratedPairs
from siamese_tf.data.pairs.npz import check_size
from siamese_tf.data.pairs.pair_file import PARTS, TEST, TRAIN, VALIDATION, PairDataset, arrays_of, save_pair_file
from siamese_tf.data.pairs.pairs_folder import CSV_FILE, TEST_FILE, TRAIN_FILE, explain_mismatch, pairs_folder
from siamese_tf.data.pairs.pairs_lock import pairs_lock
from siamese_tf.data.sampling.split import GIVEN, ImageSplit, default_mode, split_images
from siamese_tf.data.sampling.split_sizes import pair_warnings
from siamese_tf.data.sources.load import NAMES, load_source
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import ConfigError, DatasetError
from siamese_tf.files import is_private
from siamese_tf.version import __version__

FORMAT = 1
BLOCK = 1024  # images copied at once; fewer if they are large


def generate_pair_files(
    dataset: str | Source = "auto",
    *,
    out: str | Path = "dataset",
    data_dir: str | Path | None = None,
    train_pairs: int | None = None,
    validation_pairs: int | None = None,
    test_pairs: int | None = None,
    split: str | None = None,
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
        split: `"image"` or `"class"`, a mode of `split_images`. The default is that of `default_mode`: the split of a
            folder with sub-folders train, and validation, test or both; by class for image files with enough classes;
            otherwise by image.
        seed: seed of all random choices, 0 or more. Each split has its own generator, so its number of pairs does not
            affect the others.
        image_format: image format to convert the files of a folder of image files to.

    Raises:
        DatasetError: if the data set is missing, is too small to split, or has fewer pairs than requested; or if a
            folder of image files has the name of a known data set.
        PairFileError: if a file would be too large to load; none is written.
        ConfigError: if `split` is unknown, or given for a folder with its own split; if `seed` is negative; or if
            `image_format` is given for a data set without image files.
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
    split_seed, pair_seeds = _seeds(seed)
    drawn = draw_parts(source, split_images(source, mode, split_seed), counts, pair_seeds)
    files = _build_files(source, drawn, mode, seed)
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
            write_csv_pairs(csv_path, source.origin, source.paths, drawn.pairs, private=files[0].private)
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
    split_seed, pair_seeds = _seeds(seed)
    return _build_files(
        source, draw_parts(source, split_images(source, mode, split_seed), counts, pair_seeds), mode, seed
    )


def pairs_of_split(source: Source, split: ImageSplit, mode: str, seed: int) -> list[PairDataset]:
    """Builds the two pair data sets of images already split; `mode` describes the split in the manifest."""
    _, pair_seeds = _seeds(seed)
    return _build_files(source, draw_parts(source, split, dict.fromkeys(STANDARD_PAIRS), pair_seeds), mode, seed)


def _seeds(seed: int) -> tuple[np.random.SeedSequence, list[np.random.SeedSequence]]:
    """Returns the seed for splitting the images, and one seed per split for drawing its pairs."""
    if seed < 0:
        raise ConfigError(f"seed must be 0 or more; got {seed}.")
    split_seed, *pair_seeds = np.random.SeedSequence(seed).spawn(1 + len(PARTS))
    return split_seed, pair_seeds


def _build_files(source: Source, drawn: DrawnPairs, mode: str, seed: int) -> list[PairDataset]:
    """Builds both pair data sets. The manifest is the same on every machine; its `files` identifies the data."""
    manifest = {
        "format": FORMAT,
        "version": __version__,
        "source": source.name,
        "files": source.files,
        "class_names": list(source.class_names),
        "seed": seed,
        "split": mode,
        "images": {PARTS[part]: len(positions) for part, positions in drawn.images.items()},
        "pairs": {PARTS[part]: len(similarity) for part, (_, _, similarity) in drawn.pairs.items()},
        "duplicates": drawn.split.duplicates,
    }
    if source.groups is not None:
        manifest["group_names"] = list(source.group_names)
    if source.image_format is not None:
        manifest |= {"form": source.image_format.as_dict(), "unreadable": len(source.unreadable)}
    return [_pair_file(source, drawn.images, drawn.pairs, parts, manifest) for parts in ((TRAIN, VALIDATION), (TEST,))]


def _pair_file(
    source: Source,
    images: dict[int, np.ndarray],
    pairs: dict[int, PairArrays],
    parts: tuple[int, ...],
    manifest: dict[str, Any],
) -> PairDataset:
    """Builds the pair data set of some splits, with the images of these splits only."""
    positions = np.sort(np.concatenate([images[part] for part in parts]))
    img1, img2, similarity = (np.concatenate(column) for column in zip(*(pairs[part] for part in parts), strict=True))
    return PairDataset(
        images=_rows(source.images, positions),
        labels=source.labels[positions],
        img1=np.searchsorted(positions, img1).astype(np.int32),
        img2=np.searchsorted(positions, img2).astype(np.int32),
        similarity=similarity,
        split=np.repeat(np.array(parts, np.uint8), [len(pairs[part][2]) for part in parts]),
        manifest=manifest,
        private=is_private(source.origin),
        groups=None if source.groups is None else source.groups[positions],
        authors=None if source.authors is None else source.authors[positions],
    )


def _rows(images: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Copies some of the images; copies memory-mapped images to disk."""
    if not isinstance(images, np.memmap):
        return images[positions]
    rows = scratch_images((len(positions), *images.shape[1:]))
    size = block_size(images.shape[1:], BLOCK)
    for start in range(0, len(positions), size):
        rows[start : start + size] = images[positions[start : start + size]]
    return rows
