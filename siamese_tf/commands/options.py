"""Arguments and options that several commands share and that are no settings of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from siamese_tf.errors import ConfigError

Model = Annotated[Path, Argument(help="Saved model (.keras).", show_default=False)]
GalleryPath = Annotated[Path, Argument(help="Gallery of enrolled people.", show_default=False)]
GalleryModel = Annotated[
    Path | None, Option("--model", help="Saved model (.keras) of the gallery.", envvar="SIAMESE_TF_MODEL")
]
Name = Annotated[str, Option(help="Name of the person.", show_default=False)]
MatchBy = Annotated[str, Option("--match", help="Score of a person: mean or best over the person's pictures.")]
AsJson = Annotated[bool, Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, Option("--quiet", help="Print no progress and no report.")]


def check_one_source(command: str, given: Mapping[str, object], others: str = "") -> None:
    """Raises a ConfigError unless exactly one of --pairs and --dataset was typed; `others` names other inputs."""
    if ("pairs" in given) == ("dataset" in given):
        got = "both" if "pairs" in given else "neither"
        raise ConfigError(f"{command} must have either --pairs FILE or --dataset NAME{others}; got {got}")
