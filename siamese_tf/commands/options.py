"""Arguments and options that more than one command has."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

Dataset = Annotated[str, Option(help="mnist, fashion-mnist, digits, a folder of four IDX files, or auto.")]
DataDir = Annotated[str | None, Option(help="A folder with one folder per data set.", show_default="$SIAMESE_TF_DATA")]
Pairs = Annotated[str | None, Option(help="A pair file (.npz) with training and validation pairs.")]
TestPairs = Annotated[str | None, Option(help="A pair file with test pairs.", show_default="test_pairs.npz beside it")]
Model = Annotated[Path, Argument(help="A saved model (.keras).", show_default=False)]
OneVsRest = Annotated[str | None, Option(help="A class to tell from all others.", metavar="CLASS")]
RestIsAClass = Annotated[bool, Option("--rest-is-a-class", help="Two images of the rest are similar.")]
Quiet = Annotated[bool, Option("--quiet", help="No progress bar and no report.")]
