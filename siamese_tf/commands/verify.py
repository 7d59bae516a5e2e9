"""`siamese-tf verify`, whose exit code scripts can use."""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from siamese_tf.commands.gallery import NO_DETECTION, load_gallery_model
from siamese_tf.commands.options import GalleryModel, GalleryPath, MatchBy, Name
from siamese_tf.console import describe_os_error
from siamese_tf.errors import SiameseError

if TYPE_CHECKING:
    from siamese_tf.inference.matching import Match

DIFFERENT, ERROR = 1, 2


def verify(
    gallery: GalleryPath,
    name: Name,
    image: Annotated[Path, Argument(help="A picture.", show_default=False)],
    model: GalleryModel = None,
    match: MatchBy = "mean",
    as_json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether a picture shows a person: exit code 0 same, 1 different, 2 error."""
    try:
        found = _verify(gallery, name, image, model, match)
        if as_json:
            told = {"name": found.name, "probability": found.score, "threshold": found.threshold, "same": found.same}
            print(json.dumps({**told, "match": match, "presentation_attack_detection": False}), flush=True)
        else:
            verdict = "same" if found.same else "different"
            print(f"probability {found.score:.6f}  threshold {found.threshold:.6f}  verdict {verdict}", flush=True)
        print(NO_DETECTION, file=sys.stderr)
    except SiameseError:
        raise
    except OSError as error:  # typer ends with 1 where nobody reads the output
        if isinstance(error, BrokenPipeError):
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (Python fails once more on its way out otherwise)
        raise SiameseError(describe_os_error(error)) from error
    except BaseException as error:  # a stop by the keyboard, or a fault of ours: Python would end with 1, "different"
        traceback.print_exc()
        raise typer.Exit(ERROR) from error
    if not found.same:
        raise typer.Exit(DIFFERENT)


def _verify(gallery: Path, name: str, image: Path, model: Path | None, match: str) -> "Match":
    loaded = load_gallery_model(model)
    from siamese_tf.inference.gallery import Gallery

    with Gallery.open(gallery, loaded) as opened:
        return opened.verify(name, loaded.embed(image), match)
