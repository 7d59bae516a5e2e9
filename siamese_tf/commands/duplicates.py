"""`siamese-tf duplicates`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from siamese_tf.console import start_tensorflow
from siamese_tf.errors import ConfigError
from siamese_tf.printable import print_lines

if TYPE_CHECKING:
    from siamese_tf.inference.duplicate_pair import DuplicatePair


def duplicates(
    folder: Annotated[Path, Argument(help="Folder of images, at any depth.", show_default=False)],
    out: Annotated[Path, Option(help="Folder for the report.", show_default=False)],
    model: Annotated[
        Path | None, Option(help="Saved model (.keras); pairs that it calls the same are duplicates, too.")
    ] = None,
    threshold: Annotated[
        float | None, Option(help="Lowest probability of a match, with --model.", show_default="the model's")
    ] = None,
) -> None:
    """Find the images of a folder that show the same picture. Nothing is deleted.

    Finds equal files, pictures that were resized, encoded again, turned or mirrored, and crops. Writes duplicates.csv,
    duplicates.json and duplicates.html, which shows the groups.
    """
    if threshold is not None and model is None:
        raise ConfigError(f"--threshold must be given with --model; got {threshold}. Name a model")
    from siamese_tf.inference.duplicate_report import PAGE, summary_lines, write_duplicate_report
    from siamese_tf.inference.duplicates import find_duplicates

    report = find_duplicates(folder, None if model is None else _SearchByModel(model, threshold))
    write_duplicate_report(report, folder, out)
    print_lines(
        *summary_lines(report),
        *(f"unreadable: {path}: {reason}" for path, reason in report.unreadable.items()),
        f"wrote {out / PAGE}",
    )


class _SearchByModel:
    """Search of `find_duplicates` with a model, which is loaded first."""

    def __init__(self, path: Path, threshold: float | None):
        start_tensorflow()
        from siamese_tf.models.model_file import load_model

        self.model, self.threshold = load_model(path), threshold

    def __call__(self, paths: list[Path]) -> "Iterable[DuplicatePair]":
        from siamese_tf.inference.model_duplicates import model_pairs

        return model_pairs(self.model, paths, self.threshold)
