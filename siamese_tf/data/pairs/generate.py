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
BLOCK = 1024  # images copied at a time; fewer if they are large


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
    """Writes `<out>/<name>/train_pairs.npz` and `<out>/<name>/test_pairs.npz`; same arguments and data, same bytes.

    For a folder of image files, `<out>/<name>/pairs.csv` lists the same pairs as `img1,img2,similarity,split`, with the
    paths of the images relative to that folder. Where the pairs in `<out>/<name>` are of another folder of the user's
    own, or of another image format, `<out>/<name>-<hash>` is the folder, see `pairs_folder`.

    Args:
        dataset: a name or a folder, as for `load_source`, or what it gave.
        out: the folder that gets a folder for this data set.
        data_dir: where to look for data sets first.
        train_pairs, validation_pairs, test_pairs: how many pairs. By default 70,000, 30,000 and 50,000, but at most
            ten for each image of the part, and at most half of the similar and of the dissimilar pairs that exist (all
            of them up to 100 pairs).
        split: `"image"` or `"class"`, as for `split_images`; None as `default_mode` says: as given where the folder has
            sub-folders train, and validation, test or both; by class where there are image files of enough classes;
            else by image.
        seed: of every choice; the three parts have generators of their own, so the count of one changes no other.
        image_format: of a folder of image files, image format to convert them to.

    Raises:
        DatasetError: the data set is missing, too small to split, or has fewer pairs than requested; or a folder
            of image files is named as a known data set.
        PairFileError: a file would be too large to be read again; none is written.
        ConfigError: an unknown split, or any for a folder that has one; a negative seed; or an image format for a data
            set that is no folder of image files.
        SiameseError: the cache of image files cannot be written; see `in_cache`.
    """
    source = dataset if isinstance(dataset, Source) else load_source(dataset, data_dir, image_format)
    if source.paths is not None and source.name in NAMES:
        raise DatasetError(
            f"{source.origin} is a folder of images named like the data set {source.name}, whose pairs are in"
            f" {Path(out) / source.name}; expected another name; rename the folder"
        )
    counts = {"train": train_pairs, "validation": validation_pairs, "test": test_pairs}
    mode = split or default_mode(source)
    split_seed, pair_seeds = _seeds(seed)
    drawn = draw_parts(source, split_images(source, mode, split_seed), counts, pair_seeds)
    files = _build_files(source, drawn, mode, seed)
    audit = audit_pairs(files)
    if audit.leaks or audit.contradictions:
        raise RuntimeError(
            "These pairs leak, which is a fault of siamese_tf; please report:\n" + "\n".join(audit.lines())
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
            why = ", for by class there are too few" if split is None and mode == "image" else ""
            note += "; split as given" if mode == GIVEN else f"; split by {mode}{why}"
        paths = folder / TRAIN_FILE, folder / TEST_FILE
        for path, file in zip(paths, files, strict=True):
            save_pair_file(path, file)
    manifest = files[0].manifest
    warnings = pair_warnings(source, manifest)
    return GeneratedPairs(*paths, note, manifest["duplicates"], audit, csv_path, source.unreadable, warnings)


def build_pairs(source: Source, counts: dict[str, int | None], mode: str, seed: int) -> list[PairDataset]:
    """Makes the two files in memory: training with validation pairs, and test pairs."""
    split_seed, pair_seeds = _seeds(seed)
    return _build_files(
        source, draw_parts(source, split_images(source, mode, split_seed), counts, pair_seeds), mode, seed
    )


def pairs_of_split(source: Source, split: ImageSplit, mode: str, seed: int) -> list[PairDataset]:
    """Builds the pair files of images that are split already; `mode` describes the split in the manifest."""
    _, pair_seeds = _seeds(seed)
    return _build_files(source, draw_parts(source, split, dict.fromkeys(STANDARD_PAIRS), pair_seeds), mode, seed)


def _seeds(seed: int) -> tuple[np.random.SeedSequence, list[np.random.SeedSequence]]:
    """Returns the seed of the split, and those of the pairs of each split."""
    if seed < 0:
        raise ConfigError(f"seed must be 0 or more; got {seed}.")
    split_seed, *pair_seeds = np.random.SeedSequence(seed).spawn(1 + len(PARTS))
    return split_seed, pair_seeds


def _build_files(source: Source, drawn: DrawnPairs, mode: str, seed: int) -> list[PairDataset]:
    """Builds both files. The manifest holds nothing that differs between machines; `files` identifies the data."""
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
    """Builds the pair data set of some splits, with only the images of these splits."""
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
    )


def _rows(images: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Copies some of the images; images that are on disk are copied on disk."""
    if not isinstance(images, np.memmap):
        return images[positions]
    rows = scratch_images((len(positions), *images.shape[1:]))
    size = block_size(images.shape[1:], BLOCK)
    for start in range(0, len(positions), size):
        rows[start : start + size] = images[positions[start : start + size]]
    return rows
