"""`siamese-tf pairs generate`, also run by `dataset_generation.py`, and `siamese-tf pairs check`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from siamese_tf.commands.setting_flags import with_settings
from siamese_tf.config.data_config import IMAGE_FORMAT, DataConfig
from siamese_tf.errors import SiameseError
from siamese_tf.printable import print_lines, warn

if TYPE_CHECKING:
    from siamese_tf.data.pairs.pair_file import PairDataset


@with_settings(DataConfig, ("dataset", "data_dir", *IMAGE_FORMAT))
def generate(
    given: dict[str, Any],
    out: Annotated[Path, Option(help="Parent folder of the data set's folder.")] = Path("dataset"),
    train_pairs: Annotated[
        int | None, Option(help="Number of training pairs.", show_default="70,000, or fewer")
    ] = None,
    validation_pairs: Annotated[
        int | None, Option(help="Number of validation pairs.", show_default="30,000, or fewer")
    ] = None,
    test_pairs: Annotated[int | None, Option(help="Number of test pairs.", show_default="50,000, or fewer")] = None,
    split: Annotated[
        str | None,
        Option(
            help="Unit of the split: image, class so that no class is in two splits, or group of classes.",
            show_default="class for folders of images, else image",
        ),
    ] = None,
    train_share: Annotated[
        float | None,
        Option(
            help="Share of the images, classes or groups (by --split) for training, up to 1; 1 leaves no validation"
            " pairs and requires an official test split.",
            show_default="about 0.6; 5/6 with an official test split",
        ),
    ] = None,
    pairs_within: Annotated[
        str | None,
        Option(
            help="Unit that dissimilar pairs are drawn within: group, balanced over the groups.",
            show_default="all classes",
        ),
    ] = None,
    seed: Annotated[int, Option(help="Random seed of the split and the pairs.")] = 0,
) -> None:
    """Write train_pairs.npz and test_pairs.npz of a data set, and pairs.csv of a folder of images."""
    from siamese_tf.data.images.format import ImageFormat
    from siamese_tf.data.pairs.generate import generate_pair_files

    data = DataConfig(**given)
    made = generate_pair_files(
        data.dataset,
        out=out,
        data_dir=data.data_dir,
        train_pairs=train_pairs,
        validation_pairs=validation_pairs,
        test_pairs=test_pairs,
        split=split,
        train_share=train_share,
        pairs_within=pairs_within,
        seed=seed,
        image_format=ImageFormat.parse(data.image_size, data.color, data.resize, data.invert, data.center),
    )
    print_lines(*made.lines())
    warn(*made.warnings)


@with_settings(DataConfig, ("images",))
def check(
    given: dict[str, Any],
    files: Annotated[list[Path], Argument(help="Pair files or lists of pairs to audit together.")],
) -> None:
    """Print the audit of pair files; exit code 1 where they leak."""
    from siamese_tf.data.pairs.audit import audit_pairs
    from siamese_tf.data.pairs.listed_pairs import is_lfw

    images = DataConfig(**given).images
    if images is not None and not any(map(is_lfw, files)):
        raise SiameseError(f"--images must be given with an LFW-style pairs.txt; got {images} without one. Omit it")
    audit = audit_pairs([_load(file, images) for file in files])
    print_lines(*audit.lines())
    if audit.leaks:
        raise typer.Exit(1)


def _load(file: Path, images: str | None) -> "PairDataset":
    """Loads pairs; the image decoder is imported for lists of image files only."""
    from siamese_tf.data.pairs.listed_pairs import is_list
    from siamese_tf.data.pairs.pair_file import load_pair_file

    if not is_list(file):
        return load_pair_file(file)
    from siamese_tf.data.images.format import NATIVE_FORMAT
    from siamese_tf.data.pairs.pair_lists import load_pair_dataset

    return load_pair_dataset(file, NATIVE_FORMAT, images)[0]
