"""Arguments and options that more than one command has."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

FOLDERS = "or a folder: of IDX files, or of one folder of images a class."
Dataset = Annotated[str, Option(help=f"mnist, fashion-mnist, digits, auto, {FOLDERS}")]
GivenDataset = Annotated[str, Option(help=f"mnist, fashion-mnist, digits, {FOLDERS}", show_default=False)]
DatasetOrNone = Annotated[str | None, Option(help=f"mnist, fashion-mnist, digits, {FOLDERS}")]
ImageSize = Annotated[
    str | None, Option(help="Of a folder of images: as 112x92.", show_default="what all share, else 112x112")
]
Color = Annotated[str | None, Option(help="Of a folder of images: grey or rgb.", show_default="grey if all are")]
Resize = Annotated[str, Option(help="Of a folder of images: pad, crop or stretch.")]
Images = Annotated[str | None, Option(help="Of a pairs.txt: its folders of people.", show_default="beside it")]
DataDir = Annotated[str | None, Option(help="A folder with one folder per data set.", show_default="$SIAMESE_TF_DATA")]
Pairs = Annotated[
    str | None, Option(help="A pair file (.npz), a list of pairs (.csv: img1,img2,similarity), or LFW's pairs.txt.")
]
TestPairs = Annotated[str | None, Option(help="A pair file with test pairs.", show_default="test_pairs.npz beside it")]
Model = Annotated[Path, Argument(help="A saved model (.keras).", show_default=False)]
OneVsRest = Annotated[str | None, Option(help="A class to tell from all others.", metavar="CLASS")]
RestIsAClass = Annotated[bool, Option("--rest-is-a-class", help="Two images of the rest are similar.")]
GalleryPath = Annotated[Path, Argument(help="A gallery of enrolled people.", show_default=False)]
GalleryModel = Annotated[
    Path | None, Option("--model", help="The saved model (.keras) it is for.", envvar="SIAMESE_TF_MODEL")
]
Name = Annotated[str, Option(help="Of the person.", show_default=False)]
MatchBy = Annotated[str, Option("--match", help="Over a person's pictures: mean, or best.")]
Quiet = Annotated[bool, Option("--quiet", help="No progress and no report.")]
