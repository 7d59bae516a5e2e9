"""Arguments and options that several commands share and that are no settings of a run."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

Model = Annotated[Path, Argument(help="Saved model (.keras).", show_default=False)]
GalleryPath = Annotated[Path, Argument(help="Gallery of enrolled people.", show_default=False)]
GalleryModel = Annotated[
    Path | None, Option("--model", help="Saved model (.keras) of the gallery.", envvar="SIAMESE_TF_MODEL")
]
Name = Annotated[str, Option(help="Name of the person.", show_default=False)]
MatchBy = Annotated[str, Option("--match", help="Score of a person: mean or best over the person's pictures.")]
AsJson = Annotated[bool, Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, Option("--quiet", help="Print no progress and no report.")]
