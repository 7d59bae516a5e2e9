"""`siamese-tf pairs generate`, which is `dataset_generation.py`, too, and `siamese-tf pairs check`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from siamese_tf.commands.options import Color, DataDir, Dataset, Images, ImageSize, Resize
from siamese_tf.errors import SiameseError
from siamese_tf.printable import print_lines, warn

if TYPE_CHECKING:
    from siamese_tf.data.pairs.pair_file import PairDataset


def generate(
    dataset: Dataset = "auto",
    data_dir: DataDir = None,
    out: Annotated[Path, Option(help="The folder that gets a folder for the data set.")] = Path("dataset"),
    train_pairs: Annotated[int | None, Option(help="Pairs to train on.", show_default="70,000, or fewer")] = None,
    validation_pairs: Annotated[int | None, Option(help="Pairs to choose by.", show_default="30,000, or fewer")] = None,
    test_pairs: Annotated[int | None, Option(help="Pairs to measure with.", show_default="50,000, or fewer")] = None,
    split: Annotated[
        str | None,
        Option(
            help="image, or class to keep whole classes apart.", show_default="class for folders of images, or image"
        ),
    ] = None,
    seed: Annotated[int, Option(help="Of every choice.")] = 0,
    image_size: ImageSize = None,
    color: Color = None,
    resize: Resize = "pad",
) -> None:
    """Write train_pairs.npz and test_pairs.npz of a data set, and pairs.csv of a folder of images."""
    from siamese_tf.data.images.format import ImageFormat
    from siamese_tf.data.pairs.generate import generate_pair_files

    made = generate_pair_files(
        dataset,
        out=out,
        data_dir=data_dir,
        train_pairs=train_pairs,
        validation_pairs=validation_pairs,
        test_pairs=test_pairs,
        split=split,
        seed=seed,
        image_format=ImageFormat.parse(image_size, color, resize),
    )
    print_lines(*made.lines())
    warn(*made.warnings)


def check(
    files: Annotated[list[Path], Argument(help="Pair files, or lists of pairs, looked at together.")],
    images: Images = None,
) -> None:
    """Print the audit of pair files; exit code 1 where they leak."""
    from siamese_tf.data.pairs.audit import audit_pairs
    from siamese_tf.data.pairs.listed_pairs import is_lfw

    if images is not None and not any(map(is_lfw, files)):
        raise SiameseError(
            f"--images {images} is for a list in the form of LFW's pairs.txt, and no such list came; leave it out"
        )
    audit = audit_pairs([_load(file, images) for file in files])
    print_lines(*audit.lines())
    if audit.leaks:
        raise typer.Exit(1)


def _load(file: Path, images: str | None) -> "PairDataset":
    """Without what decodes images where there are none to decode."""
    from siamese_tf.data.pairs.listed_pairs import is_list
    from siamese_tf.data.pairs.pair_file import load_pair_file

    if not is_list(file):
        return load_pair_file(file)
    from siamese_tf.data.images.format import NATIVE_FORMAT
    from siamese_tf.data.pairs.pair_lists import load_pair_dataset

    return load_pair_dataset(file, NATIVE_FORMAT, images)[0]
