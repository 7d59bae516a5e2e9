"""Loading of the pairs of a run: a file or list, or the files in `dataset/<name>/`, generated if missing."""

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
    pairs_folder,
)
from siamese_tf.data.pairs.pairs_lock import pairs_lock
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.data.sampling.split import GIVEN
from siamese_tf.data.sampling.split_sizes import pair_warnings
from siamese_tf.data.sources.load import load_source
from siamese_tf.data.sources.published import PUBLISHED
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
    """Loads the pairs of a file, or of a data set, whose files are generated in `folder/<name>/` if missing.

    User folders that share a name, and one folder in several image formats, have separate pair files, see
    `pairs_folder`.

    Besides pair files (.npz), `pairs` and `test_pairs` may be lists of image files: CSV (.csv), see `csv_pairs`,
    or in the format of LFW's pairs.txt (.txt), see `lfw_pairs`. Of LFW's folds, which share no people, the last is for
    the test and the one before for validation; as `test_pairs` all are for the test.

    Args:
        dataset, data_dir: as for `load_source`; not looked at when `pairs` is given.
        pairs: with training and validation rows.
        test_pairs: with test rows; None takes the test rows of `pairs`, else `test_pairs.npz` beside it.
        folder: where the folders of the data sets are.
        image_format: what to bring the images of a list or a folder of image files to.
        images_folder: of the images that a `.txt` names; None is the folder of the list.

    Raises:
        DatasetError: the data set is not available.
        PairFileError: a file is missing, damaged, lacks the rows it is needed for, or was made from other images; or
            someone is in several of the three parts of LFW's folds.
        ConfigError: an image format for what has no image files, or `images_folder` without a `.txt`.
    """
    if images_folder is not None and not any(path is not None and is_lfw(path) for path in (pairs, test_pairs)):
        raise ConfigError(
            f"images {images_folder}: that is for a list in the format of LFW's pairs.txt, and no such list came. Leave"
            " it out, or, to make pairs of a folder of images, name it as the dataset"
        )
    if pairs is not None:
        if not is_list(pairs):
            reject_image_options(image_format, f"{pairs}")
        return _load_files(Path(pairs), test_pairs, f"using the pairs of {pairs}", image_format, images_folder)
    known = "mnist" if dataset == "auto" else dataset
    source: Source | None = None
    if known in PUBLISHED and all((folder / known / name).exists() for name in (TRAIN_FILE, TEST_FILE)):
        reject_image_options(image_format, known)
        folder_of_pairs, files, note, state = (
            folder / known,
            dict(PUBLISHED[known].sha256),
            f"using {known}",
            "found there",
        )
    else:
        source = load_source(dataset, data_dir, image_format)
        folder_of_pairs, state = _find_or_make(source, dataset, folder)
        files, note = source.files, source.note
    check_made_from(folder_of_pairs, files, dataset, source)
    note = f"{note}; pairs in {folder_of_pairs} ({state})"
    loaded = _load_files(folder_of_pairs / TRAIN_FILE, test_pairs, note, image_format, images_folder)
    if source is None:
        return loaded
    if is_private(source.origin):  # now, whoever may read the pair files
        loaded = _as_private(loaded)
    return replace(loaded, unreadable=source.unreadable, warnings=pair_warnings(source, loaded.train.manifest))


def _as_private(loaded: TrainTestPairs) -> TrainTestPairs:
    """Marks both pair files as private; a file that serves as both stays one object."""
    train, test = replace(loaded.train, private=True), loaded.test
    if test is not None:
        test = train if test is loaded.train else replace(test, private=True)
    return replace(loaded, train=train, test=test)


def _find_or_make(source: Source, dataset: str, folder: Path) -> tuple[Path, str]:
    """Returns the folder of the pair files of a data set and "found" or "generated"; generates missing files."""
    folder_of_pairs, state = pairs_folder(folder, source), "found there"
    if not all((folder_of_pairs / name).exists() for name in (TRAIN_FILE, TEST_FILE)):
        with pairs_lock(folder):  # another run may be making them
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
            raise PairFileError(f"{test_path} has no test rows (split 2). Give a file that has, or leave it out.")
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
            f"the test images are {test.images.shape[1:]} and those of {path} are {train.images.shape[1:]}"
            " (height, width, channels); they must be alike. Name the test file that belongs to it with --test-pairs."
        )
    words = {"split": "split as" if train.manifest.get("split") == GIVEN else "split by", "seed": "seed"}
    made = [f"{word} {train.manifest[key]!s:.100}" for key, word in words.items() if key in train.manifest]
    tested = f"tested with {test.path.name}" if test is not None and test.path is not None else "no test pairs"
    note = ", ".join([note, *made, tested])
    return TrainTestPairs(train, test, _dataset_name(train, path), note, audit_pairs(files).leaks)


def _parts_by_fold(pairs: PairDataset, fold: np.ndarray) -> PairDataset:
    last = fold.max()
    if last < 2:
        raise PairFileError(
            f"{pairs.path} has {last + 1} fold(s); to train on it takes three or more: the last for the test, the one"
            " before for validation. Take it for --test-pairs, or write a CSV list that says the split of each pair"
        )
    split = np.full(len(fold), TRAIN, np.uint8)
    split[fold == last - 1] = VALIDATION
    split[fold == last] = TEST
    pairs = replace(pairs, split=split)
    check_people_apart(pairs)
    return pairs


def _dataset_name(pairs: PairDataset, path: Path) -> str:
    """Returns the name in the manifest if it is a plain folder name: an untrusted file must not choose a path."""
    name = str(pairs.manifest.get("source", ""))
    plain = name == Path(name).name and name not in ("", "..") and name.isprintable()
    return name if plain else path.stem
