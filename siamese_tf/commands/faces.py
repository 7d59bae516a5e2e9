"""`siamese-tf faces`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from siamese_tf.console import start_tensorflow
from siamese_tf.printable import print_lines

MAX_LINES = 50  # lines of the summary; the report has all


def align(
    folder: Annotated[Path, Argument(help="Folder of images, such as one folder per person.", show_default=False)],
    out: Annotated[Path, Option(help="Folder for the aligned faces, empty or new.", show_default=False)],
    face: Annotated[
        str | None,
        Option(help="Face of an image with several: largest or all.", show_default="such an image is not aligned"),
    ] = None,
) -> None:
    """Find the faces of all images, and crop them with eyes and nose at the same positions.

    Writes a PNG file of 150x150 pixels at the place of each image, and faces.csv with a row per face and per image
    without one. Faces that are small, dark or blurred are aligned, and named in the report.
    """
    start_tensorflow()
    from rich.console import Console
    from rich.progress import track

    from siamese_tf.inference.align_folder import REPORT, align_folder, summary_lines
    from siamese_tf.models.faces.detection import load_detector
    from siamese_tf.training.progress import shows_bar

    console = Console(stderr=True)
    detector = load_detector()
    rows = align_folder(
        folder,
        out,
        detector,
        face,
        lambda items, text: track(list(items), text, console=console, transient=True, disable=not shows_bar(console)),
    )
    lines = summary_lines(rows)
    print_lines(*lines[: MAX_LINES + 1])
    if len(lines) > MAX_LINES + 1:
        print_lines(f"... and {len(lines) - MAX_LINES - 1:,} more")
    print_lines(f"wrote {out / REPORT}")
