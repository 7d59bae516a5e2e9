"""Loading of the pairs of a run: a pair file, a list, or the files in `dataset/<name>/`, generated if missing."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from siamese_tf.data.images.format import NATIVE_FORMAT, ImageFormat, reject_image_options
from siamese_tf.data.pairs.audit import audit_pairs
from siamese_tf.data.pairs.generate import generate_pair_files
from siamese_tf.data.pairs.listed_pairs import is_lfw, is_list
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset, check_labels_agree, load_pair_file
from siamese_tf.data.pairs.pair_lists import check_people_apart, load_pair_dataset
from siamese_tf.data.pairs.pairs_folder import (
    TEST_FILE,
    TRAIN_FILE,
    check_made_from,
    check_same_run,
    explain_mismatch,
    has_both_files,
    has_pairs,
    pairs_folder,
)
from siamese_tf.data.pairs.pairs_lock import pairs_lock
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.data.sampling.split import GIVEN
from siamese_tf.data.sampling.split_sizes import pair_warnings
from siamese_tf.data.sources.load import known_identity, load_source
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import ConfigError, PairFileError
from siamese_tf.files import is_private

DATASET_FOLDER = Path("dataset")


def load_pairs(
    dataset: str,
    *,
    data_dir: str | Path | None = None,
    pairs: str | Path | None = None,
    test_pairs: str | Path | None = None,
    folder: Path = DATASET_FOLDER,
    image_format: ImageFormat = NATIVE_FORMAT,
    images_folder: str | Path | None = None,
) -> TrainTestPairs:
    """Loads the pairs of a file or of a data set; generates missing files of a data set in `folder/<name>/`.

    User folders with equal names, and a folder in several image formats, have separate pair files; `pairs_folder`
    chooses their folder.

    `pairs` and `test_pairs` may be pair files (.npz) or lists of image files: CSV (.csv, read by `csv_pairs`) or in the
    format of LFW's pairs.txt (.txt, read by `lfw_pairs`). Of the folds of an LFW list, the last is for test, the one
    before it for validation, and the others for training; in `test_pairs`, all are for test.

    Args:
        dataset, data_dir: arguments of `load_source`; ignored if `pairs` is given.
        pairs: path of a file with training and validation pairs.
        test_pairs: path of a file with test pairs; the default is the test pairs in `pairs`, or else the file
            `test_pairs.npz` in the same folder.
        folder: folder that contains one folder of pair files per data set.
        image_format: image format to convert the files of a list or a folder of image files to.
        images_folder: folder of the images of a `.txt` list; the default is the folder of the list.

    Raises:
        DatasetError: if the data set is not available.
        PairFileError: if a file is missing, damaged, lacks the required pairs, or was made from other images; or if a
            person is in more than one of the training, validation and test folds of an LFW list.
        ConfigError: if `image_format` is given without image files, or `images_folder` without a `.txt` list.
    """
    if images_folder is not None and not any(path is not None and is_lfw(path) for path in (pairs, test_pairs)):
        raise ConfigError(
            f"images must be omitted unless a list in the format of LFW's pairs.txt is given; got {images_folder}. Omit"
            " it, or, to generate pairs from a folder of images, give the folder as the dataset"
        )
    if pairs is not None:
        if not is_list(pairs):
            reject_image_options(image_format, f"{pairs}")
        return _load_files(Path(pairs), test_pairs, f"using the pairs of {pairs}", image_format, images_folder)
    known = "mnist" if dataset == "auto" else dataset
    source: Source | None = None
    identity = known_identity(known, image_format)
    if identity is not None and has_pairs(pairs_folder(folder, identity)):
        folder_of_pairs, files = pairs_folder(folder, identity), identity.files
        note, state = f"using {known}", f"found there{explain_mismatch(folder_of_pairs, identity)}"
    else:
        source = load_source(dataset, data_dir, image_format)
        folder_of_pairs, state = _find_or_make(source, dataset, folder)
        files, note = source.files, source.note
    check_made_from(folder_of_pairs, files, dataset, source)
    note = f"{note}; pairs in {folder_of_pairs} ({state})"
    loaded = _load_files(folder_of_pairs / TRAIN_FILE, test_pairs, note, image_format, images_folder)
    if source is None:
        return loaded
    if is_private(source.origin):  # the current mode of the images counts, not that of the pair files
        loaded = _as_private(loaded)
    return replace(loaded, unreadable=source.unreadable, warnings=pair_warnings(source, loaded.train.manifest))


def _as_private(loaded: TrainTestPairs) -> TrainTestPairs:
    """Marks both pair data sets as private; if they are the same object, the results are, too."""
    train, test = replace(loaded.train, private=True), loaded.test
    if test is not None:
        test = train if test is loaded.train else replace(test, private=True)
    return replace(loaded, train=train, test=test)


def _find_or_make(source: Source, dataset: str, folder: Path) -> tuple[Path, str]:
    """Returns the folder of the pair files and "found there" or "made now" with a note; generates missing files."""
    folder_of_pairs, state = pairs_folder(folder, source), "found there"
    if not has_pairs(folder_of_pairs):
        with pairs_lock(folder):  # another run may be generating them
            folder_of_pairs = pairs_folder(folder, source)
            if not has_both_files(folder_of_pairs, dataset, source):
                generate_pair_files(source, out=folder)
                state = "made now"
    return folder_of_pairs, f"{state}{explain_mismatch(folder_of_pairs, source)}"


def _load_files(
    path: Path, test_path: str | Path | None, note: str, image_format: ImageFormat, images_folder: str | Path | None
) -> TrainTestPairs:
    train, fold = load_pair_dataset(path, image_format, images_folder)
    if fold is not None:
        train = _parts_by_fold(train, fold)
    beside = path.with_name(TEST_FILE)
    test: PairDataset | None = None
    if test_path is not None:
        test, _ = load_pair_dataset(test_path, train.image_format, images_folder)
        if not len(test.rows(TEST)):
            raise PairFileError(f"{test_path} must have test pairs (split 2); got none. Use another file, or omit it.")
    elif len(train.rows(TEST)):
        test = train
    elif beside.exists() and beside != path:
        test = load_pair_file(beside)
        check_same_run(train, test)
    files = [train] if test is None or test is train else [train, test]
    for file in files:
        check_labels_agree(file)
    if test is not None and test.images.shape[1:] != train.images.shape[1:]:
        raise PairFileError(
            f"the test images must have the same (height, width, channels) as those of {path}, {train.images.shape[1:]}"
            f"; got {test.images.shape[1:]}. Give the matching test file with --test-pairs."
        )
    phrases = {"split": "split as" if train.manifest.get("split") == GIVEN else "split by", "seed": "seed"}
    details = [f"{text} {train.manifest[key]!s:.100}" for key, text in phrases.items() if key in train.manifest]
    tested = f"tested with {test.path.name}" if test is not None and test.path is not None else "no test pairs"
    note = ", ".join([note, *details, tested])
    return TrainTestPairs(train, test, _dataset_name(train, path), note, audit_pairs(files).leaks)


def _parts_by_fold(pairs: PairDataset, fold: np.ndarray) -> PairDataset:
    last = fold.max()
    if last < 2:
        raise PairFileError(
            f"{pairs.path} must have at least three folds for training, since the last is for test and the one before"
            f" it for validation; got {last + 1}. Use it as --test-pairs, or a CSV list with the split of each pair"
        )
    split = np.full(len(fold), TRAIN, np.uint8)
    split[fold == last - 1] = VALIDATION
    split[fold == last] = TEST
    pairs = replace(pairs, split=split)
    check_people_apart(pairs)
    return pairs


def _dataset_name(pairs: PairDataset, path: Path) -> str:
    """Returns the name in the manifest if it is a plain folder name, since an untrusted file must not choose a path."""
    name = str(pairs.manifest.get("source", ""))
    plain = name == Path(name).name and name not in ("", "..") and name.isprintable()
    return name if plain else path.stem
