"""`siamese-tf verify`, whose exit code gives the decision."""

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
    image: Annotated[Path, Argument(help="Image file.", show_default=False)],
    model: GalleryModel = None,
    match: MatchBy = "mean",
    as_json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Verify that an image shows a person: exit code 0 if same, 1 if different, 2 on errors."""
    try:
        found = _verify(gallery, name, image, model, match)
        if as_json:
            result = {"name": found.name, "probability": found.score, "threshold": found.threshold, "same": found.same}
            print(json.dumps({**result, "match": match, "presentation_attack_detection": False}), flush=True)
        else:
            verdict = "same" if found.same else "different"
            print(f"probability {found.score:.6f}  threshold {found.threshold:.6f}  verdict {verdict}", flush=True)
        print(NO_DETECTION, file=sys.stderr)
    except SiameseError:
        raise
    except OSError as error:  # typer would exit with 1 on a closed output
        if isinstance(error, BrokenPipeError):
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (Python would fail again at exit)
        raise SiameseError(describe_os_error(error)) from error
    except BaseException as error:  # an interrupt or a bug: Python would exit with 1, "different"
        traceback.print_exc()
        raise typer.Exit(ERROR) from error
    if not found.same:
        raise typer.Exit(DIFFERENT)


def _verify(gallery: Path, name: str, image: Path, model: Path | None, match: str) -> "Match":
    loaded = load_gallery_model(model)
    from siamese_tf.inference.gallery import Gallery

    with Gallery.open(gallery, loaded) as people:
        return people.verify(name, loaded.embed(image), match)
